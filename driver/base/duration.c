/* SPDX-License-Identifier: Apache-2.0 */
#include "base/duration.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* A fraction's digits beyond these are below a nanosecond, whatever the unit. */
#define FRACTION_DIGITS 18

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\u00b5s", 1000 }, /* the micro sign, and the Greek letter */
	{ "\u03bcs", 1000 },
	{ "ms", 1000000 },
	{ "s", UINT64_C(1000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
};

/* A number with at least one digit, before or behind its point. */
struct number {
	uint64_t whole;
	uint64_t part; /* numerator and denominator of what follows the point */
	uint64_t scale;
};

static bool take_number(const char **at, struct number *ret)
{
	bool digits = false;
	const char *p = *at;

	*ret = (struct number){ .scale = 1 };
	for (; isdigit((unsigned char)*p); p++, digits = true)
		if (__builtin_mul_overflow(ret->whole, UINT64_C(10), &ret->whole) ||
		    __builtin_add_overflow(ret->whole, (uint64_t)(*p - '0'), &ret->whole))
			return false;
	if (*p == '.') {
		p++;
		for (int nr = 0; isdigit((unsigned char)*p); p++, nr++, digits = true) {
			if (nr >= FRACTION_DIGITS)
				continue;
			ret->part = 10 * ret->part + (uint64_t)(*p - '0');
			ret->scale *= 10;
		}
	}
	*at = p;
	return digits;
}

static const struct unit *find_unit(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return &units[i];
	return NULL;
}

/* "12.5ms" is added to the total. */
static int take_part(const char **at, const char *text, uint64_t *total, struct error *err)
{
	const struct unit *unit;
	struct number number;
	unsigned __int128 ns;
	size_t len;

	if (!take_number(at, &number))
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	len = strcspn(*at, ".0123456789");
	if (!len)
		return err_set(err, ERR_USAGE, "time: missing unit in duration \"%.64s\"", text);
	unit = find_unit(*at, len);
	if (!unit)
		return err_set(err, ERR_USAGE, "time: unknown unit \"%.*s\" in duration \"%.64s\"",
			       len < 64 ? (int)len : 64, *at, text);
	ns = (unsigned __int128)number.whole * unit->ns;
	ns += (unsigned __int128)number.part * unit->ns / number.scale + *total;
	if (ns > INT64_MAX)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	*total = (uint64_t)ns;
	*at += len;
	return 0;
}

int duration_parse(const char *text, int64_t *ret_ns, struct error *err)
{
	bool negative = *text == '-';
	uint64_t total = 0;
	const char *at = text;

	if (*at == '-' || *at == '+')
		at++;
	if (!*at)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	if (strcmp(at, "0") == 0)
		at++; /* the one number that needs no unit */
	while (*at)
		if (take_part(&at, text, &total, err) < 0)
			return -1;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* A whole number and what is left of it, without zeros at its end. */
static void print_part(uint64_t value, uint64_t unit_ns, const char *name, struct buf *ret)
{
	uint64_t rest = value % unit_ns, scale = unit_ns / 10;

	buf_printf(ret, "%llu", (unsigned long long)(value / unit_ns));
	if (rest)
		buf_putc(ret, '.');
	for (; rest; rest %= scale, scale /= 10)
		buf_putc(ret, (char)('0' + rest / scale));
	buf_puts(ret, name);
}

void duration_print(int64_t ns, struct buf *ret)
{
	uint64_t value = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t minute = UINT64_C(60000000000), second = UINT64_C(1000000000);

	if (ns < 0)
		buf_putc(ret, '-');
	if (!value || value >= second) {
		if (value >= 60 * minute)
			buf_printf(ret, "%lluh", (unsigned long long)(value / (60 * minute)));
		if (value >= minute)
			buf_printf(ret, "%llum", (unsigned long long)(value / minute % 60));
		print_part(value % minute, second, "s", ret);
	} else if (value >= 1000000) {
		print_part(value, 1000000, "ms", ret);
	} else if (value >= 1000) {
		print_part(value, 1000, "\u00b5s", ret);
	} else {
		print_part(value, 1, "ns", ret);
	}
}
