/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/save.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "image/select.h"
#include "oci/platform.h"
#include "outfile.h"
#include "store.h"
#include "ttyprogress.h"

struct save_opts {
	const char *output;
	const char *platform;
	const char *format;
};

static const struct {
	const char *name;
	enum save_format format;
} formats[] = {
	{ "docker-archive", SAVE_DOCKER },
	{ "oci-archive", SAVE_OCI },
};

static int find_format(const char *name, enum save_format *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(formats[i].name, name) == 0) {
			*ret = formats[i].format;
			return 0;
		}
	return err_set(err, ERR_USAGE,
		       "unknown format \"%s\": only docker-archive and oci-archive are supported",
		       name);
}

static void on_image(void *ctx, const struct image *image, const char *name)
{
	save_list_add(ctx, &image->id, &image->parent, name);
}

/* Nobody who reads a pipe wants to see it. */
static bool wants_progress(const struct save_opts *opts)
{
	struct stat st;

	return opts->output || (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode));
}

static int run_save(struct cli *cli, const void *values, struct error *err)
{
	const struct save_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_outfile struct outfile file = { .fd = -1 };
	auto_ttyprogress struct ttyprogress tty = { 0 };
	auto_save_list struct save_list images = { 0 };
	struct volume_pool *pool;
	struct save_args args = {
		.images = &images,
		.platform = opts->platform,
		.write = outfile_write,
		.ctx = &file,
	};

	if (find_format(opts->format, &args.format, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (image_select(store, cli->words[i], on_image, &images, err) < 0)
			return -1;
	if (store_existing_pool(store, &pool, err) < 0)
		return -1;
	if (wants_progress(opts))
		ttyprogress_open(&tty, stderr);
	args.progress = ttyprogress_sink(&tty);
	if (outfile_open(&file, opts->output, err) < 0 || archive_save(store, &args, err) < 0)
		return -1;
	return outfile_commit(&file, err);
}

static int check_save(const struct cli *cli, const void *values, struct error *err)
{
	const struct save_opts *opts = values;
	struct platform platform;
	enum save_format format;

	(void)cli;
	if (platform_parse(opts->platform, &platform, err) < 0 ||
	    find_format(opts->format, &format, err) < 0)
		return -1;
	if (outfile_check(opts->output, err) < 0)
		return opts->output ? err_add(err, "failed to save image") : -1;
	return 0;
}

static const struct opt save_options[] = {
	{
		.name = "format",
		.kind = OPT_STRING,
		.placeholder = "string",
		.help = "Form of the archive: \"docker-archive\", or \"oci-archive\",\n"
			"in which layers stay compressed as they came",
		.offset = offsetof(struct save_opts, format),
		.preset = "docker-archive",
	},
	OPT_VALUE(OPT_PATH, "output", 'o', save_opts, output, "string",
		  "Write to a file, instead of STDOUT"),
	OPT_VALUE(OPT_STRING, "platform", 0, save_opts, platform, "string",
		  "Save nothing made for another platform than this, as\n"
		  "os[/arch[/variant]]"),
	{ 0 },
};

const struct command cmd_save = {
	.group = "image",
	.name = "save",
	.top = "save",
	.synopsis = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
	.min_words = 1,
	.max_words = -1,
	.options = save_options,
	.options_size = sizeof(struct save_opts),
	.needs = NEEDS_POOL,
	.check = check_save,
	.run = run_save,
};
