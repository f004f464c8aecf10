/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cachefrom - the steps of images that were built elsewhere: what --cache-from finds layers by
 *
 * An image that veneer built carries the key of each step in its history (oci/config.h).
 * Keys are of contents only (build/cache.h), so those of another machine are the same.
 * An entry counts only above exactly the layers that the step begins with: a false
 * one can do no more than give the layer of an image that the user named.
 *
 * Images of other builders have no keys. What their history says of a step, created_by,
 * is not enough: it tells neither what BuildKit mounted for a RUN nor what a COPY took
 * but by a hash of the classic builder's own; and that builder makes no layer for a
 * WORKDIR that was there, where we make one, so that hardly a chain goes beyond FROM
 * and the RUNs right behind it. So such an image is no cache, and the user is told.
 *
 * Pure.
 */
#ifndef BUILD_CACHEFROM_H
#define BUILD_CACHEFROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "oci/config.h"
#include "oci/platform.h"

struct cachefrom_step {
	struct digest key;
	struct digest parent; /* ChainID below; unset: none */
	struct digest chain;  /* of the layer it made */
	bool has_created;
	int64_t created_ns;
};

struct cachefrom_image {
	struct platform platform;
	struct cachefrom_step *steps;
	size_t nr;
};

/* Starts as { 0 }. */
struct cachefrom {
	struct cachefrom_image *images; /* in the order of the command line */
	size_t nr;
};

void cachefrom_done(struct cachefrom *from);
#define auto_cachefrom __attribute__((cleanup(cachefrom_done)))

/* Takes the steps of an image that have a key; returns how many. */
size_t cachefrom_add(struct cachefrom *from, const struct image_config *config);

/* A step with this key on top of parent; NULL when there is none. Borrowed. */
const struct cachefrom_step *cachefrom_find(const struct cachefrom *from, const struct digest *key,
					    const struct digest *parent,
					    const struct platform *platform);

#endif
