/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect - the documents of an archive, in whichever of the two ways it is written
 */
#ifndef ARCHIVE_DIALECT_H
#define ARCHIVE_DIALECT_H

#include "archive/bundle.h"
#include "archive/images.h"

/**
 * dialect_read - read the documents of an archive
 * @platform_name: what every image must run on, and the choice from an index; NULL or "":
 *                 any, and from an index the host's
 *
 * manifest.json wins over index.json. ERR_CORRUPT with the specification's
 * texts ("invalid archive: does not contain a manifest.json", …).
 */
int dialect_read(struct bundle *bundle, const char *platform_name, struct archive_images *ret,
		 struct error *err);

#endif
