/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rfc3339.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* Exactly nr digits; moves *at. Returns -1 when there are fewer. */
static int take_number(const char **at, int nr)
{
	int value = 0;

	while (nr--) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + *(*at)++ - '0';
	}
	return value;
}

static bool take_char(const char **at, const char *set)
{
	if (!**at || !strchr(set, **at))
		return false;
	(*at)++;
	return true;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the Gregorian calendar; year is 0 to 9999. */
static int64_t days_from_date(int year, int month, int day)
{
	int64_t before = year - 1;
	int64_t days = 365 * before + before / 4 - before / 100 + before / 400;

	if (year == 0) /* a leap year that ends where year 1 begins */
		days = -366;
	for (int i = 1; i < month; i++)
		days += days_in_month(year, i);
	return days + day - 1 - 719162;
}

static int take_date(const char **at, int64_t *ret_days)
{
	int year, month, day;

	if ((year = take_number(at, 4)) < 0 || !take_char(at, "-") ||
	    (month = take_number(at, 2)) < 1 || month > 12 || !take_char(at, "-") ||
	    (day = take_number(at, 2)) < 1 || day > days_in_month(year, month))
		return -1;
	*ret_days = days_from_date(year, month, day);
	return 0;
}

/* 60 is a leap second, which Unix time counts as the next one. */
static int take_time(const char **at, int64_t *ret_seconds)
{
	int hour, minute, second;

	if ((hour = take_number(at, 2)) < 0 || hour > 23 || !take_char(at, ":") ||
	    (minute = take_number(at, 2)) < 0 || minute > 59 || !take_char(at, ":") ||
	    (second = take_number(at, 2)) < 0 || second > 60)
		return -1;
	*ret_seconds = hour * 3600 + minute * 60 + second;
	return 0;
}

static int take_fraction(const char **at, int64_t *ret_ns)
{
	int64_t unit = NS_PER_SECOND / 10;

	*ret_ns = 0;
	if (!take_char(at, ".,"))
		return 0;
	if (**at < '0' || **at > '9')
		return -1;
	for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		*ret_ns += (**at - '0') * unit;
	return 0;
}

static int take_offset(const char **at, int64_t *ret_seconds)
{
	int sign = **at == '-' ? -1 : 1;
	int hour, minute;

	*ret_seconds = 0;
	if (take_char(at, "Zz"))
		return 0;
	if (!take_char(at, "+-") || (hour = take_number(at, 2)) < 0 || hour > 23 ||
	    !take_char(at, ":") || (minute = take_number(at, 2)) < 0 || minute > 59)
		return -1;
	*ret_seconds = sign * (hour * 3600 + minute * 60);
	return 0;
}

static int64_t clamp_ns(int64_t seconds, int64_t ns)
{
	int64_t total;

	if (__builtin_mul_overflow(seconds, NS_PER_SECOND, &total) ||
	    __builtin_add_overflow(total, ns, &total))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return total;
}

int rfc3339_parse(const char *text, int64_t *ret_ns, struct error *err)
{
	int64_t days, seconds, ns, offset;
	const char *at = text;

	if (take_date(&at, &days) < 0 || !take_char(&at, "Tt") || take_time(&at, &seconds) < 0 ||
	    take_fraction(&at, &ns) < 0 || take_offset(&at, &offset) < 0 || *at)
		return err_set(err, ERR_CORRUPT, "\"%.64s\" is not a time as in RFC 3339", text);
	*ret_ns = clamp_ns(days * 86400 + seconds - offset, ns);
	return 0;
}

const char *rfc3339_format(int64_t ns, char text[RFC3339_SIZE])
{
	int64_t fraction = ns % NS_PER_SECOND;
	time_t seconds = ns / NS_PER_SECOND;
	struct tm tm;
	size_t len;

	if (fraction < 0) {
		fraction += NS_PER_SECOND;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	len = strftime(text, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction) {
		len += (size_t)snprintf(text + len, RFC3339_SIZE - len, ".%09d", (int)fraction);
		while (text[len - 1] == '0')
			len--;
	}
	memcpy(text + len, "Z", 2);
	return text;
}
