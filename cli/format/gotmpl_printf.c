/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_print.h"
#include "format/utf8.h"

#define NUMBER_MAX 1000000 /* Go's own bound on widths and precisions */

struct printer {
	struct buf *out;
	size_t max_bytes;
	const struct govalue *args;
	size_t nr_args;
	size_t arg; /* the next one */
	bool reordered, bad_index;
	/* flags of the directive in hand */
	bool plus, minus, sharp, space, zero;
	bool plus_v, sharp_v;
	int width, precision; /* -1: none */
};

static bool full(const struct printer *p)
{
	return p->out->len >= p->max_bytes;
}

static void put_fill(struct printer *p, int nr, char c)
{
	char chunk[256];

	memset(chunk, c, sizeof(chunk));
	for (; nr > 0 && !full(p); nr -= (int)sizeof(chunk))
		buf_append(p->out, chunk, nr < (int)sizeof(chunk) ? (size_t)nr : sizeof(chunk));
}

/* Go pads by characters, not by display cells. text may be NULL when len is 0. */
static void put_padded(struct printer *p, const char *text, size_t len)
{
	int fill = p->width - (int)(p->width > 0 && len ? utf8_count(text, len) : 0);

	if (full(p))
		return;
	if (!p->minus)
		put_fill(p, fill, p->zero ? '0' : ' ');
	buf_append(p->out, text, len);
	if (p->minus)
		put_fill(p, fill, ' ');
}

static void put_number(struct printer *p, uint64_t number, bool negative, unsigned base, char verb)
{
	const char *digits = verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	int least = p->precision, at = 0, i;
	bool zero = p->zero;
	auto_free char *text = NULL;

	if (p->precision == 0 && number == 0) {
		p->zero = false;
		put_padded(p, "", 0);
		p->zero = zero;
		return;
	}
	if (p->precision < 0 && p->zero && p->width >= 0)
		least = p->width - (negative || p->plus || p->space);
	at = i = (least > 0 ? least : 0) + 72;
	text = xmalloc((size_t)i);
	do {
		text[--at] = digits[number % base];
		number /= base;
	} while (number);
	while (i - at < least)
		text[--at] = '0';
	if (p->sharp && base == 8 && text[at] != '0')
		text[--at] = '0';
	if (p->sharp && (base == 2 || base == 16)) {
		text[--at] = base == 2 ? 'b' : verb;
		text[--at] = '0';
	}
	if (verb == 'O') {
		text[--at] = 'o';
		text[--at] = '0';
	}
	if (negative || p->plus || p->space)
		text[--at] = negative ? '-' : p->plus ? '+' : ' ';
	p->zero = false;
	put_padded(p, text + at, (size_t)(i - at));
	p->zero = zero;
}

static void put_bad_verb(struct printer *p, uint32_t verb, const struct govalue *value);

static void put_rune(struct printer *p, uint64_t rune, uint32_t verb)
{
	auto_buf struct buf text = { 0 };
	uint32_t shown = rune > 0x10ffff ? UTF8_BAD : (uint32_t)rune;

	if (verb == 'q') {
		goprint_quoted_rune(&text, shown, p->plus);
	} else if (verb == 'c') {
		utf8_put(&text, shown);
	} else {
		buf_printf(&text, "U+%0*lX",
			   p->precision > 4 && p->precision < 64 ? p->precision : 4,
			   (unsigned long)rune);
		if (p->sharp && rune <= 0x10ffff && goprint_is_printable(shown)) {
			buf_puts(&text, " '");
			utf8_put(&text, shown);
			buf_putc(&text, '\'');
		}
	}
	put_padded(p, text.data, text.len);
}

static void put_int(struct printer *p, const struct govalue *value, uint32_t verb)
{
	json_int_t number = json_integer_value(value->json);
	uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number;

	switch (verb) {
	case 'v':
	case 'd':
		put_number(p, size, number < 0, 10, 'd');
		break;
	case 'b':
		put_number(p, size, number < 0, 2, 'b');
		break;
	case 'o':
	case 'O':
		put_number(p, size, number < 0, 8, (char)verb);
		break;
	case 'x':
	case 'X':
		put_number(p, size, number < 0, 16, (char)verb);
		break;
	case 'c':
	case 'q':
	case 'U':
		put_rune(p, (uint64_t)number, verb);
		break;
	default:
		put_bad_verb(p, verb, value);
	}
}

