/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_print.h"
#include "format/utf8.h"

static void put_string(struct buf *out, const char *text, size_t len, bool escape_html)
{
	static const char escapes[] = "\bb\ff\nn\rr\tt";
	const char *end = text + len;

	buf_putc(out, '"');
	while (text < end) {
		const char *start = text;
		bool valid;
		uint32_t rune = utf8_next(&text, end, &valid);
		const char *escape = rune && rune < 0x20 ? strchr(escapes, (int)rune) : NULL;

		if (!valid)
			buf_puts(out, "\\ufffd");
		else if (rune == '"' || rune == '\\')
			buf_printf(out, "\\%c", (char)rune);
		else if (escape)
			buf_printf(out, "\\%c", escape[1]);
		else if (rune < 0x20 || rune == 0x2028 || rune == 0x2029 ||
			 (escape_html && (rune == '<' || rune == '>' || rune == '&')))
			buf_printf(out, "\\u%04x", rune);
		else
			buf_append(out, start, (size_t)(text - start));
	}
	buf_putc(out, '"');
}

/* As JavaScript prints numbers: an exponent only when very small or very large */
static void put_float(struct buf *out, double number)
{
	double size = fabs(number);
	size_t start = out->len;

	if (isnan(number) || isinf(number)) {
		buf_puts(out, "null"); /* cannot come from JSON; Go would fail */
		return;
	}
	if (size == 0 || (size >= 1e-6 && size < 1e21)) {
		goprint_float_plain(out, number);
		return;
	}
	goprint_float(out, number);
	/* e-09 becomes e-9 */
	if (out->len - start >= 4 && memcmp(out->data + out->len - 4, "e-0", 3) == 0) {
		out->data[out->len - 2] = out->data[out->len - 1];
		out->data[--out->len] = '\0';
	}
}

static void put_list(struct buf *out, const struct govalue *list, bool escape_html)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < govalue_len(list); i++) {
		auto_govalue struct govalue item = govalue_item(list, i);

		if (i)
			buf_putc(out, ',');
		goprint_json(out, &item, escape_html);
	}
	buf_putc(out, ']');
}

static void put_map(struct buf *out, const struct govalue *map, bool escape_html)
{
	size_t nr;
	auto_free const char **keys = govalue_sorted_keys(map->json, &nr);

	buf_putc(out, '{');
	for (size_t i = 0; i < nr; i++) {
		auto_govalue struct govalue entry = govalue_entry(map, keys[i]);

		if (i)
			buf_putc(out, ',');
		put_string(out, keys[i], strlen(keys[i]), escape_html);
		buf_putc(out, ':');
		goprint_json(out, &entry, escape_html);
	}
	buf_putc(out, '}');
}

static int compare_fields(const void *a, const void *b)
{
	return strcmp(((const struct gotmpl_field *)a)->name,
		      ((const struct gotmpl_field *)b)->name);
}

/* All described fields, sorted, escaped: Docker marshals its rows this way. */
static void put_row(struct buf *out, const struct govalue *row)
{
	auto_free struct gotmpl_field *fields = NULL;
	size_t nr = 0;

	while (row->type->fields && row->type->fields[nr].name)
		nr++;
	fields = xcalloc(nr, sizeof(*fields));
	if (nr)
		memcpy(fields, row->type->fields, nr * sizeof(*fields));
	qsort(fields, nr, sizeof(*fields), compare_fields);
	buf_putc(out, '{');
	for (size_t i = 0; i < nr; i++) {
		auto_govalue struct govalue field = govalue_field(row, &fields[i]);

		if (i)
			buf_putc(out, ',');
		put_string(out, fields[i].name, strlen(fields[i].name), true);
		buf_putc(out, ':');
		goprint_json(out, &field, true);
	}
	buf_putc(out, '}');
}

static const struct gotmpl_field *field_of_key(const struct govalue *object, const char *key)
{
	const struct gotmpl_field *field = object->type->fields;

	for (; field && field->name; field++)
		if (strcmp(field->key ? field->key : field->name, key) == 0)
			return field;
	return NULL;
}

/* In the order of the JSON object: whoever made it knows which fields are omitted. */
static void put_struct(struct buf *out, const struct govalue *object, bool escape_html)
{
	bool first = true;
	const char *key;
	json_t *json;

	buf_putc(out, '{');
	json_object_foreach(object->json, key, json)
	{
		const struct gotmpl_field *field = field_of_key(object, key);
		const struct govalue value = { .json = json, .type = field ? field->type : NULL };

		if (!first)
			buf_putc(out, ',');
		first = false;
		put_string(out, key, strlen(key), escape_html);
		buf_putc(out, ':');
		goprint_json(out, &value, escape_html);
	}
	buf_putc(out, '}');
}

void goprint_json(struct buf *out, const struct govalue *value, bool escape_html)
{
	switch (json_is_null(value->json) ? GO_NIL : govalue_kind(value)) {
	case GO_NONE:
	case GO_NIL:
	case GO_POINTER:
		buf_puts(out, "null");
		break;
	case GO_BOOL:
		buf_puts(out, json_is_true(value->json) ? "true" : "false");
		break;
	case GO_INT:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value->json));
		break;
	case GO_FLOAT:
		put_float(out, json_real_value(value->json));
		break;
	case GO_STRING:
		put_string(out, json_string_value(value->json), json_string_length(value->json),
			   escape_html);
		break;
	case GO_LIST:
		put_list(out, value, escape_html);
		break;
	case GO_MAP:
		put_map(out, value, escape_html);
		break;
	case GO_STRUCT:
		if (value->type->is_row)
			put_row(out, value);
		else
			put_struct(out, value, escape_html);
		break;
	}
}

static void start_line(struct buf *out, unsigned blanks)
{
	buf_putc(out, '\n');
	while (blanks-- > 0)
		buf_putc(out, ' ');
}

/* The end of the string that starts at at, behind its closing quote */
static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++)
		at += *at == '\\';
	return at + 1;
}

void goprint_json_lines(struct buf *out, const struct govalue *value, unsigned blanks_per_level)
{
	auto_buf struct buf compact = { 0 };
	unsigned level = 0;

	goprint_json(&compact, value, false);
	for (const char *at = compact.data; *at; at++) {
		bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';

		if (*at == '"') {
			const char *end = skip_string(at);

			buf_append(out, at, (size_t)(end - at));
			at = end - 1;
			continue;
		}
		if (closes && at[-1] != '{' && at[-1] != '[')
			start_line(out, blanks_per_level * (level - 1));
		level -= closes;
		buf_putc(out, *at);
		level += opens;
		if (*at == ':')
			buf_putc(out, ' ');
		if (*at == ',' || (opens && at[1] != '}' && at[1] != ']'))
			start_line(out, blanks_per_level * level);
	}
}
