/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep - a pulled image enters the catalogue, or turns out to be there
 *
 * Crash safety: as in archive/load.c. Config, image and names become visible in one
 * transaction; before it only whole layers are there, pinned by this session.
 */
#ifndef REGISTRY_KEEP_H
#define REGISTRY_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "db/rows_remote.h"
#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/reference.h"

struct store;

/* Everything borrowed. */
struct keep_args {
	const struct reference *ref;	   /* as asked for: with a tag or a digest */
	const struct digest *digest;	   /* of what the registry has under that name */
	const struct digest *id;	   /* of the image */
	const struct image_config *config; /* NULL for an image that is there */
	const struct buf *config_bytes;
	const struct digest *chain_ids;
	int64_t size_bytes; /* content of all layers */
	/* Of that image, and as it came: for a push. */
	const struct manifest *manifest;
	const struct buf *manifest_bytes;
	const struct digest *diff_ids;
};

/* Returns 1 when the store has the image, 0, or -1. */
int keep_has_image(struct store *store, const struct digest *id, struct error *err);

/**
 * keep_image - the image, its name and the digest under which it was found
 * @ret_news: the name meant something else, or nothing, before
 */
int keep_image(struct store *store, const struct keep_args *args, bool *ret_news,
	       struct error *err);

/* Everything borrowed. */
struct keep_pushed {
	const struct reference *ref; /* the repository */
	const struct digest *id;     /* of the image */
	const struct digest *digest; /* of its manifest there */
	const struct buf *manifest_bytes;
	const struct remote_blob *blobs; /* that the repository has now */
	size_t nr_blobs;
};

/* An image was pushed: it has the digest, too. One that is gone meanwhile is fine. */
int keep_pushed(struct store *store, const struct keep_pushed *pushed, struct error *err);

/*
 * What is finished of an image that cannot be, up to this layer, stays in the build cache, so
 * that the next pull has it and a prune can remove it. A failure of this is nobody's concern.
 */
void keep_finished(struct store *store, const struct reference *ref, const struct digest *chain_id);

#endif
