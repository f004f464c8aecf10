/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/subst.h"

#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "oci/glob.h"

/* Beyond what glob_next() returns: the wildcards of a pattern. */
#define ANY_RUN UINT32_MAX
#define ANY_ONE (UINT32_MAX - 1)

/* Characters, so that a text can be read from either end. */
struct chars {
	uint32_t *at;
	size_t nr;
};

static void chars_done(struct chars *chars)
{
	free(chars->at);
}
#define auto_chars __attribute__((cleanup(chars_done)))

static void load_value(const char *text, struct chars *ret)
{
	ret->at = xcalloc(strlen(text), sizeof(*ret->at));
	while (*text)
		ret->at[ret->nr++] = glob_next(&text);
}

static int load_pattern(const char *text, struct chars *ret, struct error *err)
{
	const char *p = text;

	ret->at = xcalloc(strlen(text), sizeof(*ret->at));
	while (*p) {
		if (*p == '*' || *p == '?') {
			ret->at[ret->nr++] = *p++ == '*' ? ANY_RUN : ANY_ONE;
			continue;
		}
		if (*p == '\\') {
			p++;
			if (*p == '}' || *p == '/')
				continue;
			if (!*p || !strchr("*?\\", *p))
				return err_set(err, ERR_USAGE,
					       "invalid pattern (%.128s) in substitution: "
					       "invalid escape '\\%.1s'",
					       text, p);
		}
		ret->at[ret->nr++] = glob_next(&p);
	}
	return 0;
}

static void reverse(struct chars *chars)
{
	for (size_t i = 0; i < chars->nr / 2; i++) {
		uint32_t c = chars->at[i];

		chars->at[i] = chars->at[chars->nr - 1 - i];
		chars->at[chars->nr - 1 - i] = c;
	}
}

static void put_chars(struct buf *ret, const char *text, size_t nr)
{
	const char *end = text;

	for (size_t i = 0; i < nr; i++)
		glob_next(&end);
	buf_append(ret, text, (size_t)(end - text));
}

/* What is left of both texts. */
struct match {
	const uint32_t *value, *pattern;
	size_t nr_value, nr_pattern;
	size_t *left;
};

/* The characters of the pattern up to its next run of any. */
static size_t segment_length(const struct match *m)
{
	size_t len = 0;

	while (len < m->nr_pattern && m->pattern[len] != ANY_RUN)
		len++;
	return len;
}

/* 1, 0, or -1 when the budget is used up */
static int segment_at(const struct match *m, size_t at, size_t len)
{
	if (len > m->nr_value - at)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!*m->left)
			return -1;
		--*m->left;
		if (m->pattern[i] != ANY_ONE && m->pattern[i] != m->value[at + i])
			return 0;
	}
	return 1;
}

/* Where the segment is found, from the front or from the back; nr_value + 1: nowhere; -1 */
static ssize_t find_segment(const struct match *m, size_t len, bool last)
{
	for (size_t i = 0; i <= m->nr_value; i++) {
		size_t at = last ? m->nr_value - i : i;
		int found = segment_at(m, at, len);

		if (found)
			return found < 0 ? -1 : (ssize_t)at;
	}
	return (ssize_t)m->nr_value + 1;
}

/*
 * Characters that the pattern matches at the start of the value; nr_value + 1 for
 * none, -1 when the budget is used up. Each segment between two runs is taken where
 * it comes first: that leaves the most to the others. Only the last one decides.
 */
static ssize_t match_prefix(struct match m, bool longest)
{
	const size_t none = m.nr_value + 1, all = m.nr_value;
	size_t len = segment_length(&m), done = len;
	int found = segment_at(&m, 0, len);

	if (found <= 0)
		return found < 0 ? -1 : (ssize_t)none;
	while (len < m.nr_pattern) {
		ssize_t at;

		m.value += len;
		m.nr_value -= len;
		m.pattern += len + 1;
		m.nr_pattern -= len + 1;
		len = segment_length(&m);
		if (!len && !m.nr_pattern && longest)
			return (ssize_t)all;
		at = find_segment(&m, len, longest && len == m.nr_pattern);
		if (at < 0 || (size_t)at > m.nr_value)
			return at < 0 ? -1 : (ssize_t)none;
		m.value += at;
		m.nr_value -= (size_t)at;
		done += (size_t)at + len;
	}
	return (ssize_t)done;
}

static int out_of_budget(struct error *err)
{
	return err_set(err, ERR_LIMIT, "the patterns of an instruction take too long to match");
}

int subst_trim(const char *value, const char *pattern, enum subst_end end, bool longest,
	       size_t *left, struct buf *ret, struct error *err)
{
	auto_chars struct chars text = { 0 }, glob = { 0 };
	ssize_t len;

	if (load_pattern(pattern, &glob, err) < 0)
		return -1;
	load_value(value, &text);
	if (end == SUBST_SUFFIX) {
		reverse(&text);
		reverse(&glob);
	}
	len = match_prefix((struct match){ text.at, glob.at, text.nr, glob.nr, left }, longest);
	if (len < 0)
		return out_of_budget(err);
	if ((size_t)len > text.nr)
		len = 0;
	for (ssize_t i = 0; end == SUBST_PREFIX && i < len; i++)
		glob_next(&value);
	put_chars(ret, value, text.nr - (size_t)len);
	return 0;
}

int subst_replace(const char *value, const char *pattern, const char *replacement, bool all,
		  size_t *left, struct buf *ret, struct error *err)
{
	auto_chars struct chars text = { 0 }, glob = { 0 };
	bool replaced = false;
	size_t at = 0, last_end = 0;

	if (load_pattern(pattern, &glob, err) < 0)
		return -1;
	load_value(value, &text);
	while (at <= text.nr && (all || !replaced)) {
		struct match m = { text.at + at, glob.at, text.nr - at, glob.nr, left };
		ssize_t len = match_prefix(m, true);

		if (len < 0)
			return out_of_budget(err);
		if ((size_t)len > m.nr_value || (!len && replaced && at == last_end)) {
			len = 0; /* none, or an empty one right behind another */
		} else {
			buf_puts(ret, replacement);
			replaced = true;
			last_end = at + (size_t)len;
		}
		for (ssize_t i = 0; i < len; i++)
			glob_next(&value);
		if (!len && *value) {
			put_chars(ret, value, 1);
			glob_next(&value);
		}
		at += len ? (size_t)len : 1;
	}
	buf_puts(ret, value);
	return 0;
}
