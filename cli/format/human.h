/* SPDX-License-Identifier: Apache-2.0 */
/*
 * human - sizes, times and names in the words Docker uses
 *
 * Nothing here knows when to say "N/A": that is the caller's rule. Texts that
 * fit a small struct are returned by value: human_size(n, HUMAN_LIST).text
 * Source: spec/cli.md section 1
 */
#ifndef FORMAT_HUMAN_H
#define FORMAT_HUMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

struct human_text {
	char text[80];
};

/* Significant digits of a size */
#define HUMAN_LIST  3 /* images, history, ps */
#define HUMAN_TOTAL 4 /* prune totals, system df, progress, shared and unique size */

/* "0B", "1.05MB", "1e+03kB": decimal units, no blank. */
struct human_text human_size(int64_t bytes, int digits);

/* "Less than a second", "About a minute", "2 weeks"; a start in the future is the first. */
struct human_text human_duration(const struct timespec *start, const struct timespec *now);
/* human_duration and " ago" */
struct human_text human_since(const struct timespec *start, const struct timespec *now);

struct timespec human_now(void);
struct timespec human_time_from_ns(int64_t ns);
/* Saturates: 64-bit nanoseconds reach from the year 1677 to 2262. */
int64_t human_time_to_ns(const struct timespec *time);
/* Go's zero time, 1 January of the year 1: "no time was set". */
bool human_time_is_zero(const struct timespec *time);

/**
 * human_time_parse - an RFC 3339 time
 * @ret_offset_secs: zone, east of UTC; may be NULL
 *
 * Digits beyond nanoseconds are dropped. Returns 0, or -1 with ERR_CORRUPT.
 */
int human_time_parse(const char *text, struct timespec *ret, int *ret_offset_secs,
		     struct error *err);

/* "2006-01-02 15:04:05 -0700 MST" in the local zone */
struct human_text human_time_local(const struct timespec *time);
/* "2006-01-02T15:04:05-07:00" in the local zone, "Z" for UTC */
struct human_text human_time_rfc3339(const struct timespec *time);
/* "2006-01-02T15:04:05.9Z", trailing zeros of the fraction trimmed, in a given zone */
struct human_text human_time_rfc3339_nano(const struct timespec *time, int offset_secs);

/**
 * human_until_parse - the value of an `until` filter
 * @text: a Go duration before now ("1h30m"), Unix seconds, or RFC 3339 down to a date
 *
 * Local zone where none is given. Returns 0, or -1 with ERR_USAGE and Docker's text.
 */
int human_until_parse(const char *text, const struct timespec *now, struct timespec *ret,
		      struct error *err);

/* Go's time.Duration as text: "1h30m0s", "1.5s", "20ms" */
struct human_text human_go_duration(int64_t ns);

/* Go's time.ParseDuration. Returns 0, or -1 with ERR_USAGE. */
int human_duration_parse(const char *text, int64_t *ret_ns, struct error *err);

/* Returns new: text cut to width - 1 display cells and "…" when it is wider than width. */
char *human_ellipsis(const char *text, size_t width);

/* Returns new: a history's command as a cell of a table: no tabs, 45 cells at most unless whole. */
char *human_created_by(const char *text, bool whole);

/* The first 12 characters behind an "algorithm:" prefix, if there is one. */
struct human_text human_short_id(const char *id);

#endif
