/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonfield.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Bounds what the parser would build, before it builds anything. */
static int check_shape(const char *text, size_t len, struct error *err)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		if (c == '{' || c == '[' || c == ',')
			values++;
		if (depth > JSONFIELD_DEPTH_MAX)
			return err_set(err, ERR_LIMIT, "JSON is nested deeper than %d levels",
				       JSONFIELD_DEPTH_MAX);
		if (values > JSONFIELD_VALUES_MAX)
			return err_set(err, ERR_LIMIT, "JSON has more than %d values",
				       JSONFIELD_VALUES_MAX);
	}
	return 0;
}

int jsonfield_load(const void *data, size_t len, size_t max, json_t **ret, struct error *err)
{
	json_error_t why;
	json_t *json;

	if (len > max)
		return err_set(err, ERR_LIMIT, "JSON of %zu bytes is larger than %zu", len, max);
	if (!len)
		return err_set(err, ERR_CORRUPT, "invalid JSON: empty");
	if (check_shape(data, len, err) < 0)
		return -1;
	json = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!json)
		return err_set(err, ERR_CORRUPT, "invalid JSON: line %d, column %d: %s", why.line,
			       why.column, why.text);
	*ret = json;
	return 0;
}

static int set_int(const struct jsonfield *field, const json_t *value, int64_t *ret,
		   struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value))
		return err_set(err, ERR_CORRUPT, "must be an integer");
	if (number < field->min)
		return err_set(err, ERR_CORRUPT, "must be at least %" JSON_INTEGER_FORMAT,
			       (json_int_t)field->min);
	if (field->max && number > field->max)
		return err_set(err, ERR_CORRUPT, "must be at most %" JSON_INTEGER_FORMAT,
			       (json_int_t)field->max);
	*ret = number;
	return 0;
}

static int set_strlist(const json_t *value, struct strlist *ret, struct error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return err_set(err, ERR_CORRUPT, "must be a list of strings");
	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item) && !json_is_null(item))
			return err_set(err, ERR_CORRUPT, "[%zu] must be a string", i);
		strlist_add(ret, json_is_null(item) ? "" : json_string_value(item));
	}
	return 0;
}

static int set_strmap(json_t *value, json_t **ret, struct error *err)
{
	const char *key;
	json_t *item;

	if (!json_is_object(value))
		return err_set(err, ERR_CORRUPT, "must be an object of strings");
	json_object_foreach(value, key,
			    item) if (!json_is_string(item) &&
				      !json_is_null(item)) return err_set(err, ERR_CORRUPT,
									  "\"%s\" must be a string",
									  key);
	*ret = json_incref(value);
	return 0;
}

/* value is not null. On failure the field may be half filled. */
static int set_field(const struct jsonfield *field, json_t *value, void *at, struct error *err)
{
	switch (field->kind) {
	case JSONFIELD_STRING:
		if (!json_is_string(value))
			return err_set(err, ERR_CORRUPT, "must be a string");
		*(char **)at = xstrdup(json_string_value(value));
		return 0;
	case JSONFIELD_INT64:
		return set_int(field, value, at, err);
	case JSONFIELD_BOOL:
		if (!json_is_boolean(value))
			return err_set(err, ERR_CORRUPT, "must be true or false");
		*(bool *)at = json_is_true(value);
		return 0;
	case JSONFIELD_DIGEST:
		if (!json_is_string(value))
			return err_set(err, ERR_CORRUPT, "must be a digest");
		if (!*json_string_value(value) && !field->required)
			return 0;
		return digest_parse(json_string_value(value), at, err);
	case JSONFIELD_STRLIST:
		return set_strlist(value, at, err);
	case JSONFIELD_STRMAP:
		return set_strmap(value, at, err);
	case JSONFIELD_OBJECT:
		if (!json_is_object(value))
			return err_set(err, ERR_CORRUPT, "must be an object");
		*(json_t **)at = json_incref(value);
		return 0;
	case JSONFIELD_ARRAY:
		if (!json_is_array(value))
			return err_set(err, ERR_CORRUPT, "must be a list");
		*(json_t **)at = json_incref(value);
		return 0;
	}
	return 0;
}

