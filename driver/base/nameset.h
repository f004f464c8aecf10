/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameset - which names of a tree belong to the present layer, at 8 bytes each
 *
 * A member is a keyed 64-bit hash of (inode of the directory, name). The key is
 * random, so nobody can prepare names that collide; by chance two of a million
 * do so once in some 30 million layers, and then a whiteout spares one file.
 * Source: SipHash-2-4, Aumasson and Bernstein, 2012
 */
#ifndef BASE_NAMESET_H
#define BASE_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nameset;

/* @max: members that are accepted. The caller owns the result. */
struct nameset *nameset_new(size_t max);
void nameset_free(struct nameset *set);
/* Forgets all members, and the memory they took. */
void nameset_clear(struct nameset *set);

/* Returns 1 when it is new, 0 when it was there, -1 with ERR_LIMIT. */
int nameset_add(struct nameset *set, uint64_t inode, const char *name, size_t len,
		struct error *err);
bool nameset_has(const struct nameset *set, uint64_t inode, const char *name, size_t len);

/* The hash by itself, for a test against its authors' vectors. */
uint64_t nameset_siphash(const uint64_t key[2], const void *data, size_t len);

#endif
