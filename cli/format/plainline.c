/* SPDX-License-Identifier: Apache-2.0 */
#include "format/plainline.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "format/utf8.h"

#define ESCAPE '\033'

static bool is_between(char c, unsigned char first, unsigned char last)
{
	return (unsigned char)c >= first && (unsigned char)c <= last;
}

/* A string that the terminal keeps for itself: its end, or NULL when it has none here. */
static const char *skip_string(const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '\a')
			return at + 1;
		if (*at == ESCAPE && at + 1 < end && at[1] == '\\')
			return at + 2;
	}
	return NULL;
}

/* at is an escape character; returns where its sequence ends, at when it is none. */
static const char *skip_sequence(const char *at, const char *end)
{
	const char *p = at + 1;
	bool has_parameters = p < end && *p == '[';
	const char *after;

	if (p < end && *p && strchr("]PX^_", *p)) {
		after = skip_string(p + 1, end);
		return after ? after : at;
	}
	p += has_parameters;
	while (has_parameters && p < end && is_between(*p, 0x30, 0x3f))
		p++;
	while (p < end && is_between(*p, 0x20, 0x2f))
		p++;
	return p < end && is_between(*p, has_parameters ? 0x40 : 0x30, 0x7e) ? p + 1 : at;
}

void plainline_put(struct buf *ret, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	size_t start = ret->len;
	bool again = false; /* the cursor went back to the first column */

	while (at < end) {
		const char *from = at;
		uint32_t rune;
		bool valid;

		if (*at == '\r') {
			again = true;
			at++;
			continue;
		}
		if (*at == ESCAPE && skip_sequence(at, end) != at) {
			at = skip_sequence(at, end);
			continue;
		}
		if (again)
			ret->len = start;
		again = false;
		rune = utf8_next(&at, end, &valid);
		if (!valid || (rune < 0x20 && rune != '\t') || (rune >= 0x7f && rune < 0xa0))
			buf_putc(ret, '?');
		else
			buf_append(ret, from, (size_t)(at - from));
	}
}