static size_t field_size(enum jsonfield_kind kind)
{
	switch (kind) {
	case JSONFIELD_STRING:
		return sizeof(char *);
	case JSONFIELD_INT64:
		return sizeof(int64_t);
	case JSONFIELD_BOOL:
		return sizeof(bool);
	case JSONFIELD_DIGEST:
		return sizeof(struct digest);
	case JSONFIELD_STRLIST:
		return sizeof(struct strlist);
	case JSONFIELD_STRMAP:
	case JSONFIELD_OBJECT:
	case JSONFIELD_ARRAY:
		return sizeof(json_t *);
	}
	return 0;
}

static const struct jsonfield *find_field(const struct jsonfield fields[], const char *key)
{
	for (; fields->key; fields++)
		if (strcmp(fields->key, key) == 0)
			return fields;
	return NULL;
}

static int refuse_unknown(const json_t *object, const struct jsonfield fields[], struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(
		(json_t *)(uintptr_t)object, key,
		value) if (!find_field(fields, key)) return err_set(err, ERR_CORRUPT,
								    "unknown key \"%s\"", key);
	return 0;
}

static int decode_all(const json_t *object, const struct jsonfield fields[], void *ret,
		      struct error *err)
{
	for (const struct jsonfield *field = fields; field->key; field++) {
		json_t *value = json_object_get(object, field->key);

		if (value && !json_is_null(value)) {
			if (set_field(field, value, (char *)ret + field->offset, err) < 0)
				return err_add(err, "key \"%s\"", field->key);
		} else if (field->required) {
			return err_set(err, ERR_CORRUPT, "key \"%s\" is missing", field->key);
		}
	}
	return 0;
}

int jsonfield_decode(const json_t *object, const struct jsonfield fields[],
		     enum jsonfield_mode mode, void *ret, struct error *err)
{
	for (const struct jsonfield *field = fields; field->key; field++)
		memset((char *)ret + field->offset, 0, field_size(field->kind));
	if (!json_is_object(object))
		return err_set(err, ERR_CORRUPT, "must be an object");
	if (mode == JSONFIELD_STRICT && refuse_unknown(object, fields, err) < 0)
		return -1;
	if (decode_all(object, fields, ret, err) < 0) {
		jsonfield_done(fields, ret);
		return -1;
	}
	return 0;
}

void jsonfield_done(const struct jsonfield fields[], void *record)
{
	for (; fields->key; fields++) {
		void *at = (char *)record + fields->offset;

		switch (fields->kind) {
		case JSONFIELD_STRING:
			free(*(char **)at);
			break;
		case JSONFIELD_STRLIST:
			strlist_done(at);
			break;
		case JSONFIELD_STRMAP:
		case JSONFIELD_OBJECT:
		case JSONFIELD_ARRAY:
			json_decref(*(json_t **)at);
			break;
		case JSONFIELD_INT64:
		case JSONFIELD_BOOL:
		case JSONFIELD_DIGEST:
			break;
		}
		memset(at, 0, field_size(fields->kind));
	}
}

json_t *jsonfield_text(const char *text)
{
	const char *end = text + strlen(text);
	auto_buf struct buf clean = { 0 };
	json_t *ret = json_string(text);

	if (ret)
		return ret;
	while (text < end)
		utf8_put(&clean, utf8_next(&text, end, NULL));
	return json_stringn(clean.data, clean.len);
}

static int append_text(const char *text, size_t len, void *ctx)
{
	buf_append(ctx, text, len);
	return 0;
}

void jsonfield_write(const json_t *json, struct buf *ret)
{
	/* Only a cycle or exhausted memory makes it fail. */
	if (json_dump_callback(json, append_text, ret,
			       JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) < 0)
		abort();
}
