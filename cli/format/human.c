/* SPDX-License-Identifier: Apache-2.0 */
#include "format/human.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "format/utf8.h"

#define NS_PER_SEC	 INT64_C(1000000000)
#define GO_ZERO_TIME	 INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define UNTIL_PREFIX	 "invalid value for 'until' filter: "
#define CREATED_BY_WIDTH 45
#define FRACTION_DIGITS	 18 /* digits of a fraction that are looked at */

struct human_text human_size(int64_t bytes, int digits)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
	double value = (double)bytes;
	struct human_text ret;
	size_t unit = 0;

	for (; value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		value /= 1000;
	snprintf(ret.text, sizeof(ret.text), "%.*g%s", digits, value, units[unit]);
	return ret;
}

struct human_text human_duration(const struct timespec *start, const struct timespec *now)
{
	static const struct {
		int64_t limit_hours;
		int64_t unit_hours;
		const char *name;
	} table[] = { { 48, 1, "hours" },
		      { 14 * 24, 24, "days" },
		      { 60 * 24, 7 * 24, "weeks" },
		      { 2 * 365 * 24, 30 * 24, "months" } };
	int64_t ns, secs, hours;
	struct human_text ret;

	/* Go's difference of two times saturates at 292 years; so must ours. */
	if (__builtin_sub_overflow((int64_t)now->tv_sec, (int64_t)start->tv_sec, &ns) ||
	    __builtin_mul_overflow(ns, NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)now->tv_nsec - start->tv_nsec, &ns))
		ns = now->tv_sec < start->tv_sec ? 0 : INT64_MAX;
	secs = ns / NS_PER_SEC;
	hours = secs / 3600 + (secs % 3600 >= 1800);
	if (secs < 1)
		return (struct human_text){ "Less than a second" };
	if (secs == 1)
		return (struct human_text){ "1 second" };
	if (secs / 60 == 1)
		return (struct human_text){ "About a minute" };
	if (secs >= 3600 && hours == 1)
		return (struct human_text){ "About an hour" };
	if (secs < 60) {
		snprintf(ret.text, sizeof(ret.text), "%d seconds", (int)secs);
		return ret;
	}
	if (secs < 3600) {
		snprintf(ret.text, sizeof(ret.text), "%d minutes", (int)(secs / 60));
		return ret;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (hours >= table[i].limit_hours)
			continue;
		snprintf(ret.text, sizeof(ret.text), "%d %s", (int)(hours / table[i].unit_hours),
			 table[i].name);
		return ret;
	}
	snprintf(ret.text, sizeof(ret.text), "%d years", (int)(secs / 3600 / 24 / 365));
	return ret;
}

struct human_text human_since(const struct timespec *start, const struct timespec *now)
{
	struct human_text age = human_duration(start, now), ret;

	snprintf(ret.text, sizeof(ret.text), "%.60s ago", age.text);
	return ret;
}

struct timespec human_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

struct timespec human_time_from_ns(int64_t ns)
{
	struct timespec ret = { .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };

	if (ret.tv_nsec < 0) {
		ret.tv_sec--;
		ret.tv_nsec += NS_PER_SEC;
	}
	return ret;
}

