/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "layer/tar_emit.h"
#include "outfile.h"
#include "run/still.h"
#include "store.h"

struct export_opts {
	const char *output;
};

static int emit(struct store *store, const char *operand, struct outfile *file, struct error *err)
{
	auto_still struct still still = STILL_NONE(store);
	struct tar_emit_args args = { .write = outfile_write, .ctx = file };
	struct tar_emit_result result;

	if (still_take(&still, operand, false, err) < 0 || still_mount(&still, err) < 0)
		return -1;
	args.root_fd = still.mount_fd;
	return tar_emit(&args, &result, err);
}

static int run_export(struct cli *cli, const void *values, struct error *err)
{
	const struct export_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_outfile struct outfile file = { .fd = -1 };

	if (cli_open_store(cli, &store, err) < 0 || outfile_open(&file, opts->output, err) < 0 ||
	    emit(store, cli->words[0], &file, err) < 0)
		return -1;
	return outfile_commit(&file, err);
}

static int check_export(const struct cli *cli, const void *values, struct error *err)
{
	const struct export_opts *opts = values;

	(void)cli;
	if (outfile_check(opts->output, err) < 0)
		return opts->output ? err_add(err, "failed to export container") : -1;
	return 0;
}

static const struct opt export_options[] = {
	OPT_VALUE(OPT_PATH, "output", 'o', export_opts, output, "string",
		  "Write to a file, instead of STDOUT"),
	{ 0 },
};

const struct command cmd_export = {
	.group = "container",
	.name = "export",
	.top = "export",
	.synopsis = "[OPTIONS] CONTAINER",
	.summary = "Export a container's filesystem as a tar archive",
	.min_words = 1,
	.max_words = 1,
	.options = export_options,
	.options_size = sizeof(struct export_opts),
	.needs = NEEDS_POOL,
	.check = check_export,
	.run = run_export,
};
