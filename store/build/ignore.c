/* SPDX-License-Identifier: Apache-2.0 */
#include "build/ignore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/wild.h"
#include "limits.h"

#define BOM "\xef\xbb\xbf"

struct pattern {
	struct wild *wild;
	bool include; /* "!" */
};

struct ignore {
	struct pattern *patterns;
	size_t nr;
};

void ignore_free(struct ignore *ignore)
{
	if (!ignore)
		return;
	for (size_t i = 0; i < ignore->nr; i++)
		wild_free(ignore->patterns[i].wild);
	free(ignore->patterns);
	free(ignore);
}

static bool is_blank(char c)
{
	return c && strchr(" \t\n\v\f\r", c);
}

/* Without blanks at either end. */
static char *trim(const char *text, size_t len)
{
	while (len && is_blank(*text)) {
		text++;
		len--;
	}
	while (len && is_blank(text[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, text);
}

/*
 * As Go's filepath.Clean(), then without a leading '/'. A ".." that nothing stands
 * before leaves the context, so that the pattern matches nothing there.
 */
static char *clean(const char *text)
{
	bool rooted = *text == '/';
	auto_buf struct buf path = { 0 };
	size_t kept = 0; /* bytes of leading ".." that nothing takes back */

	buf_puts(&path, "");
	while (*text) {
		size_t len = strcspn(text, "/");
		bool up = len == 2 && text[0] == '.' && text[1] == '.';

		if (up && path.len > kept) {
			while (path.len > kept && path.data[--path.len] != '/')
				;
			path.data[path.len] = '\0';
		} else if ((up && !rooted) || (!up && len && !(len == 1 && *text == '.'))) {
			if (path.len)
				buf_putc(&path, '/');
			buf_append(&path, text, len);
			kept = up ? path.len : kept;
		}
		text += len + (text[len] == '/');
	}
	return buf_take(&path);
}

static int add_pattern(struct ignore *ignore, const char *text, struct error *err)
{
	bool include = *text == '!';
	auto_free char *trimmed = trim(text + include, strlen(text + include));
	auto_free char *path = clean(trimmed);
	struct pattern *pattern;

	if (!*trimmed)
		return err_set(err, ERR_USAGE, "illegal exclusion pattern: \"!\"");
	if (ignore->nr == LIMIT_IGNORE_PATTERNS)
		return err_set(err, ERR_LIMIT, "more than %u patterns", LIMIT_IGNORE_PATTERNS);
	ignore->patterns = xrealloc(ignore->patterns, (ignore->nr + 1) * sizeof(*ignore->patterns));
	pattern = &ignore->patterns[ignore->nr];
	*pattern = (struct pattern){ .include = include };
	if (wild_new(path, &pattern->wild, err) < 0)
		return -1;
	ignore->nr++;
	return 0;
}

int ignore_new(const struct strlist *patterns, struct ignore **ret, struct error *err)
{
	auto_ignore struct ignore *ignore = xcalloc(1, sizeof(*ignore));

	for (size_t i = 0; i < patterns->nr; i++) {
		auto_free char *text = trim(patterns->items[i], strlen(patterns->items[i]));

		if (*text && add_pattern(ignore, text, err) < 0)
			return -1;
	}
	*ret = take_ptr(ignore);
	return 0;
}

static int parse_line(struct ignore *ignore, const char *line, size_t len, struct error *err)
{
	auto_free char *text = NULL;

	/* Only in the first column it is a comment. */
	if (len && *line == '#')
		return 0;
	if (memchr(line, '\0', len))
		return err_set(err, ERR_USAGE, "a pattern contains a NUL byte");
	text = trim(line, len);
	return *text ? add_pattern(ignore, text, err) : 0;
}

int ignore_parse(const void *data, size_t len, struct ignore **ret, struct error *err)
{
	auto_ignore struct ignore *ignore = xcalloc(1, sizeof(*ignore));
	const char *at = data, *end = at + len;

	if (len > LIMIT_IGNORE_BYTES)
		return err_set(err, ERR_LIMIT, "the ignore file is larger than %u bytes",
			       LIMIT_IGNORE_BYTES);
	if (len >= sizeof(BOM) - 1 && memcmp(at, BOM, sizeof(BOM) - 1) == 0)
		at += sizeof(BOM) - 1;
	for (unsigned int nr = 1; at < end; nr++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		if (parse_line(ignore, at, (size_t)(stop - at), err) < 0)
			return err_add(err, "line %u", nr);
		at = stop + 1;
	}
	*ret = take_ptr(ignore);
	return 0;
}

/* Does it match the path or a folder above it? path is as it was at the end. */
static bool matches(const struct wild *wild, char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool matched;

		*slash = '\0';
		matched = wild_match(wild, path);
		*slash = '/';
		if (matched)
			return true;
	}
	return wild_match(wild, path);
}

bool ignore_excludes(const struct ignore *ignore, const char *path)
{
	auto_free char *text = NULL;

	if (!ignore || !ignore->nr || !*path || strcmp(path, ".") == 0)
		return false;
	text = xstrdup(path);
	/* From the last one on: the first that matches decides. */
	for (size_t i = ignore->nr; i-- > 0;)
		if (matches(ignore->patterns[i].wild, text))
			return !ignore->patterns[i].include;
	return false;
}

bool ignore_may_include_below(const struct ignore *ignore, const char *folder)
{
	for (size_t i = 0; ignore && i < ignore->nr; i++)
		if (ignore->patterns[i].include &&
		    wild_may_match_below(ignore->patterns[i].wild, folder))
			return true;
	return false;
}