int64_t human_time_to_ns(const struct timespec *time)
{
	__int128 ns = (__int128)time->tv_sec * NS_PER_SEC + time->tv_nsec;

	return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

bool human_time_is_zero(const struct timespec *time)
{
	return time->tv_sec == GO_ZERO_TIME && time->tv_nsec == 0;
}

/* Exactly nr digits, as a number up to max; -1 otherwise. */
static int take_digits(const char **at, int nr, int max)
{
	int value = 0;

	for (int i = 0; i < nr; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return -1;
		value = 10 * value + ((*at)[i] - '0');
	}
	*at += nr;
	return value <= max ? value : -1;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* The digits behind a decimal point as nanoseconds; -1 when there are none. */
static long take_fraction(const char **at)
{
	long ns = 0, unit = 100000000;

	if (!isdigit((unsigned char)**at))
		return -1;
	for (; isdigit((unsigned char)**at); (*at)++, unit /= 10)
		ns += (**at - '0') * unit;
	return ns;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "2006-01-02" */
static int take_date(const char **at, struct tm *ret)
{
	int year = take_digits(at, 4, 9999), month, day;

	if (year < 0 || !take_char(at, '-'))
		return -1;
	month = take_digits(at, 2, 12);
	if (month < 1 || !take_char(at, '-'))
		return -1;
	day = take_digits(at, 2, 31);
	if (day < 1 || day > days_in_month(year, month))
		return -1;
	*ret = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
	return 0;
}

/* "15", "15:04", "15:04:05" or "15:04:05.9"; the last two only when whole. */
static int take_clock(const char **at, bool whole, struct tm *tm, long *ret_ns)
{
	*ret_ns = 0;
	tm->tm_hour = take_digits(at, 2, 23);
	if (tm->tm_hour >= 0 && take_char(at, ':')) {
		tm->tm_min = take_digits(at, 2, 59);
		if (tm->tm_min >= 0 && take_char(at, ':')) {
			tm->tm_sec = take_digits(at, 2, 59);
			if (tm->tm_sec >= 0 && (**at == '.' || **at == ',')) {
				(*at)++;
				*ret_ns = take_fraction(at);
			}
			whole = false;
		}
	}
	return whole || tm->tm_hour < 0 || tm->tm_min < 0 || tm->tm_sec < 0 || *ret_ns < 0 ? -1 : 0;
}

/* "Z" or "-07:00" as seconds east of UTC */
static int take_zone(const char **at, int *ret_offset_secs)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_offset_secs = 0;
	if (take_char(at, 'Z'))
		return 0;
	if (!take_char(at, '+') && !take_char(at, '-'))
		return -1;
	hours = take_digits(at, 2, 24);
	if (hours < 0 || !take_char(at, ':'))
		return -1;
	minutes = take_digits(at, 2, 60);
	if (minutes < 0)
		return -1;
	*ret_offset_secs = sign * (hours * 3600 + minutes * 60);
	return 0;
}

int human_time_parse(const char *text, struct timespec *ret, int *ret_offset_secs,
		     struct error *err)
{
	const char *at = text;
	struct tm tm;
	int offset;
	long ns;

	if (take_date(&at, &tm) < 0 || !take_char(&at, 'T') ||
	    take_clock(&at, true, &tm, &ns) < 0 || take_zone(&at, &offset) < 0 || *at)
		return err_set(err, ERR_CORRUPT, "invalid time '%.64s'", text);
	*ret = (struct timespec){ .tv_sec = timegm(&tm) - offset, .tv_nsec = ns };
	if (ret_offset_secs)
		*ret_offset_secs = offset;
	return 0;
}

struct human_text human_time_local(const struct timespec *time)
{
	struct human_text ret = { "" };
	char zone[32];
	struct tm tm;

	if (!localtime_r(&time->tv_sec, &tm))
		return ret;
	strftime(zone, sizeof(zone), "%z %Z", &tm);
	snprintf(ret.text, sizeof(ret.text), "%04ld-%02d-%02d %02d:%02d:%02d %s",
		 tm.tm_year + 1900L, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 zone);
	return ret;
}

static struct human_text rfc3339(int64_t secs, const char *fraction, int offset_secs)
{
	int minutes = (offset_secs < 0 ? -offset_secs : offset_secs) / 60;
	struct human_text ret = { "" };
	time_t shifted;
	struct tm tm;
	size_t len;

	if (__builtin_add_overflow(secs, offset_secs, &shifted) || !gmtime_r(&shifted, &tm))
		return ret;
	len = (size_t)snprintf(ret.text, sizeof(ret.text), "%04ld-%02d-%02dT%02d:%02d:%02d%s",
			       tm.tm_year + 1900L, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			       tm.tm_sec, fraction);
	if (offset_secs == 0)
		snprintf(ret.text + len, sizeof(ret.text) - len, "Z");
	else
		snprintf(ret.text + len, sizeof(ret.text) - len, "%c%02d:%02d",
			 offset_secs < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return ret;
}

struct human_text human_time_rfc3339(const struct timespec *time)
{
	struct tm tm;

	if (!localtime_r(&time->tv_sec, &tm))
		return (struct human_text){ "" };
	return rfc3339(time->tv_sec, "", (int)tm.tm_gmtoff);
}

struct human_text human_time_rfc3339_nano(const struct timespec *time, int offset_secs)
{
	char fraction[32];
	size_t len;

	len = (size_t)snprintf(fraction, sizeof(fraction), ".%09ld", (long)time->tv_nsec);
	while (len && (fraction[len - 1] == '0' || fraction[len - 1] == '.'))
		fraction[--len] = '\0';
	return rfc3339(time->tv_sec, fraction, offset_secs);
}

/* value / 10^digits, without zeros at the end: "1.5" */
static void put_decimal(struct buf *ret, uint64_t value, int digits)
{
	uint64_t unit = 1, rest;

	for (int i = 0; i < digits; i++)
		unit *= 10;
	rest = value % unit;
	buf_printf(ret, "%" PRIu64, value / unit);
	if (!rest)
		return;
	for (; rest % 10 == 0; digits--)
		rest /= 10;
	buf_printf(ret, ".%0*" PRIu64, digits, rest);
}

struct human_text human_go_duration(int64_t ns)
{
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, secs = left / NS_PER_SEC;
	static const char *const units[] = { "ns", "µs", "ms" };
	auto_buf struct buf text = { 0 };
	struct human_text ret;

	buf_puts(&text, ns < 0 ? "-" : "");
	if (secs >= 3600)
		buf_printf(&text, "%" PRIu64 "h", secs / 3600);
	if (secs >= 60)
		buf_printf(&text, "%" PRIu64 "m", secs / 60 % 60);
	if (secs || !left) {
		put_decimal(&text, left % (60 * NS_PER_SEC), 9);
		buf_putc(&text, 's');
	} else {
		int unit = left >= 1000000 ? 2 : left >= 1000;

		put_decimal(&text, left, 3 * unit);
		buf_puts(&text, units[unit]);
	}
	snprintf(ret.text, sizeof(ret.text), "%s", text.data);
	return ret;
}

/* Go: the digits count as long as they fit, the rest only moves on. */
static int take_number(const char **at, uint64_t *ret)
{
	for (*ret = 0; isdigit((unsigned char)**at); (*at)++)
		if (__builtin_mul_overflow(*ret, UINT64_C(10), ret) ||
		    __builtin_add_overflow(*ret, (uint64_t)(**at - '0'), ret) ||
		    *ret > UINT64_C(1) << 63)
			return -1;
	return 0;
}

static uint64_t take_unit(const char **at, size_t *ret_len)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 },
		      { "us", 1000 },
		      { "\302\265s", 1000 }, /* U+00B5 micro sign */
		      { "\316\274s", 1000 }, /* U+03BC Greek mu */
		      { "ms", 1000000 },
		      { "s", NS_PER_SEC },
		      { "m", 60 * NS_PER_SEC },
		      { "h", 3600 * NS_PER_SEC } };
	size_t len = strcspn(*at, ".0123456789");

	*ret_len = len;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].name) == len && memcmp(*at, units[i].name, len) == 0) {
			*at += len;
			return units[i].ns;
		}
	}
	return 0;
}

