/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_text.h"

#include <ctype.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

#include "format/gotmpl_print.h"
#include "format/gotmpl_value.h"
#include "format/utf8.h"

/* Beyond ASCII the C library knows; whichever locale the user has, ours is UTF-8. */
static locale_t utf8_locale;

static void open_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static locale_t get_locale(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_locale);
	return utf8_locale;
}

static uint32_t to_lower(uint32_t rune)
{
	if (rune < 0x80)
		return (uint32_t)tolower((int)rune);
	return get_locale() ? (uint32_t)towlower_l(rune, get_locale()) : rune;
}

static uint32_t to_upper(uint32_t rune)
{
	if (rune < 0x80)
		return (uint32_t)toupper((int)rune);
	return get_locale() ? (uint32_t)towupper_l(rune, get_locale()) : rune;
}

void gotext_html(struct buf *out, const char *text, size_t len)
{
	for (const char *end = text + len; text < end; text++) {
		switch (*text) {
		case '\0':
			utf8_put(out, UTF8_BAD);
			break;
		case '"':
			buf_puts(out, "&#34;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		default:
			buf_putc(out, *text);
		}
	}
}

void gotext_js(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *start = text;
		uint32_t rune = utf8_next(&text, end, NULL);

		if (rune == '\\' || rune == '\'' || rune == '"')
			buf_printf(out, "\\%c", (char)rune);
		else if (rune < ' ' || rune == '<' || rune == '>' || rune == '&' || rune == '=' ||
			 (rune > 0x7f && !goprint_is_printable(rune)))
			buf_printf(out, "\\u%04X", rune);
		else
			buf_append(out, start, (size_t)(text - start));
	}
}

void gotext_urlquery(struct buf *out, const char *text, size_t len)
{
	for (const char *end = text + len; text < end; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == ' ')
			buf_putc(out, '+');
		else if (c < 0x80 && (isalnum(c) || (c && strchr("-_.~", c))))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void gotext_lower(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end)
		utf8_put(out, to_lower(utf8_next(&text, end, NULL)));
}

void gotext_upper(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end)
		utf8_put(out, to_upper(utf8_next(&text, end, NULL)));
}

static bool ends_word(uint32_t rune)
{
	if (rune < 0x80)
		return !isalnum((int)rune) && rune != '_';
	return rune == 0x85 || rune == 0xa0 || (rune >= 0x2000 && rune <= 0x200a) ||
	       rune == 0x2028 || rune == 0x2029 || rune == 0x202f || rune == 0x205f ||
	       rune == 0x3000;
}

void gotext_title(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	uint32_t before = ' ';

	while (text < end) {
		uint32_t rune = utf8_next(&text, end, NULL);

		utf8_put(out, ends_word(before) ? to_upper(rune) : rune);
		before = rune;
	}
}

static void add_part(json_t *list, const char *start, const char *end)
{
	json_array_append_new(list, govalue_string(start, (size_t)(end - start)).json);
}

json_t *gotext_split(const char *text, size_t len, const char *separator, size_t separator_len)
{
	json_t *list = json_array();
	const char *end = text + len, *start = text, *found;

	if (separator_len == 0) {
		while (text < end) {
			utf8_next(&text, end, NULL);
			add_part(list, start, text);
			start = text;
		}
		return list;
	}
	while ((found = memmem(start, (size_t)(end - start), separator, separator_len))) {
		add_part(list, start, found);
		start = found + separator_len;
	}
	add_part(list, start, end);
	return list;
}