/* text: the number with its sign, if any */
static void put_signed(struct printer *p, const char *text, size_t len, bool finite)
{
	bool zero = p->zero, negative = *text == '-';
	auto_buf struct buf number = { 0 };
	int fill;

	if (*text == '-' || *text == '+') {
		text++;
		len--;
	}
	p->zero = zero && finite;
	if (negative || p->plus || p->space)
		buf_putc(&number, negative ? '-' : p->plus ? '+' : ' ');
	fill = p->width - (int)len - (int)number.len;
	if (p->zero && fill > 0 && number.len) {
		buf_append(p->out, number.data, number.len);
		put_fill(p, fill, '0');
		buf_append(p->out, text, len);
	} else {
		buf_append(&number, text, len);
		put_padded(p, number.data, number.len);
	}
	p->zero = zero;
}

/* C writes 0x1.8p+0, Go 0x1.8p+00 */
static void print_hex_float(struct buf *text, double number, int precision, bool upper)
{
	char plain[64], *power;

	if (precision < 0 || precision > 20)
		snprintf(plain, sizeof(plain), upper ? "%A" : "%a", number);
	else
		snprintf(plain, sizeof(plain), upper ? "%.*A" : "%.*a", precision, number);
	power = strpbrk(plain, "pP");
	buf_append(text, plain, (size_t)(power - plain) + 2);
	buf_printf(text, "%02d", abs((int)strtol(power + 1, NULL, 10)));
}

static void put_float(struct printer *p, const struct govalue *value, uint32_t verb)
{
	double number = json_real_value(value->json);
	auto_buf struct buf text = { 0 };

	if (!strchr("vgGeEfFxX", (int)verb)) {
		put_bad_verb(p, verb, value);
		return;
	}
	if (isnan(number) || isinf(number)) {
		buf_puts(&text, isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf");
	} else if (verb == 'x' || verb == 'X') {
		print_hex_float(&text, number, p->precision, verb == 'X');
	} else if (strchr("vgG", (int)verb) && p->precision < 0) {
		goprint_float(&text, number);
	} else {
		char format[] = { '%', '.', '*', verb == 'v' ? 'g' : (char)verb, '\0' };
		int precision = p->precision < 0 ? 6 : p->precision;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&text, format, precision, number);
#pragma GCC diagnostic pop
	}
	for (size_t i = 0; verb == 'G' && i < text.len; i++)
		text.data[i] = (char)toupper((unsigned char)text.data[i]);
	put_signed(p, text.data, text.len, !isnan(number) && !isinf(number));
}

/* The first precision characters */
static size_t cut_runes(const struct printer *p, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	if (p->precision < 0)
		return len;
	for (int nr = p->precision; nr > 0 && at < end; nr--)
		utf8_next(&at, end, NULL);
	return (size_t)(at - text);
}

static void put_hex(struct printer *p, const char *bytes, size_t len, uint32_t verb)
{
	auto_buf struct buf text = { 0 };

	if (p->precision >= 0 && (size_t)p->precision < len)
		len = (size_t)p->precision;
	for (size_t i = 0; i < len; i++) {
		if (p->space && i)
			buf_putc(&text, ' ');
		if (p->sharp && (p->space || i == 0))
			buf_puts(&text, verb == 'x' ? "0x" : "0X");
		buf_printf(&text, verb == 'x' ? "%02x" : "%02X", (unsigned char)bytes[i]);
	}
	put_padded(p, text.data, text.len);
}

static bool fits_back_quotes(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		bool valid;
		uint32_t rune = utf8_next(&text, end, &valid);

		if (!valid || rune == 0xfeff || (rune < ' ' && rune != '\t') || rune == '`' ||
		    rune == 0x7f)
			return false;
	}
	return true;
}

