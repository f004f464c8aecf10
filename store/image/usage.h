/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - what images and layers take, in Docker's count and in the pool's
 */
#ifndef IMAGE_USAGE_H
#define IMAGE_USAGE_H

#include "image/image.h"

/* One layer as `veneer layers` shows it. */
struct layer_info {
	struct digest chain_id;
	struct digest parent; /* unset for a base layer */
	struct digest diff_id;
	uint32_t thin_id;
	char *created_by;      /* may be "" */
	int64_t created_ns;    /* when veneer stored it */
	int64_t tar_bytes;     /* length of the uncompressed tar */
	int64_t content_bytes; /* file bytes in its headers */
	int64_t own_bytes;     /* pool blocks that this layer has and its parent has not */
	int64_t nr_images;     /* images that contain it */
	int64_t freed_bytes;   /* what the pool gets back when the only image that has this
				  layer goes: own_bytes, or 0 when several images have it */
};

struct layer_list {
	struct layer_info *items; /* base first; all layers: parents before children */
	size_t nr;
	/* The rest of the pool's data blocks, so that the sum is the pool's own number. */
	int64_t template_bytes;
	int64_t view_bytes;	 /* writable mounts and attachments */
	int64_t volume_bytes;	 /* named volumes */
	int64_t work_bytes;	 /* layers in the making */
	int64_t container_bytes; /* containers, and what they begin with */
};

void layer_list_done(struct layer_list *list);
#define auto_layer_list __attribute__((cleanup(layer_list_done)))

/* image NULL: every layer of the store. Opens the pool: sizes are the pool's. */
int usage_layers(struct store *store, const struct image *image, struct layer_list *ret,
		 struct error *err);

/* One image's share, in Docker's count (content bytes). */
struct image_usage {
	int64_t size_bytes;
	int64_t shared_bytes; /* in layers that other images have too */
	int64_t unique_bytes;
	int64_t nr_containers; /* containers, mounts and attachments */
};

/* ret has room for list->nr entries, in the order of list. */
int usage_images(struct store *store, const struct image_list *list, struct image_usage *ret,
		 struct error *err);

/* Content bytes of all layers, each counted once. */
int usage_total(struct store *store, int64_t *ret_bytes, struct error *err);

#endif
