/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/unitname.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == ':' || c == '_' || c == '.';
}

char *unitname_escape(const char *text)
{
	auto_buf struct buf escaped = { 0 };

	for (const char *at = text; *at; at++)
		if (*at == '/')
			buf_putc(&escaped, '-');
		else if (is_plain(*at) && (*at != '.' || at != text))
			buf_putc(&escaped, *at);
		else
			buf_printf(&escaped, "\\x%02x", (unsigned char)*at);
	return buf_take(&escaped);
}

/* "" for the root. */
static char *relative(const char *path)
{
	auto_buf struct buf clean = { 0 };
	struct error ignored;

	if (path_clean(path, &clean, &ignored) < 0)
		buf_reset(&clean);
	return buf_take(&clean);
}

char *unitname_escape_path(const char *path)
{
	auto_free char *clean = relative(path);

	return *clean ? unitname_escape(clean) : xstrdup("-");
}

char *unitname_argument(const char *name)
{
	auto_buf struct buf argument = { 0 };

	for (; *name; name++) {
		if (*name == '\\')
			buf_putc(&argument, '\\');
		buf_putc(&argument, *name);
	}
	return buf_take(&argument);
}

static void add_percent(struct buf *ret, const char *text)
{
	for (; *text; text++) {
		if (*text == '%')
			buf_putc(ret, '%');
		buf_putc(ret, *text);
	}
}

char *unitname_path_value(const char *path)
{
	auto_free char *clean = relative(path);
	auto_buf struct buf value = { 0 };

	buf_putc(&value, '/');
	add_percent(&value, clean);
	return buf_take(&value);
}

char *unitname_path_word(const char *path)
{
	auto_free char *value = unitname_path_value(path);
	auto_buf struct buf word = { 0 };

	buf_putc(&word, '"');
	for (const char *at = value; *at; at++) {
		if (strchr("\"\\", *at))
			buf_putc(&word, '\\');
		buf_putc(&word, *at);
	}
	buf_putc(&word, '"');
	return buf_take(&word);
}
