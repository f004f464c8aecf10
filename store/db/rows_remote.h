/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_remote - what registries are known to have of the images here
 *
 * The blob as which a repository has a layer, so that a push need not compress it anew or can
 * mount it from there; and the manifest that an image came with, so that it goes back as it was.
 * All of it is a hint: the registry is asked. Rows go with the last layer or the image.
 */
#ifndef DB_ROWS_REMOTE_H
#define DB_ROWS_REMOTE_H

#include "base/buf.h"
#include "base/digest.h"
#include "db/db.h"

struct remote_blob {
	struct digest diff_id;
	struct digest digest;
	int64_t size_bytes;
	char *media_type; /* of its descriptor; never NULL */
	char *repository; /* "docker.io/library/debian" */
};

void remote_blob_free_list(struct remote_blob *list, size_t nr);

/* One for each layer and repository; the last one counts. Inside the caller's transaction or not. */
int rows_remote_put(struct db *db, const struct remote_blob *blob, struct error *err);
/* Those of one layer, the latest first; *ret is new: remote_blob_free_list(). */
int rows_remote_list(struct db *db, const struct digest *diff_id, struct remote_blob **ret,
		     size_t *ret_nr, struct error *err);

/* @replace: else one that is there stays */
int rows_manifest_put(struct db *db, const struct digest *image, const struct buf *bytes,
		      bool replace, struct error *err);
/* Returns 1 and appends the exact bytes, 0 when none is known, -1. */
int rows_manifest_get(struct db *db, const struct digest *image, struct buf *ret,
		      struct error *err);

#endif