static void put_quoted(struct printer *p, const char *text, size_t len)
{
	auto_buf struct buf quoted = { 0 };

	len = cut_runes(p, text, len);
	if (p->sharp && fits_back_quotes(text, len)) {
		buf_putc(&quoted, '`');
		buf_append(&quoted, text, len);
		buf_putc(&quoted, '`');
	} else {
		goprint_quoted(&quoted, text, len, p->plus);
	}
	put_padded(p, quoted.data, quoted.len);
}

static void put_string(struct printer *p, const struct govalue *value, uint32_t verb)
{
	const char *text = json_string_value(value->json);
	size_t len = json_string_length(value->json);

	if (verb == 'q' || (verb == 'v' && p->sharp_v))
		put_quoted(p, text, len);
	else if (verb == 's' || verb == 'v')
		put_padded(p, text, cut_runes(p, text, len));
	else if (verb == 'x' || verb == 'X')
		put_hex(p, text, len, verb);
	else
		put_bad_verb(p, verb, value);
}

static void put_arg(struct printer *p, const struct govalue *value, uint32_t verb, bool nested);

static void put_list(struct printer *p, const struct govalue *list, uint32_t verb)
{
	if (p->sharp_v)
		buf_puts(p->out, govalue_type_name(list));
	if (p->sharp_v && json_is_null(list->json)) {
		buf_puts(p->out, "(nil)");
		return;
	}
	buf_putc(p->out, p->sharp_v ? '{' : '[');
	for (size_t i = 0; i < govalue_len(list) && !full(p); i++) {
		auto_govalue struct govalue item = govalue_item(list, i);

		if (i)
			buf_puts(p->out, p->sharp_v ? ", " : " ");
		put_arg(p, &item, verb, true);
	}
	buf_putc(p->out, p->sharp_v ? '}' : ']');
}

static void put_map(struct printer *p, const struct govalue *map, uint32_t verb)
{
	size_t nr;
	auto_free const char **keys = govalue_sorted_keys(map->json, &nr);

	buf_puts(p->out, p->sharp_v ? govalue_type_name(map) : "map");
	if (p->sharp_v && json_is_null(map->json)) {
		buf_puts(p->out, "(nil)");
		return;
	}
	buf_putc(p->out, p->sharp_v ? '{' : '[');
	for (size_t i = 0; i < nr && !full(p); i++) {
		auto_govalue struct govalue entry = govalue_entry(map, keys[i]);
		auto_govalue struct govalue key = govalue_string(keys[i], strlen(keys[i]));

		if (i)
			buf_puts(p->out, p->sharp_v ? ", " : " ");
		put_arg(p, &key, verb, true);
		buf_putc(p->out, ':');
		put_arg(p, &entry, verb, true);
	}
	buf_putc(p->out, p->sharp_v ? '}' : ']');
}

static void put_struct(struct printer *p, const struct govalue *object, uint32_t verb)
{
	const struct gotmpl_field *fields = object->type->fields;
	const char *name = govalue_type_name(object);

	if (p->sharp_v)
		buf_puts(p->out, name + (*name == '*'));
	buf_putc(p->out, '{');
	for (size_t i = 0; fields && fields[i].name && !full(p); i++) {
		auto_govalue struct govalue field = govalue_field(object, &fields[i]);

		if (i)
			buf_puts(p->out, p->sharp_v ? ", " : " ");
		if (p->plus_v || p->sharp_v)
			buf_printf(p->out, "%s:", fields[i].name);
		put_arg(p, &field, verb, true);
	}
	buf_putc(p->out, '}');
}

static void put_nil(struct printer *p, const struct govalue *value, uint32_t verb, bool nested)
{
	if (nested)
		buf_puts(p->out, p->sharp_v ? "interface {}(nil)" : "<nil>");
	else if (verb == 'v' || verb == 'T')
		put_padded(p, "<nil>", 5);
	else
		put_bad_verb(p, verb, value);
}

