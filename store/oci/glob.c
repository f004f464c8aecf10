/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/glob.h"

#include <stdbool.h>
#include <stddef.h>

/* One byte of a class; NULL when there must be one and is none. */
static const char *class_byte(const char *at, unsigned char *ret)
{
	if (*at == '\0' || *at == '-' || *at == ']')
		return NULL;
	if (*at == '\\')
		at++;
	*ret = (unsigned char)*at;
	return *at ? at + 1 : NULL;
}

/* at: behind '['. Returns what is behind ']', or NULL for a syntax error. */
static const char *match_class(const char *at, unsigned char c, bool *ret)
{
	bool negated = *at == '^', found = false, any = false;

	for (at += negated; *at != ']' || !any; any = true) {
		unsigned char low, high;

		at = class_byte(at, &low);
		if (!at)
			return NULL;
		high = low;
		if (*at == '-') {
			at = class_byte(at + 1, &high);
			if (!at)
				return NULL;
		}
		found = found || (low <= c && c <= high);
	}
	*ret = found != negated;
	return at + 1;
}

static bool is_valid(const char *pattern)
{
	bool ignored;

	while (*pattern) {
		if (*pattern == '[') {
			pattern = match_class(pattern + 1, 0, &ignored);
			if (!pattern)
				return false;
			continue;
		}
		if (*pattern == '\\' && !*++pattern)
			return false;
		pattern++;
	}
	return true;
}

/* Matches one byte that is no '*': the rest of the pattern, or NULL. */
static const char *match_one(const char *pattern, char c)
{
	bool matched;

	if (!c || !*pattern)
		return NULL;
	if (*pattern == '[') {
		pattern = match_class(pattern + 1, (unsigned char)c, &matched);
		return matched ? pattern : NULL;
	}
	if (*pattern == '?')
		return c == '/' ? NULL : pattern + 1;
	if (*pattern == '\\')
		pattern++;
	return *pattern == c ? pattern + 1 : NULL;
}

/* Only the last '*' is ever widened: a longer run for an earlier one cannot help. */
static bool match(const char *pattern, const char *text)
{
	const char *star = NULL, *star_text = NULL;

	while (*text || *pattern) {
		const char *rest;

		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		rest = match_one(pattern, *text);
		if (rest) {
			pattern = rest;
			text++;
			continue;
		}
		if (!star || !*star_text || *star_text == '/')
			return false;
		pattern = star;
		text = ++star_text;
	}
	return true;
}

int glob_match(const char *pattern, const char *text, struct error *err)
{
	if (!is_valid(pattern))
		return err_set(err, ERR_USAGE, "syntax error in pattern");
	return match(pattern, text);
}
