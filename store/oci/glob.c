/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/glob.h"

#include <stddef.h>
#include <string.h>

#include "base/utf8.h"

uint32_t glob_next(const char **at)
{
	const char *start = *at;
	uint32_t c;
	bool valid;

	c = utf8_next(at, start + strnlen(start, 4), &valid);
	return valid ? c : 0x110000u + (unsigned char)*start;
}

/* One character of a class; NULL when there must be one and is none. */
static const char *class_char(const char *at, uint32_t *ret)
{
	if (*at == '\0' || *at == '-' || *at == ']')
		return NULL;
	if (*at == '\\' && !*++at)
		return NULL;
	*ret = glob_next(&at);
	return *at ? at : NULL;
}

const char *glob_class(const char *at, uint32_t c, bool *ret)
{
	bool negated = *at == '^', found = false, any = false;

	for (at += negated; *at != ']' || !any; any = true) {
		uint32_t low, high;

		at = class_char(at, &low);
		if (!at)
			return NULL;
		high = low;
		if (*at == '-') {
			at = class_char(at + 1, &high);
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
			pattern = glob_class(pattern + 1, 0, &ignored);
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

/* Matches one character by what is no '*': the rest of the pattern, or NULL. */
static const char *match_one(const char *pattern, uint32_t c)
{
	bool matched;

	if (!*pattern)
		return NULL;
	if (*pattern == '[') {
		pattern = glob_class(pattern + 1, c, &matched);
		return matched ? pattern : NULL;
	}
	if (*pattern == '?')
		return c == '/' ? NULL : pattern + 1;
	if (*pattern == '\\')
		pattern++;
	return glob_next(&pattern) == c ? pattern : NULL;
}

/* Only the last '*' is ever widened: a longer run for an earlier one cannot help. */
static bool match(const char *pattern, const char *text)
{
	const char *star = NULL, *star_text = NULL;

	while (*text || *pattern) {
		const char *rest = NULL, *next = text;

		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		if (*text)
			rest = match_one(pattern, glob_next(&next));
		if (rest) {
			pattern = rest;
			text = next;
			continue;
		}
		if (!star || !*star_text || *star_text == '/')
			return false;
		glob_next(&star_text);
		pattern = star;
		text = star_text;
	}
	return true;
}

int glob_check(const char *pattern, struct error *err)
{
	if (is_valid(pattern))
		return 0;
	return err_set(err, ERR_USAGE, "syntax error in pattern");
}

int glob_match(const char *pattern, const char *text, struct error *err)
{
	if (glob_check(pattern, err) < 0)
		return -1;
	return match(pattern, text);
}

bool glob_has_wildcard(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") != NULL;
}
