/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "store.h"
#include "volume/volumes.h"

struct mount_opts {
	const char *options;
	bool read_only;
};

static int run_mount(struct cli *cli, const void *values, struct error *err)
{
	const struct mount_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_free char *options =
		xasprintf("%s%s", opts->options ?: "", opts->read_only ? ",ro" : "");
	auto_free char *dir = NULL;

	if (cli_open_store(cli, &store, err) < 0 ||
	    volumes_mount(store, cli->words[0], cli->nr_words > 1 ? cli->words[1] : NULL, options,
			  &dir, err) < 0)
		return -1;
	printf("%s\n", dir);
	return 0;
}

static const struct opt mount_options[] = {
	OPT_VALUE(OPT_STRING, "options", 'o', mount_opts, options, "list",
		  "Mount options, as \"noatime,nodev\""),
	OPT_FLAG("read-only", 0, mount_opts, read_only, "Mount it only for reading"),
	{ 0 },
};

const struct command cmd_volume_mount = {
	.group = "volume",
	.name = "mount",
	.synopsis = "[OPTIONS] NAME [DIR]",
	.summary = "Mount a volume and print where",
	.min_words = 1,
	.max_words = 2,
	.options = mount_options,
	.options_size = sizeof(struct mount_opts),
	.needs = NEEDS_POOL,
	.run = run_mount,
};

/* Each of the words; what fails does not keep the rest. */
static int for_each(struct cli *cli,
		    int (*end)(struct store *store, const char *target, struct error *err),
		    struct error *err)
{
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (end(store, cli->words[i], err) < 0 && cli_fail(cli, err) < 0)
			return -1;
	return 0;
}

static int run_unmount(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return for_each(cli, volumes_unmount, err);
}

const struct command cmd_volume_unmount = {
	.group = "volume",
	.name = "unmount",
	.aliases = "umount",
	.synopsis = "NAME|DIR [NAME|DIR...]",
	.summary = "Unmount volumes",
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_POOL,
	.run = run_unmount,
};

static int run_attach(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	auto_free char *link = NULL;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0 ||
	    volumes_attach(store, cli->words[0], &link, err) < 0)
		return -1;
	printf("%s\n", link);
	return 0;
}

const struct command cmd_volume_attach = {
	.group = "volume",
	.name = "attach",
	.synopsis = "NAME",
	.summary = "Make a block device of a volume and print its name",
	.details = "The name " DEVLINK_DIR "/NAME stays the same until detach.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_POOL,
	.run = run_attach,
};

static int run_detach(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return for_each(cli, volumes_detach, err);
}

const struct command cmd_volume_detach = {
	.group = "volume",
	.name = "detach",
	.synopsis = "NAME [NAME...]",
	.summary = "Take the block devices of volumes away",
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_POOL,
	.run = run_detach,
};
