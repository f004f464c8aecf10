/* SPDX-License-Identifier: Apache-2.0 */
/*
 * location - where an answer sends us on to
 *
 * Source: RFC 3986 section 5.2, as far as registries make use of it: no dots in paths.
 */
#ifndef REGISTRY_LOCATION_H
#define REGISTRY_LOCATION_H

#include <stdbool.h>

#include "base/err.h"

/**
 * location_resolve - an address, relative or absolute, seen from the URL that was asked
 * @ret: new
 *
 * ERR_REMOTE for what is no address of http or https, for http where it was asked over https,
 * and for one with a user's name in it. It is not quoted: it may let whoever knows it in.
 */
int location_resolve(const char *base, const char *location, char **ret, struct error *err);

/* Are scheme, host and port the same? */
bool location_same_origin(const char *a, const char *b);

/* The URL with one more "key=value" in its query; value is escaped. Returns new. */
char *location_with(const char *url, const char *key, const char *value);

#endif
