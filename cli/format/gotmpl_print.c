/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/utf8.h"

/* Close to Go's unicode.IsPrint: no controls, no blank but ' ', nothing private. */
bool goprint_is_printable(uint32_t rune)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = { { 0, 0x1f },	     { 0x7f, 0xa0 },	 { 0xad, 0xad },
		       { 0x61c, 0x61c },     { 0x1680, 0x1680 }, { 0x180e, 0x180e },
		       { 0x2000, 0x200f },   { 0x2028, 0x202f }, { 0x205f, 0x206f },
		       { 0x3000, 0x3000 },   { 0xd800, 0xf8ff }, { 0xfeff, 0xfeff },
		       { 0xfff0, 0xfffb },   { 0xfffe, 0xffff }, { 0xe0000, 0xe00ff },
		       { 0xf0000, 0x10ffff } };

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (rune >= hidden[i].first && rune <= hidden[i].last)
			return false;
	return rune < 0x110000;
}

static void put_escaped_rune(struct buf *out, uint32_t rune, char quote, bool ascii_only)
{
	static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv";
	const char *escape = rune && rune < 0x20 ? strchr(escapes, (int)rune) : NULL;

	if (rune == (unsigned char)quote || rune == '\\')
		buf_printf(out, "\\%c", (char)rune);
	else if (goprint_is_printable(rune) && (rune < 0x80 || !ascii_only))
		utf8_put(out, rune);
	else if (escape)
		buf_printf(out, "\\%c", escape[1]);
	else if (rune < ' ' || rune == 0x7f)
		buf_printf(out, "\\x%02x", rune);
	else if (rune > 0x10ffff)
		buf_puts(out, "\\ufffd");
	else
		buf_printf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
}

void goprint_quoted(struct buf *out, const char *text, size_t len, bool ascii_only)
{
	const char *end = text + len;

	buf_putc(out, '"');
	while (text < end) {
		unsigned char byte = (unsigned char)*text;
		bool valid;
		uint32_t rune = utf8_next(&text, end, &valid);

		if (valid)
			put_escaped_rune(out, rune, '"', ascii_only);
		else
			buf_printf(out, "\\x%02x", byte);
	}
	buf_putc(out, '"');
}

void goprint_quoted_rune(struct buf *out, uint32_t rune, bool ascii_only)
{
	if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
		rune = UTF8_BAD;
	buf_putc(out, '\'');
	put_escaped_rune(out, rune, '\'', ascii_only);
	buf_putc(out, '\'');
}

void goprint_code_point(struct buf *out, uint32_t rune)
{
	buf_printf(out, "U+%04X", rune);
	if (!goprint_is_printable(rune))
		return;
	buf_puts(out, " '");
	utf8_put(out, rune);
	buf_putc(out, '\'');
}

/* The fewest significant digits that read back as number, in the form d.ddde+dd */
static void shortest_digits(double number, char *text, size_t size)
{
	for (int digits = 0; digits <= 17; digits++) {
		snprintf(text, size, "%.*e", digits, number);
		if (strtod(text, NULL) == number)
			return;
	}
}

void goprint_float_plain(struct buf *out, double number)
{
	char text[40], digits[24];
	int power, nr = 0;

	shortest_digits(number, text, sizeof(text));
	power = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	for (const char *at = text; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			digits[nr++] = *at;
	if (*text == '-')
		buf_putc(out, '-');
	if (power < 0)
		buf_printf(out, "0.%.*s", -power - 1, "00000000000000000000");
	for (int i = 0; i < nr || i <= power; i++) {
		if (i == power + 1 && i > 0)
			buf_putc(out, '.');
		buf_putc(out, i < nr ? digits[i] : '0');
	}
}

void goprint_float(struct buf *out, double number)
{
	char text[40];
	int power;

	if (isnan(number) || isinf(number)) {
		buf_puts(out, isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf");
		return;
	}
	shortest_digits(number, text, sizeof(text));
	power = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (power < -4 || power >= 6)
		buf_puts(out, text);
	else
		goprint_float_plain(out, number);
}

static void put_nested(struct buf *out, const struct govalue *value);

static void put_list(struct buf *out, const struct govalue *list)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < govalue_len(list); i++) {
		auto_govalue struct govalue item = govalue_item(list, i);

		if (i)
			buf_putc(out, ' ');
		put_nested(out, &item);
	}
	buf_putc(out, ']');
}

static void put_map(struct buf *out, const struct govalue *map)
{
	size_t nr;
	auto_free const char **keys = govalue_sorted_keys(map->json, &nr);

	buf_puts(out, "map[");
	for (size_t i = 0; i < nr; i++) {
		auto_govalue struct govalue entry = govalue_entry(map, keys[i]);

		buf_printf(out, "%s%s:", i ? " " : "", keys[i]);
		put_nested(out, &entry);
	}
	buf_putc(out, ']');
}

static void put_struct(struct buf *out, const struct govalue *object)
{
	const struct gotmpl_field *fields = object->type->fields;

	buf_putc(out, '{');
	for (size_t i = 0; fields && fields[i].name; i++) {
		auto_govalue struct govalue field = govalue_field(object, &fields[i]);

		if (i)
			buf_putc(out, ' ');
		put_nested(out, &field);
	}
	buf_putc(out, '}');
}

/* %v without flags */
static void put_nested(struct buf *out, const struct govalue *value)
{
	auto_free char *text = govalue_text(value);

	if (text) {
		buf_puts(out, text);
		return;
	}
	switch (govalue_kind(value)) {
	case GO_NONE:
	case GO_NIL:
	case GO_POINTER:
		buf_puts(out, "<nil>");
		break;
	case GO_BOOL:
		buf_puts(out, json_is_true(value->json) ? "true" : "false");
		break;
	case GO_INT:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value->json));
		break;
	case GO_FLOAT:
		goprint_float(out, json_real_value(value->json));
		break;
	case GO_STRING:
		buf_append(out, json_string_value(value->json), json_string_length(value->json));
		break;
	case GO_LIST:
		put_list(out, value);
		break;
	case GO_MAP:
		put_map(out, value);
		break;
	case GO_STRUCT:
		put_struct(out, value);
		break;
	}
}

void goprint_value(struct buf *out, const struct govalue *value)
{
	if (value->json)
		put_nested(out, value);
	else
		buf_puts(out, "<no value>");
}

void goprint_all(struct buf *out, const struct govalue *args, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (i && govalue_kind(&args[i]) != GO_STRING &&
		    govalue_kind(&args[i - 1]) != GO_STRING)
			buf_putc(out, ' ');
		put_nested(out, &args[i]);
	}
}

void goprint_line(struct buf *out, const struct govalue *args, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (i)
			buf_putc(out, ' ');
		put_nested(out, &args[i]);
	}
	buf_putc(out, '\n');
}