/* One "1.5h"; adds to *total. */
static int take_duration_part(const char **at, const char *text, uint64_t *total, struct error *err)
{
	const char *start = *at;
	uint64_t whole, unit, part;
	double fraction = 0, scale = 1;
	size_t unit_len;
	bool fits = take_number(at, &whole) == 0, digits = *at != start;

	if (fits && take_char(at, '.')) {
		for (int nr = 0; isdigit((unsigned char)**at); (*at)++, digits = true) {
			if (nr++ >= FRACTION_DIGITS)
				continue;
			fraction = 10 * fraction + (**at - '0');
			scale *= 10;
		}
	}
	if (!fits || !digits)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	start = *at;
	unit = take_unit(at, &unit_len);
	if (unit_len == 0)
		return err_set(err, ERR_USAGE, "time: missing unit in duration \"%.64s\"", text);
	if (!unit)
		return err_set(err, ERR_USAGE, "time: unknown unit \"%.*s\" in duration \"%.64s\"",
			       unit_len < 32 ? (int)unit_len : 32, start, text);
	if (__builtin_mul_overflow(whole, unit, &part) ||
	    __builtin_add_overflow(part, (uint64_t)(fraction * ((double)unit / scale)), &part) ||
	    __builtin_add_overflow(*total, part, total) || *total > UINT64_C(1) << 63)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	return 0;
}

