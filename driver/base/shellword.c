/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shellword.h"

#include <string.h>

#include "base/buf.h"

char *shellword(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:@+=,";
	struct buf word = { 0 };

	if (*text && !text[strspn(text, plain)])
		return xstrdup(text);
	buf_putc(&word, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_puts(&word, "'\\''");
		else
			buf_putc(&word, *text);
	}
	buf_putc(&word, '\'');
	return buf_take(&word);
}
