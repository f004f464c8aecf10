/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "build/build.h"
#include "buildopts.h"
#include "buildplain.h"
#include "buildtty.h"
#include "cli.h"
#include "cmd.h"
#include "fetch.h"
#include "store.h"

/* ---- how the work is shown ---- */

struct show {
	enum build_progress kind;
	struct buildtrace quiet; /* of the three, the one of that kind */
	struct buildplain plain;
	struct buildtty tty;
	const struct buildtrace *trace; /* its own */
	struct build_events events;
};

static void show_done(struct show *show)
{
	buildtrace_done(&show->quiet);
	buildplain_done(&show->plain);
	buildtty_done(&show->tty);
}
#define auto_show __attribute__((cleanup(show_done)))

static void show_open(struct show *show, enum build_progress kind)
{
	*show = (struct show){ .kind = kind };
	switch (kind) {
	case BUILD_PROGRESS_PLAIN:
		buildplain_init(&show->plain, stderr);
		buildplain_events(&show->plain, &show->events);
		show->trace = &show->plain.trace;
		break;
	case BUILD_PROGRESS_TTY:
		buildtty_open(&show->tty, stderr);
		buildtty_events(&show->tty, &show->events);
		show->trace = &show->tty.trace;
		break;
	case BUILD_PROGRESS_QUIET:
		buildtrace_init(&show->quiet);
		buildtrace_events(&show->quiet, &show->events);
		show->trace = &show->quiet;
		break;
	}
}

static void say_text(const struct buf *text)
{
	auto_free char *line = NULL;

	if (!text->len)
		return;
	line = xasprintf("%.*s", (int)(text->len - (text->data[text->len - 1] == '\n')),
			 text->data);
	cli_say(line);
}

/* What failed, its last words, and where it stands in the Dockerfile. */
static int failed(const struct show *show, const struct build_report *report, struct error *err)
{
	auto_buf struct buf block = { 0 };

	buildtrace_put_failure(show->trace, &block);
	say_text(&block);
	if (err->kind == ERR_CANCELLED) {
		cli_say("ERROR: failed to build: failed to solve: Canceled: context canceled");
		return -1;
	}
	say_text(&report->excerpt);
	return err_add(err, "ERROR: failed to build: failed to solve");
}

/* ---- --iidfile ---- */

/* "/dev/stdout" and its like stay what they are. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* One of an earlier build must not stay when this one fails. */
static int remove_iidfile(const char *path, struct error *err)
{
	if (!path || !*path || is_special(path) || unlink(path) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, errno, "removing image ID file '%s'", path);
}

static int put_iidfile(const char *path, const char *id, struct error *err)
{
	auto_fd int fd = -1;

	if (!is_special(path))
		return io_replace_file(AT_FDCWD, path, id, strlen(id), 0644, err);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	return io_write(fd, id, strlen(id), err);
}

static int write_iidfile(const char *path, const char *id, struct error *err)
{
	if (path && *path && put_iidfile(path, id, err) < 0)
		return err_add(err, "writing image ID file");
	return 0;
}

/* ---- what comes from elsewhere ---- */

struct fetching {
	struct cli *cli;
	struct store *store;
};

static int fetch(void *ctx, const char *name, const char *platform, struct error *err)
{
	struct fetching *fetching = ctx;

	/* What is shown of the build would be mixed with what a pull shows. */
	return fetch_image(fetching->cli, fetching->store, name, platform, true, err);
}

static int download(void *ctx, const struct fetch_args *args, struct fetch_result *ret,
		    struct error *err)
{
	struct fetching *fetching = ctx;

	return fetch_file(fetching->cli, args, ret, err);
}

/* ---- the command ---- */

static int run_build(struct cli *cli, const void *values, struct error *err)
{
	const struct build_opts *opts = values;
	auto_buildopts struct buildopts build = { 0 };
	auto_build_report struct build_report report = { 0 };
	auto_store struct store *store = NULL;
	auto_show struct show show = { 0 };
	struct fetching fetching = { cli, NULL };
	int result;

	if (buildopts_read(cli, opts, buildtty_can(stderr), &build, err) < 0 ||
	    remove_iidfile(opts->iidfile, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	fetching.store = store;
	build.options.fetch = fetch;
	build.options.download = download;
	build.options.fetch_ctx = &fetching;
	show_open(&show, build.progress);
	result = build_image(store, &build.options, &show.events, &report, err);
	if (build.progress == BUILD_PROGRESS_TTY)
		buildtty_finish(&show.tty);
	if (result < 0)
		return failed(&show, &report, err);
	say_text(&report.warnings);
	if (write_iidfile(opts->iidfile, report.image.text, err) < 0)
		return -1;
	if (build.progress == BUILD_PROGRESS_QUIET)
		printf("%s\n", report.image.text);
	return 0;
}

static int check_build(const struct cli *cli, const void *values, struct error *err)
{
	auto_buildopts struct buildopts build = { 0 };

	return buildopts_read(cli, values, buildtty_can(stderr), &build, err);
}

static bool build_reads_stdin(const struct cli *cli, const void *values)
{
	const struct build_opts *opts = values;

	return strcmp(cli->words[0], "-") == 0 || (opts->file && strcmp(opts->file, "-") == 0);
}

/* The Dockerfile, which may be a pipe of the shell; that of a context from STDIN is in there. */
static const char *build_input_file(const struct cli *cli, const void *values)
{
	const struct build_opts *opts = values;

	if (build_reads_stdin(cli, values) || !opts->file || !*opts->file)
		return NULL;
	return opts->file;
}

/* The row of both names but for where they are found. */
#define BUILD_ROW                                                                                    \
	.name = "build", .synopsis = "[OPTIONS] PATH | URL | -",                                     \
	.summary = "Build an image from a Dockerfile",                                               \
	.details =                                                                                   \
		"PATH is the folder that COPY and ADD take files from; \"-\" reads a tar archive\n"  \
		"of it from STDIN, or a Dockerfile alone. A step that was done before, with the\n"   \
		"same files, is taken from the cache. Base images that the store has\n"              \
		"not are pulled. Nothing is tagged before all is done.\n\n"                          \
		"An image carries the keys of its steps. Where it was loaded, --cache-from IMAGE\n"  \
		"takes steps from it that the cache has not, for that build only. The image is\n"    \
		"believed: name only what you would run. One that another builder made carries no\n" \
		"keys; one that cannot be had is warned of. Either way its steps are done.",         \
	.min_words = 1, .max_words = 1, .options = build_options_table,                              \
	.options_size = sizeof(struct build_opts), .needs = NEEDS_POOL, .fetches = true,             \
	.check = check_build, .reads_stdin = build_reads_stdin, .input_file = build_input_file,      \
	.run = run_build

const struct command cmd_build = { BUILD_ROW, .group = "image", .top = "build", .common = true };
const struct command cmd_builder_build = { BUILD_ROW, .group = "builder" };
