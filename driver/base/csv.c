/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <string.h>

static int bad(const char *why, struct error *err)
{
	return err_set(err, ERR_USAGE, "%s", why);
}

/* A field that begins with a quote; *at is behind its end then. */
static int take_quoted(const char **at, struct buf *ret, struct error *err)
{
	const char *p = *at + 1;

	for (;; p++) {
		if (!*p)
			return bad("extraneous or missing \" in quoted-field", err);
		if (*p == '"' && *++p != '"')
			break;
		buf_putc(ret, *p);
	}
	if (*p && *p != ',')
		return bad("extraneous or missing \" in quoted-field", err);
	*at = p;
	return 0;
}

int csv_split(const char *text, struct strlist *ret, struct error *err)
{
	const char *at = text;

	if (!*text)
		return bad("EOF", err);
	for (;;) {
		auto_buf struct buf field = { 0 };

		buf_puts(&field, "");
		if (*at == '"') {
			if (take_quoted(&at, &field, err) < 0)
				return -1;
		} else {
			size_t len = strcspn(at, ",");

			if (memchr(at, '"', len))
				return bad("bare \" in non-quoted field", err);
			buf_append(&field, at, len);
			at += len;
		}
		strlist_take(ret, buf_take(&field));
		if (!*at)
			return 0;
		at++;
	}
}
