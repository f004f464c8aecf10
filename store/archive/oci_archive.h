/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_archive - an OCI image layout, as a folder or in a tar
 *
 * Source: OCI image-spec image-layout.md; spec/registry-and-archive.md section 7
 */
#ifndef ARCHIVE_OCI_ARCHIVE_H
#define ARCHIVE_OCI_ARCHIVE_H

#include "archive/bundle.h"
#include "archive/images.h"
#include "archive/saved.h"

/* The file "oci-layout", as the specification has it. */
#define OCI_ARCHIVE_LAYOUT "{\"imageLayoutVersion\": \"1.0.0\"}"

/*
 * index.json, and from nested indexes the entry for the platform. Every document is verified. ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND.
 */
int oci_archive_read(struct bundle *bundle, const struct platform *platform,
		     struct archive_images *ret, struct error *err);

/* Fills the manifest of an image, and its digest. */
void oci_archive_write_manifest(struct saved_image *image);

/* Appends index.json: an entry for each name, and one for an image without. */
void oci_archive_write_index(const struct saved_image *images, size_t nr, struct buf *ret);

#endif