static void put_bool(struct printer *p, const struct govalue *value, uint32_t verb)
{
	if (verb != 't' && verb != 'v')
		put_bad_verb(p, verb, value);
	else if (json_is_true(value->json))
		put_padded(p, "true", 4);
	else
		put_padded(p, "false", 5);
}

/* What has a String() method is the text that this returns, where a text is wanted. */
static bool put_text(struct printer *p, const struct govalue *value, uint32_t verb)
{
	auto_free char *text = NULL;
	auto_govalue struct govalue shown = { 0 };

	if (p->sharp_v || verb > 'x' || !strchr("vsxXq", (int)verb))
		return false;
	text = govalue_text(value);
	if (!text)
		return false;
	shown = govalue_string(text, strlen(text));
	put_string(p, &shown, verb);
	return true;
}

static void put_arg(struct printer *p, const struct govalue *value, uint32_t verb, bool nested)
{
	enum gokind kind = govalue_kind(value);

	if (full(p))
		return;
	if (put_text(p, value, verb))
		return;
	if (verb == 'T' && !nested && kind != GO_NONE && kind != GO_NIL) {
		const char *name = govalue_type_name(value);

		put_padded(p, name, cut_runes(p, name, strlen(name)));
		return;
	}
	switch (kind) {
	case GO_NONE:
	case GO_NIL:
	case GO_POINTER:
		put_nil(p, value, verb, nested);
		break;
	case GO_BOOL:
		put_bool(p, value, verb);
		break;
	case GO_INT:
		put_int(p, value, verb);
		break;
	case GO_FLOAT:
		put_float(p, value, verb);
		break;
	case GO_STRING:
		put_string(p, value, verb);
		break;
	case GO_LIST:
		put_list(p, value, verb);
		break;
	case GO_MAP:
		put_map(p, value, verb);
		break;
	case GO_STRUCT:
		put_struct(p, value, verb);
		break;
	}
}

/* %!d(string=x) */
static void put_bad_verb(struct printer *p, uint32_t verb, const struct govalue *value)
{
	enum gokind kind = govalue_kind(value);

	buf_puts(p->out, "%!");
	utf8_put(p->out, verb);
	buf_putc(p->out, '(');
	if (kind == GO_NONE || kind == GO_NIL) {
		buf_puts(p->out, "<nil>");
	} else {
		buf_printf(p->out, "%s=", govalue_type_name(value));
		put_arg(p, value, 'v', false);
	}
	buf_putc(p->out, ')');
}

static const char *take_flags(struct printer *p, const char *at, const char *end)
{
	p->plus = p->minus = p->sharp = p->space = p->zero = p->plus_v = p->sharp_v = false;
	p->width = p->precision = -1;
	for (; at < end; at++) {
		if (*at == '#')
			p->sharp = true;
		else if (*at == '+')
			p->plus = true;
		else if (*at == ' ')
			p->space = true;
		else if (*at == '-')
			p->minus = true;
		else if (*at == '0')
			p->zero = true;
		else
			break;
	}
	if (p->minus)
		p->zero = false; /* zeros fill on the left only */
	return at;
}

/* A number at *at; -1 when there is none or it is too large. */
static int take_number(const char **at, const char *end)
{
	int number = -1;

	for (; *at < end && isdigit((unsigned char)**at); (*at)++) {
		number = (number < 0 ? 0 : number) * 10 + (**at - '0');
		if (number > NUMBER_MAX) {
			while (*at < end && isdigit((unsigned char)**at))
				(*at)++;
			return -1;
		}
	}
	return number;
}

/* "[n]" chooses the next operand. */
static bool take_index(struct printer *p, const char **at, const char *end)
{
	const char *close, *digits = *at + 1;
	int number;

	if (*at == end || **at != '[')
		return false;
	p->reordered = true;
	close = memchr(*at, ']', (size_t)(end - *at));
	if (!close) {
		p->bad_index = true;
		(*at)++;
		return false;
	}
	number = take_number(&digits, close);
	*at = close + 1;
	if (digits != close || number < 1 || (size_t)number > p->nr_args) {
		p->bad_index = true;
		return true;
	}
	p->arg = (size_t)number - 1;
	return true;
}

