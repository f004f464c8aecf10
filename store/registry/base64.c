/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/base64.h"

#include <string.h>

#include "base/secret.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct buf *ret)
{
	const unsigned char *at = data;

	secret_buf_init(ret, len / 3 * 4 + 4);
	for (; len; at += 3) {
		size_t here = len < 3 ? len : 3;
		unsigned bits = (unsigned)at[0] << 16 | (here > 1 ? (unsigned)at[1] << 8 : 0) |
				(here > 2 ? at[2] : 0);

		buf_putc(ret, digits[bits >> 18]);
		buf_putc(ret, digits[bits >> 12 & 63]);
		buf_putc(ret, here > 1 ? digits[bits >> 6 & 63] : '=');
		buf_putc(ret, here > 2 ? digits[bits & 63] : '=');
		len -= here;
	}
}

int base64_decode(const char *text, struct buf *ret)
{
	unsigned bits = 0;
	size_t nr = 0, nr_pads = 0;

	secret_buf_init(ret, strlen(text) / 4 * 3 + 3);
	for (; *text; text++) {
		const char *digit;

		if (*text == '\n' || *text == '\r')
			continue;
		digit = strchr(digits, *text);
		if (*text == '=' ? ++nr_pads > 2 : !digit || nr_pads)
			return -1;
		bits = bits << 6 | (digit ? (unsigned)(digit - digits) : 0);
		if (++nr % 4)
			continue;
		buf_putc(ret, (char)(bits >> 16));
		buf_putc(ret, (char)(bits >> 8));
		buf_putc(ret, (char)bits);
		bits = 0;
	}
	if (nr % 4 || (nr_pads && nr == nr_pads))
		return -1;
	ret->len -= nr_pads;
	ret->data[ret->len] = '\0';
	return 0;
}
