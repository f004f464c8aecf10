/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caps - the capabilities of a container
 *
 * Source: capabilities(7); Docker's default set (docs.docker.com/engine/security).
 */
#ifndef RUN_CAPS_H
#define RUN_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A set of capabilities is an uint64_t: bit N is capability number N of the kernel. */

/**
 * caps_resolve - the set that --privileged, --cap-add and --cap-drop leave
 * @add, @drop: names in any case, with or without "CAP_", or "ALL"
 *
 * ERR_USAGE: invalid capability: "CAP_X"
 */
int caps_resolve(bool privileged, const struct strlist *add, const struct strlist *drop,
		 uint64_t *ret, struct error *err);

/* ret gets the names, "CAP_CHOWN" and so on, in the kernel's order. */
void caps_names(uint64_t caps, struct strlist *ret);

/* Is the capability of that name in the set? */
bool caps_has(uint64_t caps, const char *name);

#endif
