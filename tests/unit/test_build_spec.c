/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec folders of the build room: tests/spec/{dockerfile,expand,ignore}/CASE with
 * `input` and `expected`. UPDATE_SPEC=1 writes `expected` anew; read it before it is
 * committed.
 *
 *	dockerfile  a Dockerfile; where it is wrong is shown as a build shows it
 *	expand      "NAME=value" lines, perhaps "escape `", an empty line, then words
 *	ignore      patterns, a line "--", then paths
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "buildshow.h"
#include "unit.h"

static void show_dockerfile(char *in, size_t len, struct buf *out)
{
	auto_dockerfile struct dockerfile file = { 0 };
	struct lex_range where;
	struct error err;

	if (dockerfile_parse(in, len, "Dockerfile", &file, &where, &err) < 0) {
		buf_printf(out, "error: %s\n", err.text);
		dockerfile_excerpt(in, len, "Dockerfile", &where, out);
		return;
	}
	buildshow_dockerfile(&file, out);
	for (size_t i = 0; i < file.lex.nr_warnings; i++)
		buf_printf(out, "warning on line %u: %s\n", file.lex.warnings[i].range.first,
			   file.lex.warnings[i].text);
}

/* Ends the line at hand; returns the next one, or NULL. */
static char *cut_line(char *line)
{
	char *newline = strchr(line, '\n');

	if (!newline)
		return NULL;
	*newline = '\0';
	return newline[1] ? newline + 1 : NULL;
}

static void show_expand(char *in, size_t len, struct buf *out)
{
	auto_strlist struct strlist env = { 0 };
	char escape = '\\', *line = in, *next;
	struct error err;

	(void)len;
	for (; line && *line != '\n'; line = next) {
		next = cut_line(line);
		if (strncmp(line, "escape ", 7) == 0)
			escape = line[7];
		else
			strlist_add(&env, line);
	}
	for (line = line ? line + 1 : NULL; line; line = next) {
		next = cut_line(line);
		if (buildshow_expand(line, env.items, escape, out, &err) < 0)
			buf_printf(out, "error: %s\n", err.text);
		else
			buildshow_words(line, env.items, escape, out, &err);
	}
}

static void show_ignore(char *in, size_t len, struct buf *out)
{
	auto_ignore struct ignore *ignore = NULL;
	char *line = strstr(in, "\n--\n"), *next;
	struct error err;

	(void)len;
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	if (ignore_parse(in, (size_t)(line + 1 - in), &ignore, &err) < 0) {
		buf_printf(out, "error: %s\n", err.text);
		return;
	}
	for (line += 4; line && *line; line = next) {
		next = cut_line(line);
		buf_printf(out, "%s %s\n", buildshow_ignore(ignore, line), line);
	}
}

typedef void show_fn(char *in, size_t len, struct buf *out);

static void check_case(const char *folder, show_fn *show)
{
	auto_free char *input = xasprintf("%s/input", folder);
	auto_free char *expected = xasprintf("%s/expected", folder);
	auto_buf struct buf in = { 0 }, out = { 0 }, want = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, input, 4 << 20, &in, &err));
	buf_puts(&in, "");
	buf_puts(&out, "");
	show(in.data, in.len, &out);
	if (getenv("UPDATE_SPEC"))
		CU_ASSERT_EQUAL_FATAL(
			0, io_replace_file(AT_FDCWD, expected, out.data, out.len, 0644, &err));
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, expected, 4 << 20, &want, &err));
	buf_puts(&want, "");
	if (strcmp(out.data, want.data) != 0) {
		fprintf(stderr, "\n%s gives\n%s", folder, out.data);
		CU_FAIL("another result than expected");
	}
}

static void check_all(const char *parser, show_fn *show, int at_least)
{
	auto_free char *folder = xasprintf("tests/spec/%s", parser);
	auto_dir DIR *dir = opendir(folder);
	struct dirent *entry;
	int nr = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		auto_free char *path = xasprintf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		check_case(path, show);
		nr++;
	}
	CU_ASSERT_TRUE(nr >= at_least);
}

static void test_dockerfiles(void)
{
	check_all("dockerfile", show_dockerfile, 120);
}

static void test_expansions(void)
{
	check_all("expand", show_expand, 10);
}

static void test_ignore_files(void)
{
	check_all("ignore", show_ignore, 20);
}

UNIT_SUITE(build_spec, { "Dockerfiles give instructions or the error of docker", test_dockerfiles },
	   { "words are expanded as in docker", test_expansions },
	   { "ignore files leave out what they do in docker", test_ignore_files });
