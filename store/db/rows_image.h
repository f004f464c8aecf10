/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_image - the catalogue's images and their names, written
 */
#ifndef DB_ROWS_IMAGE_H
#define DB_ROWS_IMAGE_H

#include "base/digest.h"
#include "db/db.h"

/* Everything borrowed. */
struct image_row {
	struct digest id;
	struct digest parent; /* recorded local parent, or unset */
	bool has_created;
	int64_t created_ns;
	int64_t size_bytes; /* content bytes of all layers */
	const char *architecture;
	const char *os;
	const struct digest *chain_ids; /* base first; all of them live layers */
	size_t nr_layers;
};

/* Inside the caller's transaction. An image that is there already stays as it is. */
int rows_image_put(struct db *db, const struct image_row *row, struct error *err);

/* Uses are written down so far apart: a command that is called often need not wait for the disk. */
#define ROWS_IMAGE_USE_NS (3600 * INT64_C(1000000000))

/**
 * rows_image_used - the image is in use now, in the caller's transaction or alone
 * @known_ns: its used_ns as it was read
 */
int rows_image_used(struct db *db, const struct digest *id, int64_t known_ns, struct error *err);

/* A registry has sent the image, or would have if it had not been here; in the caller's transaction. */
int rows_image_pulled(struct db *db, const struct digest *id, struct error *err);

/* One name, canonical and in parts; exactly one of tag and digest is given. */
struct reference_row {
	const char *name;	/* "docker.io/library/debian:12" */
	const char *repository; /* familiar: "debian" */
	const char *tag;
	const char *digest;
};

/**
 * rows_reference_set - let a name mean an image, inside the caller's transaction
 * @ret_moved_from: the other image that had the name; unset when there was none
 */
int rows_reference_set(struct db *db, const struct reference_row *row, const struct digest *image,
		       struct digest *ret_moved_from, struct error *err);

#endif
