/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache - the key under which the result of a build step is found again
 *
 * Pure. What is no part of it never counts: times, names of the context, secrets,
 * contents of cache mounts, proxies that no ARG declared.
 * Source: spec/dockerfile.md, section 6.
 */
#ifndef BUILD_CACHE_H
#define BUILD_CACHE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"

/* A bind mount of a RUN: what is mounted where. */
struct cache_mount {
	const char *text; /* the --mount as expanded */
	const struct digest *content;
};

struct cache_input {
	const struct digest *parent; /* ChainID below; NULL or unset: scratch */
	const struct digest *config; /* of the config so far */
	const char *operation;	   /* the instruction, expanded: what the history says, and flags */
	const struct strlist *env; /* in effect, sorted here; NULL: it does not matter */
	const struct digest *contents; /* of the sources of COPY and ADD, in their order */
	size_t nr_contents;
	const struct cache_mount *mounts; /* in their order */
	size_t nr_mounts;
};

void cache_key(const struct cache_input *input, struct digest *ret);

/* A text of an operation that is put together as JSON; new. It may hold any bytes, and all count. */
json_t *cache_text(const char *text, size_t len);

#endif
