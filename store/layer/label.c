/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/label.h"

#include <endian.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/isal.h"

#define MAGIC	  "veneer-layer 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define TEXT_MAX  (VOLUME_LABEL_BYTES - MAGIC_LEN - sizeof(uint32_t))

static uint32_t sum(const char label[VOLUME_LABEL_BYTES])
{
	return isal_crc32c(UINT32_MAX, label, VOLUME_LABEL_BYTES - sizeof(uint32_t));
}

static json_t *text_or_null(const char *text, size_t max)
{
	size_t len = strnlen(text, max);
	json_t *value = NULL;

	/* A cut in the middle of a character is not UTF-8: step back to its start. */
	for (size_t cut = 0; len && !value && cut < 4 && cut <= len; cut++)
		value = json_stringn(text, len - cut);
	return value ? value : json_null();
}

/* A JSON text of at most TEXT_MAX bytes. Returns new. */
static char *encode_text(const struct layer_row *row)
{
	for (size_t max = 400;; max /= 2) {
		json_t *object = json_pack(
			"{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "id",
			(json_int_t)row->thin_id, "chain", /* */
			text_or_null(row->chain_id.text, DIGEST_TEXT_LEN), "parent",
			text_or_null(row->parent.text, DIGEST_TEXT_LEN), "diff",
			text_or_null(row->diff_id.text, DIGEST_TEXT_LEN), "blob",
			text_or_null(row->blob.text, DIGEST_TEXT_LEN), "tar",
			(json_int_t)row->tar_bytes, "content", (json_int_t)row->content_bytes,
			"created", (json_int_t)row->created_ns, "by",
			text_or_null(row->created_by, max));
		char *text = json_dumps(object, JSON_COMPACT);

		json_decref(object);
		if (!text)
			abort();
		if (strlen(text) < TEXT_MAX)
			return text;
		free(text);
	}
}

void label_encode(const struct layer_row *row, char ret[VOLUME_LABEL_BYTES])
{
	auto_free char *text = encode_text(row);
	uint32_t crc;

	memset(ret, 0, VOLUME_LABEL_BYTES);
	memcpy(ret, MAGIC, MAGIC_LEN);
	memcpy(ret + MAGIC_LEN, text, strlen(text));
	crc = htole32(sum(ret));
	memcpy(ret + VOLUME_LABEL_BYTES - sizeof(crc), &crc, sizeof(crc));
}

static int get_digest(const char *text, struct digest *ret, struct error *err)
{
	*ret = (struct digest){ 0 };
	return text ? digest_parse(text, ret, err) : 0;
}

static int fill(json_t *object, struct layer_row *ret, struct error *err)
{
	const char *chain = NULL, *parent = NULL, *diff = NULL, *blob = NULL, *by = NULL;
	json_int_t id, tar, content, created;
	json_error_t why;
	struct layer_row row = { .own_bytes = ROW_SIZE_UNKNOWN };

	if (json_unpack_ex(object, &why, 0, "{s:I, s:s, s?s, s:s, s?s, s:I, s:I, s:I, s?s}", "id",
			   &id, "chain", &chain, "parent", &parent, "diff", &diff, "blob", &blob,
			   "tar", &tar, "content", &content, "created", &created, "by", &by) < 0)
		return err_set(err, ERR_CORRUPT, "layer label: %s", why.text);
	if (get_digest(chain, &row.chain_id, err) < 0 || get_digest(parent, &row.parent, err) < 0 ||
	    get_digest(diff, &row.diff_id, err) < 0 || get_digest(blob, &row.blob, err) < 0)
		return err_add(err, "layer label");
	if (id < 1 || id > VOLUME_ID_MAX || tar < 0 || content < 0)
		return err_set(err, ERR_CORRUPT, "layer label: number out of range");
	row.thin_id = (uint32_t)id;
	row.tar_bytes = tar;
	row.content_bytes = content;
	row.created_ns = created;
	row.created_by = xstrdup(by ? by : "");
	*ret = row;
	return 1;
}

/* A null member counts as absent. */
static void drop_nulls(json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
	{
		if (json_is_null(value))
			json_object_del(object, key);
	}
}

int label_decode(const char label[VOLUME_LABEL_BYTES], struct layer_row *ret, struct error *err)
{
	const char *text = label + MAGIC_LEN;
	json_t *object;
	json_error_t why;
	uint32_t crc;
	int got;

	if (memcmp(label, MAGIC, MAGIC_LEN) != 0)
		return 0;
	memcpy(&crc, label + VOLUME_LABEL_BYTES - sizeof(crc), sizeof(crc));
	if (le32toh(crc) != sum(label))
		return err_set(err, ERR_CORRUPT, "layer label: checksum does not match");
	object = json_loadb(text, strnlen(text, TEXT_MAX), JSON_REJECT_DUPLICATES, &why);
	if (!object)
		return err_set(err, ERR_CORRUPT, "layer label: %s", why.text);
	drop_nulls(object);
	got = fill(object, ret, err);
	json_decref(object);
	return got;
}
