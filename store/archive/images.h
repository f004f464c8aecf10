/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images - what an archive says it holds, in one form for all dialects
 */
#ifndef ARCHIVE_IMAGES_H
#define ARCHIVE_IMAGES_H

#include "archive/bundle.h"
#include "base/buf.h"
#include "base/digest.h"

/* One layer of an image in an archive. */
struct archive_layer {
	char *member;	    /* its name in the bundle */
	struct digest blob; /* what its bytes must have; unset when the archive does not say */
};

struct archive_image {
	struct buf config;	      /* the document, as it came */
	struct digest id;	      /* digest of config */
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

/**
 * archive_images_read - read the documents of an archive
 * @platform: chooses from an index; NULL: the host's
 *
 * manifest.json wins over index.json. ERR_CORRUPT with the specification's
 * texts ("invalid archive: does not contain a manifest.json", …).
 */
int archive_images_read(struct bundle *bundle, const char *platform, struct archive_images *ret,
			struct error *err);

/* The two dialects; used by archive_images_read(). */
int docker_archive_read(struct bundle *bundle, struct archive_images *ret, struct error *err);
int oci_archive_read(struct bundle *bundle, const char *platform, struct archive_images *ret,
		     struct error *err);

/* A new entry at the end; the caller fills it. */
struct archive_image *archive_images_add(struct archive_images *images);
/* A new layer of an image; takes member. */
void archive_image_add_layer(struct archive_image *image, char *member, const struct digest *blob);

#endif
