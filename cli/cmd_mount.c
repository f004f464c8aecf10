/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "image/view.h"
#include "store.h"

struct mount_opts {
	bool writable;
	bool verity;
};

static enum view_kind kind_of(const struct mount_opts *opts)
{
	return opts->verity ? VIEW_VERIFIED : opts->writable ? VIEW_WRITABLE : VIEW_READ_ONLY;
}

static int check_mount(const struct cli *cli, const void *values, struct error *err)
{
	const struct mount_opts *opts = values;

	(void)cli;
	if (opts->writable && opts->verity)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --rw and --verity");
	return 0;
}

static int run_mount(struct cli *cli, const void *values, struct error *err)
{
	const struct mount_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_free char *dir = NULL;

	if (cli_open_store(cli, &store, err) < 0 ||
	    view_mount(store, cli->words[0], kind_of(opts),
		       cli->nr_words > 1 ? cli->words[1] : NULL, &dir, err) < 0)
		return -1;
	printf("%s\n", dir);
	return 0;
}

static const struct opt mount_options[] = {
	OPT_FLAG("rw", 0, mount_opts, writable, "Mount a private writable copy, gone with unmount"),
	OPT_FLAG("verity", 0, mount_opts, verity,
		 "Verify each block by its digest: damage reads as an error"),
	{ 0 },
};

const struct command cmd_mount = {
	.name = "mount",
	.synopsis = "[OPTIONS] IMAGE [DIR]",
	.summary = "Mount an image and print where",
	.details = "Without DIR a new folder below the store's root is used.",
	.min_words = 1,
	.max_words = 2,
	.options = mount_options,
	.options_size = sizeof(struct mount_opts),
	.needs = NEEDS_POOL,
	.check = check_mount,
	.run = run_mount,
};

static int run_unmount(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (view_unmount(store, cli->words[i], err) < 0 && cli_fail(cli, err) < 0)
			return -1;
	return 0;
}

const struct command cmd_unmount = {
	.name = "unmount",
	.aliases = "umount",
	.synopsis = "DIR|IMAGE [DIR|IMAGE...]",
	.summary = "Unmount what mount has mounted",
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_POOL,
	.run = run_unmount,
};
