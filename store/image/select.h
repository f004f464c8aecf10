/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select - which images, and by which of their names, an operand of `save` means
 *
 * A bare repository name means all its tags, a name with a tag that one, an id, a
 * prefix of one or a digest the image without any name.
 * Source: spec/registry-and-archive.md section 7
 */
#ifndef IMAGE_SELECT_H
#define IMAGE_SELECT_H

#include "image/image.h"

/* @name: canonical "domain/path:tag", or NULL. Both borrowed. */
typedef void image_select_fn(void *ctx, const struct image *image, const char *name);

/* Calls take once or more, tags in their order; errors as image_find(). */
int image_select(struct store *store, const char *operand, image_select_fn *take, void *ctx,
		 struct error *err);

#endif
