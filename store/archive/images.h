/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images - what an archive says it holds, in one form for all dialects
 */
#ifndef ARCHIVE_IMAGES_H
#define ARCHIVE_IMAGES_H

#include "archive/bundle.h"
#include "base/buf.h"
#include "base/digest.h"
#include "oci/platform.h"

/* One layer of an image in an archive. */
struct archive_layer {
	char *member;	    /* its name in the bundle */
	struct digest blob; /* what its bytes must have; unset when the archive does not say */
};

struct archive_image {
	struct buf config;	      /* the document, as it came */
	struct digest id;	      /* digest of config */
	struct buf manifest;	      /* OCI's or a registry's, as it came; empty: none */
	struct digest parent;	      /* recorded by Docker for local builds; often unset */
	struct strlist names;	      /* canonical "domain/path:tag" */
	struct archive_layer *layers; /* base first */
	size_t nr_layers;
};

struct archive_images {
	struct archive_image *items; /* in the order of the archive */
	size_t nr;
};

void archive_images_done(struct archive_images *images);
#define auto_archive_images __attribute__((cleanup(archive_images_done)))

/* A new entry at the end; the caller fills it. */
struct archive_image *archive_images_add(struct archive_images *images);
/* ERR_LIMIT when the documents together would take too much memory. */
int archive_images_check_size(const struct archive_images *images, struct error *err);
/* ERR_UNSUPPORTED when the images are not all ones that the platform runs. */
int archive_images_check_platform(const struct archive_images *images,
				  const struct platform *platform, struct error *err);
/* A new layer of an image; takes member. */
void archive_image_add_layer(struct archive_image *image, char *member, const struct digest *blob);

#endif
