/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkdigests - does the folder verity/ fit the catalogue?
 *
 * A layer without digests is no finding: it may be older than they are.
 */
#ifndef IMAGE_CHECKDIGESTS_H
#define IMAGE_CHECKDIGESTS_H

#include <stdbool.h>

#include "base/err.h"

struct store;

/**
 * check_digests - look at each file there; under the store's lock, with the pool open
 * @repair: remove what does not belong there
 * @found:  told of each finding
 */
int check_digests(struct store *store, bool repair,
		  void (*found)(void *ctx, bool mended, const char *text), void *ctx,
		  struct error *err);

#endif
