/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "image/view.h"
#include "store.h"

struct attach_opts {
	const char *name;
	bool writable;
	bool verity;
};

static enum view_kind kind_of(const struct attach_opts *opts)
{
	return opts->verity ? VIEW_VERIFIED : opts->writable ? VIEW_WRITABLE : VIEW_READ_ONLY;
}

static int check_attach(const struct cli *cli, const void *values, struct error *err)
{
	const struct attach_opts *opts = values;

	(void)cli;
	if (opts->writable && opts->verity)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --rw and --verity");
	return 0;
}

static int run_attach(struct cli *cli, const void *values, struct error *err)
{
	const struct attach_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_free char *link = NULL;

	if (cli_open_store(cli, &store, err) < 0 ||
	    view_attach(store, cli->words[0], kind_of(opts), opts->name, &link, err) < 0)
		return -1;
	printf("%s\n", link);
	return 0;
}

static const struct opt attach_options[] = {
	OPT_VALUE(OPT_STRING, "name", 0, attach_opts, name, "string",
		  "Name of the link below " DEVLINK_DIR),
	OPT_FLAG("rw", 0, attach_opts, writable,
		 "Attach a private writable copy, gone with detach"),
	OPT_FLAG("verity", 0, attach_opts, verity,
		 "Verify each block by its digest: damage reads as an error"),
	{ 0 },
};

const struct command cmd_attach = {
	.name = "attach",
	.synopsis = "[OPTIONS] IMAGE",
	.summary = "Make a block device of an image and print its name",
	.details = "The name " DEVLINK_DIR "/NAME stays the same until detach.",
	.min_words = 1,
	.max_words = 1,
	.options = attach_options,
	.options_size = sizeof(struct attach_opts),
	.needs = NEEDS_POOL,
	.check = check_attach,
	.run = run_attach,
};

static int run_detach(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (view_detach(store, cli->words[i], err) < 0 && cli_fail(cli, err) < 0)
			return -1;
	return 0;
}

const struct command cmd_detach = {
	.name = "detach",
	.synopsis = "NAME|IMAGE [NAME|IMAGE...]",
	.summary = "Take away what attach has made",
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_POOL,
	.run = run_detach,
};
