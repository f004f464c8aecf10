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

/*
 * index.json, and from nested indexes the entry for the platform. Every document is verified. ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND.
 */
int oci_archive_read(struct bundle *bundle, const struct platform *platform,
		     struct archive_images *ret, struct error *err);

#endif
