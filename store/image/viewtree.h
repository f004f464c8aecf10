/* SPDX-License-Identifier: Apache-2.0 */
/*
 * viewtree - the hash tree for a verified view of an image: verity/tree-ID, by thin id
 *
 * Made in tmp/ before the store's lock is taken, since its size is that of the volume by 127,
 * and named under the lock after the view's row. Not synced: no view survives a power cut.
 */
#ifndef IMAGE_VIEWTREE_H
#define IMAGE_VIEWTREE_H

#include "db/recover.h"
#include "image/image.h"

struct viewtree {
	struct store *store;
	char *temporary; /* below the root; NULL: there is none, or it has its name */
	unsigned char root[DIGEST_RAW_LEN];
};

/**
 * viewtree_make - compose it from the digests of the image's layers
 *
 * ERR_NOT_FOUND when a layer has none, ERR_CORRUPT when these are damaged or do not belong
 * together, ERR_UNSUPPORTED for an image without layers.
 */
int viewtree_make(struct store *store, const struct image *image, struct viewtree *ret,
		  struct error *err);
/* Under the lock. One that is in use stays. *ret_path is new. */
int viewtree_place(struct viewtree *tree, uint32_t thin_id, char **ret_path, struct error *err);
void viewtree_done(struct viewtree *tree);
#define auto_viewtree __attribute__((cleanup(viewtree_done)))

#endif
