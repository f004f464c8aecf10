/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imagerows - which lines are printed for an image, and what templates find in them
 *
 * One row per tag; an image with neither tag nor digest gets one "<none>" row.
 * Source: spec/cli.md, "images".
 */
#ifndef IMAGEROWS_H
#define IMAGEROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "image/image.h"
#include "listing.h"

#define NONE_TEXT "<none>"

/* Everything is borrowed from the image. */
struct image_row {
	const struct image *image;
	const char *repository; /* or NONE_TEXT, as the next two */
	const char *tag;
	const char *digest;
};

struct image_rows {
	struct image_row *items;
	size_t nr, cap;
};

/**
 * image_rows_add - append the rows of one image
 * @digests: one row for each tag and digest of the same repository; else a
 *           repository that has a tag shows no digests
 */
void image_rows_add(struct image_rows *rows, const struct image *image, bool digests);
void image_rows_done(struct image_rows *rows);
#define auto_image_rows __attribute__((cleanup(image_rows_done)))

/* The row as templates see it, and what stands above the columns. */
extern const struct gotmpl_type image_row_type;
extern const struct listing_header image_row_headers[];
#define IMAGE_ROW_CREATED "{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}"

/* Returns new. "N/A": the numbers that only `system df` knows. */
json_t *image_row_json(const struct image_row *row, const struct timespec *now, bool no_trunc);

#endif