int human_duration_parse(const char *text, int64_t *ret_ns, struct error *err)
{
	bool negative = *text == '-';
	const char *at = text + (*text == '-' || *text == '+');
	uint64_t total = 0;

	if (strcmp(at, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*at)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	while (*at)
		if (take_duration_part(&at, text, &total, err) < 0)
			return -1;
	if (total > INT64_MAX && !negative)
		return err_set(err, ERR_USAGE, "time: invalid duration \"%.64s\"", text);
	*ret_ns = (int64_t)(negative ? -total : total);
	return 0;
}

/* RFC 3339, shortened from the right, down to the date */
static int parse_short_time(const char *text, const struct timespec *now, struct timespec *ret)
{
	const char *at = text;
	struct tm tm, local;
	int offset = 0, dashes = 0;
	long ns = 0;

	for (const char *p = text; *p; p++)
		dashes += *p == '-';
	if (take_date(&at, &tm) < 0)
		return -1;
	if (take_char(&at, 'T') && take_clock(&at, false, &tm, &ns) < 0)
		return -1;
	if (strpbrk(text, "zZ+") || dashes == 3) {
		if (take_zone(&at, &offset) < 0)
			return -1;
	} else if (localtime_r(&now->tv_sec, &local)) {
		offset = (int)local.tm_gmtoff; /* of now, not of that day: as Docker does */
	}
	if (*at)
		return -1;
	*ret = (struct timespec){ .tv_sec = timegm(&tm) - offset, .tv_nsec = ns };
	return 0;
}

/* "1136073600" or "1136073600.000000001" */
static int parse_unix_time(const char *text, struct timespec *ret)
{
	uint64_t secs;
	long ns = 0;

	if (*text == '+')
		text++;
	if (!isdigit((unsigned char)*text) || take_number(&text, &secs) < 0 || secs > INT64_MAX)
		return -1;
	if (take_char(&text, '.')) {
		if (strlen(text) > FRACTION_DIGITS)
			return -1;
		ns = take_fraction(&text);
	}
	if (*text || ns < 0)
		return -1;
	*ret = (struct timespec){ .tv_sec = (time_t)secs, .tv_nsec = ns };
	return 0;
}

int human_until_parse(const char *text, const struct timespec *now, struct timespec *ret,
		      struct error *err)
{
	struct error ignored;
	int64_t ns;

	if (strcmp(text, "0") != 0 && human_duration_parse(text, &ns, &ignored) == 0) {
		struct timespec back = human_time_from_ns(ns);

		/* Docker passes whole seconds on. */
		ret->tv_sec = now->tv_sec - back.tv_sec - (now->tv_nsec < back.tv_nsec);
		ret->tv_nsec = 0;
		return 0;
	}
	if (parse_short_time(text, now, ret) == 0)
		return 0;
	if (strchr(text, '-'))
		return err_set(err, ERR_USAGE, UNTIL_PREFIX "parsing time \"%.64s\": cannot parse",
			       text);
	if (parse_unix_time(text, ret) < 0)
		return err_set(err, ERR_USAGE,
			       UNTIL_PREFIX "failed to parse value as time or duration: \"%.64s\"",
			       text);
	return 0;
}

char *human_ellipsis(const char *text, size_t width)
{
	const char *end = text + strlen(text), *at = text, *cut = text;
	struct buf ret = { 0 };
	size_t cells = 0;

	if (width == 0)
		return xstrdup("");
	if (utf8_cells(text, (size_t)(end - text)) <= width)
		return xstrdup(text);
	while (at < end && cells < width) {
		cut = at;
		cells += (size_t)utf8_rune_cells(utf8_next(&at, end, NULL));
	}
	buf_append(&ret, text, (size_t)(cut - text));
	buf_puts(&ret, "\u2026");
	return buf_take(&ret);
}

char *human_created_by(const char *text, bool whole)
{
	auto_free char *line = xstrdup(text);

	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return whole ? take_ptr(line) : human_ellipsis(line, CREATED_BY_WIDTH);
}

struct human_text human_short_id(const char *id)
{
	const char *colon = strchr(id, ':');
	struct human_text ret;

	snprintf(ret.text, sizeof(ret.text), "%.12s", colon ? colon + 1 : id);
	return ret;
}
