/* SPDX-License-Identifier: Apache-2.0 */
#include "imagerows.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "format/human.h"

static const struct gotmpl_field image_fields[] = {
	{ "Containers", &gotmpl_string },
	{ "CreatedAt", &gotmpl_string },
	{ "CreatedSince", &gotmpl_string },
	{ "Digest", &gotmpl_string },
	{ "ID", &gotmpl_string },
	{ "Repository", &gotmpl_string },
	{ "SharedSize", &gotmpl_string },
	{ "Size", &gotmpl_string },
	{ "Tag", &gotmpl_string },
	{ "UniqueSize", &gotmpl_string },
	{ 0 },
};

const struct gotmpl_type image_row_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.imageContext",
	.fields = image_fields,
	.is_row = true,
};

const struct listing_header image_row_headers[] = {
	{ "Containers", "CONTAINERS" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedSince", "CREATED" },
	{ "Digest", "DIGEST" },
	{ "ID", "IMAGE ID" },
	{ "Repository", "REPOSITORY" },
	{ "SharedSize", "SHARED SIZE" },
	{ "Size", "SIZE" },
	{ "Tag", "TAG" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ 0 },
};

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

static void put(json_t *row, const char *field, const char *text)
{
	json_object_set_new_nocheck(row, field, json_string(text));
}

/* Without json_pack(), whose work for each field shows in a list of thousands. */
json_t *image_row_json(const struct image_row *row, const struct timespec *now, bool no_trunc)
{
	const struct image *image = row->image;
	struct timespec created = human_time_from_ns(image->created_ns);
	bool known = image->has_created;
	json_t *ret = json_object();

	put(ret, "Containers", "N/A");
	put(ret, "CreatedAt", known ? human_time_local(&created).text : "N/A");
	put(ret, "CreatedSince", known ? human_since(&created, now).text : "");
	put(ret, "Digest", row->digest);
	put(ret, "ID", no_trunc ? image->id.text : human_short_id(image->id.text).text);
	put(ret, "Repository", row->repository);
	put(ret, "SharedSize", "N/A");
	put(ret, "Size", human_size(image->size_bytes, HUMAN_LIST).text);
	put(ret, "Tag", row->tag);
	put(ret, "UniqueSize", "N/A");
	return ret;
}
