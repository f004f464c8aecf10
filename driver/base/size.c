/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int unit_shift(const char *text)
{
	static const char units[] = "kmgtpe";
	const char *unit;
	int shift = 0;

	if (*text && (unit = strchr(units, tolower((unsigned char)*text)))) {
		shift = 10 * (int)(unit - units + 1);
		text++;
		if (strcasecmp(text, "ib") == 0)
			return shift;
	}
	if (*text == '\0' || strcasecmp(text, "b") == 0)
		return shift;
	return -1;
}

int size_parse(const char *text, uint64_t *ret_bytes, struct error *err)
{
	long double bytes;
	char *end;
	int shift;

	/* strtold alone would also take "inf", "0x10", "1e9" and a sign. */
	if (strspn(text, "0123456789.") == 0 || text[0] == '.' ||
	    (text[0] == '0' && tolower((unsigned char)text[1]) == 'x'))
		return err_set(err, ERR_USAGE, "invalid size: '%s'", text);
	bytes = strtold(text, &end);
	if (end != text + strspn(text, "0123456789."))
		return err_set(err, ERR_USAGE, "invalid size: '%s'", text);
	while (*end == ' ')
		end++;
	shift = unit_shift(end);
	if (shift < 0)
		return err_set(err, ERR_USAGE, "invalid size: '%s'", text);
	bytes *= (long double)(UINT64_C(1) << shift);
	if (bytes >= 9223372036854775808.0L)
		return err_set(err, ERR_USAGE, "size '%s' is too large", text);
	*ret_bytes = (uint64_t)bytes;
	return 0;
}
