/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "build/context.h"
#include "buildshow.h"
#include "limits.h"

#define STDIN_MAX (64 * 1024 * 1024)

static int fail(const struct error *err)
{
	fflush(stdout); /* so that the two keep their order in one pipe */
	fprintf(stderr, "%s\n", err->text);
	return 1;
}

static int read_stdin(struct buf *ret, struct error *err)
{
	char chunk[65536];
	ssize_t len;

	buf_puts(ret, "");
	while ((len = io_read(STDIN_FILENO, chunk, sizeof(chunk), err)) > 0) {
		buf_append(ret, chunk, (size_t)len);
		if (ret->len > STDIN_MAX)
			return err_set(err, ERR_LIMIT, "more than %d bytes", STDIN_MAX);
	}
	return len < 0 ? -1 : 0;
}

static int run_dockerfile(char *const argv[])
{
	auto_dockerfile struct dockerfile file = { 0 };
	auto_buf struct buf in = { 0 }, out = { 0 };
	struct lex_range where;
	struct error err;

	(void)argv;
	if (read_stdin(&in, &err) < 0 ||
	    dockerfile_parse(in.data, in.len, "Dockerfile", &file, &where, &err) < 0)
		return fail(&err);
	buildshow_dockerfile(&file, &out);
	fwrite(out.data, 1, out.len, stdout);
	for (size_t i = 0; i < file.lex.nr_warnings; i++)
		fprintf(stderr, "[WARNING]: %s\n", file.lex.warnings[i].text);
	return 0;
}

typedef int word_fn(const char *word, char *const *env, char escape, struct buf *out,
		    struct error *err);

/* Lines of stdin, each a text; values come from the environment. */
static int run_words(char *const argv[], word_fn *fn)
{
	auto_buf struct buf in = { 0 };
	struct error err;
	int status = 0;

	if (read_stdin(&in, &err) < 0)
		return fail(&err);
	for (char *line = in.data; *line;) {
		size_t len = strcspn(line, "\n");
		bool last = !line[len];
		auto_buf struct buf out = { 0 };

		line[len] = '\0';
		if (fn(line, environ, argv[0] ? *argv[0] : '\\', &out, &err) < 0)
			status = fail(&err);
		else
			fwrite(out.data, 1, out.len, stdout);
		line += len + !last;
	}
	return status;
}

static int run_expand(char *const argv[])
{
	return run_words(argv, buildshow_expand);
}

static int run_split(char *const argv[])
{
	return run_words(argv, buildshow_words);
}

static int run_ignore(char *const argv[])
{
	auto_ignore struct ignore *ignore = NULL;
	auto_buf struct buf patterns = { 0 }, in = { 0 };
	struct error err;

	if (!argv[0]) {
		fprintf(stderr, "ignore: no file of patterns given\n");
		return 1;
	}
	if (io_read_file(AT_FDCWD, argv[0], LIMIT_IGNORE_BYTES, &patterns, &err) < 0 ||
	    ignore_parse(patterns.data, patterns.len, &ignore, &err) < 0 ||
	    read_stdin(&in, &err) < 0)
		return fail(&err);
	for (char *line = in.data; *line;) {
		size_t len = strcspn(line, "\n");
		bool last = !line[len];

		line[len] = '\0';
		printf("%s\n", buildshow_ignore(ignore, line));
		line += len + !last;
	}
	return 0;
}

/* The hash of a folder, with its .dockerignore, or of what SOURCE names in it */
static int run_context_hash(char *const argv[])
{
	auto_ignore struct ignore *ignore = NULL;
	auto_context_sources struct context_sources sources = { 0 };
	auto_buf struct buf patterns = { 0 };
	auto_fd int fd = open(argv[0] ? argv[0] : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct context context = { .root_fd = fd };
	struct digest digest;
	struct error err;

	if (fd < 0) {
		err_sys(&err, errno, "open '%s'", argv[0] ? argv[0] : ".");
		return fail(&err);
	}
	if (io_read_file(fd, ".dockerignore", LIMIT_IGNORE_BYTES, &patterns, &err) < 0 &&
	    err.kind != ERR_NOT_FOUND)
		return fail(&err);
	if (ignore_parse(patterns.data ? patterns.data : "", patterns.len, &ignore, &err) < 0)
		return fail(&err);
	context.ignore = ignore;
	if (context_find(&context, argv[0] && argv[1] ? argv[1] : ".", false, &sources, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < sources.nr; i++) {
		if (context_hash(&context, &sources.items[i], NULL, false, &digest, &err) < 0)
			return fail(&err);
		printf("%s %s\n", digest.text, sources.items[i].path);
	}
	return 0;
}

int build_tool(const char *name, char *const argv[])
{
	static const struct {
		const char *name;
		int (*run)(char *const argv[]);
	} tools[] = {
		{ "dockerfile", run_dockerfile },
		{ "expand", run_expand },
		{ "words", run_split },
		{ "ignore", run_ignore },
		{ "context-hash", run_context_hash },
	};

	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (strcmp(tools[i].name, name) == 0)
			return tools[i].run(argv);
	return -1;
}
