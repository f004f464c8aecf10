/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ignore - ignore files and paths. Seeds: tests/spec/ignore
 *
 * Patterns, a line "--", then paths. Beyond "no crash": what a folder may hold agrees
 * with what is held, and a pattern without "**" says what Go's Match() says.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "build/ignore.h"
#include "build/wild.h"
#include "fuzz.h"
#include "oci/glob.h"

/* If a folder above is excluded and nothing may be included below it, the path is excluded. */
static void check_path(const struct ignore *ignore, char *path)
{
	bool excluded = ignore_excludes(ignore, path);

	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		must(excluded || !ignore_excludes(ignore, path) ||
			     ignore_may_include_below(ignore, path),
		     "a folder that is not walked holds nothing");
		*slash = '/';
	}
}

static void check_pattern(const char *pattern, char *path)
{
	auto_wild struct wild *wild = NULL;
	struct error err;
	int matches;
	bool matched;

	if (wild_new(pattern, &wild, &err) < 0)
		return;
	matched = wild_match(wild, path);
	matches = glob_match(pattern, path, &err);
	must(matches >= 0, "both take the pattern");
	if (!strstr(pattern, "**"))
		must(matches == matched, "one star is one star");
	for (char *slash = strchr(path, '/'); slash && matched; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		must(!slash[1] || wild_may_match_below(wild, path), "a match below was foreseen");
		*slash = '/';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_ignore struct ignore *ignore = NULL;
	auto_buf struct buf input = { 0 }, clean = { 0 };
	struct error err;
	char *paths;

	buf_append(&input, data, len);
	paths = strstr(input.data, "\n--\n");
	if (!paths || ignore_parse(input.data, (size_t)(paths + 1 - input.data), &ignore, &err) < 0)
		return 0;
	input.data[strcspn(input.data, "\n")] = '\0';
	for (char *line = paths + 4, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (path_clean(line, &clean, &err) < 0 || clean.len > 4096)
			continue;
		check_path(ignore, clean.data);
		check_pattern(input.data, clean.data);
	}
	return 0;
}