/* The value of a '*'. */
static bool take_star(struct printer *p, int *ret)
{
	const struct govalue *value = &p->args[p->arg];
	json_int_t number;

	if (p->arg >= p->nr_args)
		return false;
	p->arg++;
	number = json_integer_value(value->json);
	if (govalue_kind(value) != GO_INT || number > NUMBER_MAX || number < -NUMBER_MAX)
		return false;
	*ret = (int)number;
	return true;
}

static const char *take_width(struct printer *p, const char *at, const char *end, bool *after_index)
{
	int number = 0;

	if (at < end && *at == '*') {
		at++;
		if (!take_star(p, &number))
			buf_puts(p->out, "%!(BADWIDTH)");
		else
			p->width = number < 0 ? -number : number;
		if (number < 0) {
			p->minus = true;
			p->zero = false;
		}
		*after_index = false;
		return at;
	}
	if (at < end && isdigit((unsigned char)*at)) {
		p->width = take_number(&at, end);
		if (*after_index)
			p->bad_index = true; /* "%[3]2d" */
	}
	return at;
}

static const char *take_precision(struct printer *p, const char *at, const char *end,
				  bool *after_index)
{
	int number = 0;

	if (at == end || *at != '.')
		return at;
	at++;
	if (*after_index)
		p->bad_index = true; /* "%[3].2d" */
	*after_index = take_index(p, &at, end);
	if (at < end && *at == '*') {
		at++;
		if (!take_star(p, &number) || number < 0)
			buf_puts(p->out, "%!(BADPREC)");
		else
			p->precision = number;
		*after_index = false;
		return at;
	}
	p->precision = take_number(&at, end);
	if (p->precision < 0)
		p->precision = 0;
	return at;
}

/* One directive behind its '%'. Returns where the text goes on. */
static const char *put_directive(struct printer *p, const char *at, const char *end)
{
	bool after_index;
	uint32_t verb;

	p->bad_index = false;
	at = take_flags(p, at, end);
	after_index = take_index(p, &at, end);
	at = take_width(p, at, end, &after_index);
	at = take_precision(p, at, end, &after_index);
	if (!after_index)
		take_index(p, &at, end);
	if (at == end) {
		buf_puts(p->out, "%!(NOVERB)");
		return at;
	}
	verb = utf8_next(&at, end, NULL);
	if (verb == '%') {
		buf_putc(p->out, '%');
	} else if (p->bad_index || p->arg >= p->nr_args) {
		buf_puts(p->out, "%!");
		utf8_put(p->out, verb);
		buf_puts(p->out, p->bad_index ? "(BADINDEX)" : "(MISSING)");
	} else {
		if (verb == 'v') {
			p->sharp_v = p->sharp;
			p->sharp = false;
			p->plus_v = p->plus;
			p->plus = false;
		}
		put_arg(p, &p->args[p->arg++], verb, false);
	}
	return at;
}

static void put_extra(struct printer *p)
{
	take_flags(p, "", "");
	buf_puts(p->out, "%!(EXTRA ");
	for (size_t i = p->arg; i < p->nr_args && !full(p); i++) {
		enum gokind kind = govalue_kind(&p->args[i]);

		if (i > p->arg)
			buf_puts(p->out, ", ");
		if (kind != GO_NONE && kind != GO_NIL)
			buf_printf(p->out, "%s=", govalue_type_name(&p->args[i]));
		put_arg(p, &p->args[i], 'v', false);
	}
	buf_putc(p->out, ')');
}

void goprint_format(struct buf *out, const char *format, size_t len, const struct govalue *args,
		    size_t nr, size_t max_bytes)
{
	struct printer p = { .out = out, .max_bytes = max_bytes, .args = args, .nr_args = nr };
	const char *at = format, *end = format + len;

	while (at < end && !full(&p)) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		const char *stop = percent ? percent : end;

		buf_append(out, at, (size_t)(stop - at));
		at = percent ? put_directive(&p, percent + 1, end) : end;
	}
	if (!p.reordered && p.arg < nr)
		put_extra(&p);
}
