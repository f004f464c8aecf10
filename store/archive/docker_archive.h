/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_archive - what `docker save` and its many imitators write
 *
 * Source: spec/registry-and-archive.md section 7
 */
#ifndef ARCHIVE_DOCKER_ARCHIVE_H
#define ARCHIVE_DOCKER_ARCHIVE_H

#include "archive/bundle.h"
#include "archive/images.h"
#include "archive/saved.h"

/* manifest.json and the configs it names. ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND. */
int docker_archive_read(struct bundle *bundle, struct archive_images *ret, struct error *err);

/*
 * Appends manifest.json. A parent is only told to be one when it is among the images and its
 * history is the child's without the last entry: `docker load` refuses anything else.
 */
void docker_archive_write_manifest(const struct saved_image *images, size_t nr, struct buf *ret);

/* Appends the file "repositories"; nothing when no image with layers has a name. */
void docker_archive_write_repositories(const struct saved_image *images, size_t nr,
				       struct buf *ret);

#endif
