/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_literal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

/* nr digits of a base; -1 when they are not there. */
static long take_digits(const char **at, const char *end, int nr, int base)
{
	char digits[9] = "", *stop;
	long value;

	if (end - *at < nr)
		return -1;
	memcpy(digits, *at, (size_t)nr);
	for (int i = 0; i < nr; i++)
		if (!isxdigit((unsigned char)digits[i]))
			return -1;
	value = strtol(digits, &stop, base);
	*at += nr;
	return *stop ? -1 : value;
}

/* Behind a backslash. *ret_byte: the value is a byte, not a character. */
static long take_escape(const char **at, const char *end, char quote, bool *ret_byte)
{
	static const char simple[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
	char c = **at;

	*ret_byte = false;
	for (const char *pair = simple; *pair; pair += 2)
		if (c == *pair) {
			(*at)++;
			return (unsigned char)pair[1];
		}
	if (c == quote) {
		(*at)++;
		return (unsigned char)c;
	}
	if (c >= '0' && c <= '7') {
		long value = take_digits(at, end, 3, 8);

		*ret_byte = true;
		return value <= 255 ? value : -1;
	}
	(*at)++;
	if (c == 'x') {
		*ret_byte = true;
		return take_digits(at, end, 2, 16);
	}
	if (c == 'u' || c == 'U') {
		long value = take_digits(at, end, c == 'u' ? 4 : 8, 16);

		return value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? -1 : value;
	}
	return -1;
}

/* One character up to end, which is before the closing quote. -1: malformed. */
static long take_rune(const char **at, const char *end, char quote, bool *ret_byte)
{
	*ret_byte = false;
	if (**at == quote || **at == '\n')
		return -1;
	if (**at != '\\')
		return (long)utf8_next(at, end, NULL);
	(*at)++;
	return *at < end ? take_escape(at, end, quote, ret_byte) : -1;
}

bool goliteral_string(const char *text, size_t len, struct buf *ret)
{
	const char *at = text + 1, *end = text + len - 1;

	buf_puts(ret, "");
	if (*text == '`') {
		for (; at < end; at++)
			if (*at != '\r') /* Go drops them, so that line ends do not matter */
				buf_putc(ret, *at);
		return true;
	}
	while (at < end) {
		bool is_byte;
		long rune = take_rune(&at, end, '"', &is_byte);

		if (rune < 0)
			return false;
		if (is_byte)
			buf_putc(ret, (char)rune);
		else
			utf8_put(ret, (uint32_t)rune);
	}
	return true;
}

long goliteral_char(const char *text, size_t len)
{
	const char *at = text + 1, *end = text + len - 1;
	bool is_byte;
	long rune;

	if (at >= end)
		return GOLITERAL_INVALID;
	rune = take_rune(&at, end, '\'', &is_byte);
	if (rune < 0)
		return GOLITERAL_INVALID;
	return at == end ? rune : GOLITERAL_MALFORMED;
}

/* Without '_', each of which must stand between digits or behind a base prefix. */
static bool drop_underscores(const char *text, size_t len, struct buf *ret)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '_') {
			buf_putc(ret, text[i]);
			continue;
		}
		if (i == 0 || i + 1 == len || !isalnum((unsigned char)text[i - 1]) ||
		    !isxdigit((unsigned char)text[i + 1]))
			return false;
	}
	return true;
}

/* "0x1f", "0o17", "017", "0b1", "15". Returns false when it is no integer at all. */
static bool parse_integer(const char *text, bool *ret_negative, uint64_t *ret, bool *ret_overflow)
{
	int base = 10;
	char *stop;

	*ret_negative = *text == '-';
	text += *text == '-' || *text == '+';
	if (text[0] == '0' && text[1]) {
		char prefix = (char)tolower((unsigned char)text[1]);

		base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
		text += prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1;
	}
	if (!isxdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &stop, base);
	*ret_overflow = errno == ERANGE;
	return !*stop;
}

static bool parse_float(const char *text, double *ret)
{
	bool hex = text[strspn(text, "+-")] == '0' &&
		   tolower((unsigned char)text[strspn(text, "+-") + 1]) == 'x';
	char *stop;

	if (hex && !strpbrk(text, "pP"))
		return false;
	*ret = strtod(text, &stop);
	return stop != text && !*stop && isfinite(*ret);
}

const char *goliteral_number(const char *text, size_t len, struct goliteral_number *ret)
{
	auto_buf struct buf plain = { 0 };
	bool negative, overflow;
	uint64_t size;
	double number;

	*ret = (struct goliteral_number){ 0 };
	buf_puts(&plain, "");
	if (!drop_underscores(text, len, &plain))
		return "illegal number syntax: ";
	if (parse_integer(plain.data, &negative, &size, &overflow) && !overflow) {
		uint64_t limit = (uint64_t)INT64_MAX + negative;

		if (size <= limit) {
			ret->is_int = true;
			ret->as_int = (json_int_t)(negative ? -size : size);
			ret->value = json_integer(ret->as_int);
			return NULL;
		}
		if (!negative)
			return NULL; /* fits an unsigned one */
	}
	if (!parse_float(plain.data, &number))
		return "illegal number syntax: ";
	if (!strpbrk(plain.data, ".eEpP"))
		return "integer overflow: ";
	ret->value = json_real(number);
	if (number >= -0x1p63 && number < 0x1p63 && trunc(number) == number) {
		ret->is_int = true;
		ret->as_int = (json_int_t)number;
	}
	return NULL;
}
