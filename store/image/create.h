/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create - an image that we made enters the catalogue
 */
#ifndef IMAGE_CREATE_H
#define IMAGE_CREATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

struct image_config; /* oci/config.h */
struct reference;    /* oci/reference.h */
struct store;

/* Everything borrowed. */
struct image_create {
	const struct image_config *config; /* written by image_config_write() */
	struct digest parent;		   /* recorded local parent, or unset */
	int64_t size_bytes;		   /* content bytes of all layers */
	const struct reference *refs;	   /* with tags; they are moved from whatever they meant */
	size_t nr_refs;
};

/**
 * image_create - write the document and the rows, all or nothing
 * @ret: the id
 *
 * The layers are in the store, or it fails with ERR_NOT_FOUND. An image that is there
 * already stays as it is and gets the names; where it has them, nothing is written
 * and no device is touched.
 */
int image_create(struct store *store, const struct image_create *args, struct digest *ret,
		 struct error *err);

/* Lets the names mean an image that is there. */
int image_set_names(struct store *store, const struct digest *image, const struct reference *refs,
		    size_t nr_refs, struct error *err);

#endif
