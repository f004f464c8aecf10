/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/gotext.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static void put_rune(uint32_t rune, const char *from, size_t len, struct buf *ret)
{
	static const char named[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	const char *at = rune && rune < 0x80 ? strchr(named, (int)rune) : NULL;

	if (at)
		buf_printf(ret, "\\%c", letters[at - named]);
	else if (rune < 0x20 || rune == 0x7f)
		buf_printf(ret, "\\x%02x", (unsigned)rune);
	else if (rune >= 0x80 && rune < 0xa1)
		buf_printf(ret, "\\u%04x", (unsigned)rune);
	else
		buf_append(ret, from, len);
}

void gotext_quote(const char *text, struct buf *ret)
{
	const char *end = text + strlen(text);

	buf_putc(ret, '"');
	while (text < end) {
		const char *from = text;
		bool valid;
		uint32_t rune = utf8_next(&text, end, &valid);

		if (valid)
			put_rune(rune, from, (size_t)(text - from), ret);
		else
			buf_printf(ret, "\\x%02x", (unsigned char)*from);
	}
	buf_putc(ret, '"');
}

static void put_list(const json_t *array, bool quoted, struct buf *ret)
{
	buf_putc(ret, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (i)
			buf_putc(ret, ' ');
		if (quoted)
			gotext_quote(text ? text : "", ret);
		else
			buf_puts(ret, text ? text : "");
	}
	buf_putc(ret, ']');
}

void gotext_list(const json_t *array, struct buf *ret)
{
	put_list(array, false, ret);
}

void gotext_quoted_list(const json_t *array, struct buf *ret)
{
	put_list(array, true, ret);
}
