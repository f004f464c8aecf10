/* SPDX-License-Identifier: Apache-2.0 */
#include "db/volume_note.h"

#include <jansson.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "base/log.h"
#include "devlink.h"
#include "limits.h"
#include "volume.h"

#define SUFFIX ".json"

/* The same as a row, with the types of a document. */
struct note {
	char *name;
	int64_t thin_id;
	int64_t size_bytes;
	struct digest image;
	char *image_name;
	char *origin;
	bool raw;
	bool read_only;
};

#define FIELD(name_, kind_, ...)                                                                  \
	{                                                                                         \
		.key = #name_, .kind = JSONFIELD_##kind_, .offset = offsetof(struct note, name_), \
		__VA_ARGS__                                                                       \
	}

static const struct jsonfield fields[] = {
	FIELD(name, STRING, .required = true),
	FIELD(thin_id, INT64, .required = true, .min = 1, .max = VOLUME_ID_MAX),
	FIELD(size_bytes, INT64, .required = true, .min = 1),
	FIELD(image, DIGEST, .required = false),
	FIELD(image_name, STRING, .required = false),
	FIELD(origin, STRING, .required = false),
	FIELD(raw, BOOL, .required = false),
	FIELD(read_only, BOOL, .required = false),
	{ 0 },
};

static char *path_of(const char *name)
{
	return xasprintf("disks/%s" SUFFIX, name);
}

int note_write(const struct root *root, const struct volume_row *row, struct error *err)
{
	auto_free char *path = path_of(row->name);
	auto_buf struct buf text = { 0 };
	json_auto_t *note =
		json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:b, s:b}", "name", row->name, "thin_id",
			  (json_int_t)row->thin_id, "size_bytes", (json_int_t)row->size_bytes,
			  "image", row->image.text, "image_name", row->image_name, "origin",
			  row->origin, "raw", (int)row->raw, "read_only", (int)row->read_only);

	jsonfield_write(note, &text);
	if (io_replace_file(root->fd, path, text.data, text.len, 0600, err) < 0)
		return err_add(err, "note of volume %s", row->name);
	return 0;
}

void note_remove(const struct root *root, const char *name)
{
	auto_free char *path = path_of(name);

	unlinkat(root->fd, path, 0);
}

static int read_note(const struct root *root, const char *file, struct volume_row *ret,
		     struct error *err)
{
	auto_free char *path = xasprintf("disks/%s", file);
	auto_buf struct buf text = { 0 };
	json_auto_t *json = NULL;
	struct note note;

	if (io_read_file(root->fd, path, LIMIT_JSON_BYTES, &text, err) < 0 ||
	    jsonfield_load(text.data, text.len, LIMIT_JSON_BYTES, &json, err) < 0 ||
	    jsonfield_decode(json, fields, JSONFIELD_STRICT, &note, err) < 0)
		return -1;
	if (devlink_check_name(note.name, err) < 0) {
		jsonfield_done(fields, &note);
		return -1;
	}
	*ret = (struct volume_row){
		.name = note.name,
		.thin_id = (uint32_t)note.thin_id,
		.size_bytes = (uint64_t)note.size_bytes,
		.image = note.image,
		.image_name = note.image_name ?: xstrdup(""),
		.origin = note.origin ?: xstrdup(""),
		.raw = note.raw,
		.read_only = note.read_only,
		.target = xstrdup(""),
	};
	return 0;
}

void note_list(const struct root *root, struct volume_rows *ret)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(root->fd, "disks", &names);
	for (size_t i = 0; i < names.nr; i++) {
		size_t len = strlen(names.items[i]), end = strlen(SUFFIX);
		struct volume_row row;
		struct error why;

		if (len <= end || strcmp(names.items[i] + len - end, SUFFIX) != 0)
			continue;
		if (read_note(root, names.items[i], &row, &why) < 0) {
			log_warn("disks/%s: %s", names.items[i], why.text);
			continue;
		}
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		ret->items[ret->nr++] = row;
	}
}
