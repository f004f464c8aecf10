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

/* manifest.json and the configs it names. ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND. */
int docker_archive_read(struct bundle *bundle, struct archive_images *ret, struct error *err);

#endif
