/* SPDX-License-Identifier: Apache-2.0 */
#include "imagerows.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void add(struct image_rows *rows, const struct image *image, const char *repository,
		const char *tag, const char *digest)
{
	if (rows->nr == rows->cap) {
		rows->cap = rows->cap ? rows->cap * 2 : 64;
		rows->items = xrealloc(rows->items, rows->cap * sizeof(*rows->items));
	}
	rows->items[rows->nr++] = (struct image_row){ image, repository, tag, digest };
}

static bool has_tag_in(const struct image *image, const char *repository)
{
	for (size_t i = 0; i < image->nr_refs; i++)
		if (image->refs[i].tag && strcmp(image->refs[i].repository, repository) == 0)
			return true;
	return false;
}

/* A row for each digest reference of the repository; without any, one row. */
static void add_tag(struct image_rows *rows, const struct image *image, const struct image_ref *ref,
		    bool digests)
{
	bool any = false;

	for (size_t i = 0; digests && i < image->nr_refs; i++) {
		const struct image_ref *other = &image->refs[i];

		if (other->tag || strcmp(other->repository, ref->repository) != 0)
			continue;
		add(rows, image, ref->repository, ref->tag, other->digest);
		any = true;
	}
	if (!any)
		add(rows, image, ref->repository, ref->tag, NONE_TEXT);
}

static bool seen_before(const struct image *image, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!image->refs[i].tag &&
		    strcmp(image->refs[i].repository, image->refs[index].repository) == 0)
			return true;
	return false;
}

void image_rows_add(struct image_rows *rows, const struct image *image, bool digests)
{
	for (size_t i = 0; i < image->nr_refs; i++) {
		const struct image_ref *ref = &image->refs[i];

		if (ref->tag)
			add_tag(rows, image, ref, digests);
		else if (!has_tag_in(image, ref->repository) && (digests || !seen_before(image, i)))
			add(rows, image, ref->repository, NONE_TEXT,
			    digests ? ref->digest : NONE_TEXT);
	}
	if (image->nr_refs == 0)
		add(rows, image, NONE_TEXT, NONE_TEXT, NONE_TEXT);
}

void image_rows_done(struct image_rows *rows)
{
	free(rows->items);
	*rows = (struct image_rows){ 0 };
}
