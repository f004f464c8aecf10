/* SPDX-License-Identifier: Apache-2.0 */
/*
 * affected - which images show a block of a layer
 *
 * Those that have the layer, unless a layer above it has that pool block of its own.
 */
#ifndef IMAGE_AFFECTED_H
#define IMAGE_AFFECTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct store;
struct affected_image;
struct affected_layer;

/* Filled at the first question. Starts as { 0 }. */
struct affected {
	struct affected_image *images;
	size_t nr_images;
	struct affected_layer *layers; /* those that were asked for, with their digests' runs */
	size_t nr_layers;
};

/* Chain ids, base first; NULL: of all layers, in no order. */
int affected_chains(struct store *store, const struct digest *image, struct strlist *ret,
		    struct error *err);

/* Names of the images, or the id of one without; appended to ret. */
int affected_images(struct affected *affected, struct store *store, const struct digest *layer,
		    uint64_t pool_block, struct strlist *ret, struct error *err);
void affected_done(struct affected *affected);

#endif
