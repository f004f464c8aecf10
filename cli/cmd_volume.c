/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "prompt.h"
#include "prune.h"
#include "run/localvolume.h"
#include "store.h"
#include "volume/volumes.h"

struct create_opts {
	uint64_t size_bytes;
	bool raw;
};

static int check_create(const struct cli *cli, const void *values, struct error *err)
{
	const struct create_opts *opts = values;

	if (opts->raw && cli->nr_words > 1)
		return err_set(err, ERR_USAGE,
			       "conflicting options: a volume from an image is not --raw");
	return 0;
}

static int run_create(struct cli *cli, const void *values, struct error *err)
{
	const struct create_opts *opts = values;
	const struct volumes_create args = {
		.name = cli->words[0],
		.image = cli->nr_words > 1 ? cli->words[1] : NULL,
		.size_bytes = opts->size_bytes,
		.raw = opts->raw,
	};
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0 || volumes_create(store, &args, err) < 0)
		return -1;
	printf("%s\n", args.name);
	return 0;
}

static const struct opt create_options[] = {
	OPT_FLAG("raw", 0, create_opts, raw, "Without a file system: a blank disk"),
	OPT_VALUE(OPT_SIZE, "size", 's', create_opts, size_bytes, "bytes",
		  "Size of the volume (default the pool's --volume-size)"),
	{ 0 },
};

const struct command cmd_volume_create = {
	.group = "volume",
	.name = "create",
	.synopsis = "[OPTIONS] NAME [IMAGE]",
	.summary = "Make a volume with the content of an image, or an empty one",
	.details = "From then on it is no part of the image, which may go.",
	.min_words = 1,
	.max_words = 2,
	.options = create_options,
	.options_size = sizeof(struct create_opts),
	.needs = NEEDS_POOL,
	.check = check_create,
	.run = run_create,
};

struct grow_opts {
	uint64_t size_bytes;
};

static int check_grow(const struct cli *cli, const void *values, struct error *err)
{
	const struct grow_opts *opts = values;

	(void)cli;
	return opts->size_bytes ? 0 : err_set(err, ERR_USAGE, "the --size option is required");
}

static int run_grow(struct cli *cli, const void *values, struct error *err)
{
	const struct grow_opts *opts = values;
	auto_store struct store *store = NULL;

	return cli_open_store(cli, &store, err) < 0
		       ? -1
		       : volumes_grow(store, cli->words[0], opts->size_bytes, err);
}

static const struct opt grow_options[] = {
	OPT_VALUE(OPT_SIZE, "size", 's', grow_opts, size_bytes, "bytes", "New size of the volume"),
	{ 0 },
};

const struct command cmd_volume_grow = {
	.group = "volume",
	.name = "grow",
	.synopsis = "[OPTIONS] NAME",
	.summary = "Enlarge a volume and its file system while it is used",
	.details = "The file system on an attached or raw volume is for whoever uses it to grow.",
	.min_words = 1,
	.max_words = 1,
	.options = grow_options,
	.options_size = sizeof(struct grow_opts),
	.needs = NEEDS_POOL,
	.check = check_grow,
	.run = run_grow,
};

struct snapshot_opts {
	bool writable;
};

static int run_snapshot(struct cli *cli, const void *values, struct error *err)
{
	const struct snapshot_opts *opts = values;
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0 ||
	    volumes_snapshot(store, cli->words[0], cli->words[1], opts->writable, err) < 0)
		return -1;
	printf("%s\n", cli->words[1]);
	return 0;
}

static const struct opt snapshot_options[] = {
	OPT_FLAG("rw", 0, snapshot_opts, writable, "A volume that can be written to"),
	{ 0 },
};

const struct command cmd_volume_snapshot = {
	.group = "volume",
	.name = "snapshot",
	.synopsis = "[OPTIONS] NAME SNAPSHOT",
	.summary = "Keep what a volume holds now, under another name",
	.details =
		"A mounted volume rests for that moment. Of an attached one everything is there\n"
		"that its user has flushed.",
	.min_words = 2,
	.max_words = 2,
	.options = snapshot_options,
	.options_size = sizeof(struct snapshot_opts),
	.needs = NEEDS_POOL,
	.run = run_snapshot,
};

struct rollback_opts {
	bool force;
};

static int run_rollback(struct cli *cli, const void *values, struct error *err)
{
	const struct rollback_opts *opts = values;
	auto_store struct store *store = NULL;
	bool yes = opts->force;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	if (!yes && prompt_confirm(stdout, STDIN_FILENO,
				   "WARNING! What the volume holds now is lost. A snapshot of it "
				   "can be taken first.\n",
				   &yes, err) < 0)
		return -1;
	return yes ? volumes_rollback(store, cli->words[0], cli->words[1], err) : 0;
}

static bool rollback_reads_stdin(const struct cli *cli, const void *values)
{
	const struct rollback_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt rollback_options[] = {
	OPT_FLAG("force", 'f', rollback_opts, force, "Do not prompt for confirmation"),
	{ 0 },
};

const struct command cmd_volume_rollback = {
	.group = "volume",
	.name = "rollback",
	.synopsis = "[OPTIONS] NAME SNAPSHOT",
	.summary = "Give a volume the content of one of its snapshots",
	.min_words = 2,
	.max_words = 2,
	.options = rollback_options,
	.options_size = sizeof(struct rollback_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = rollback_reads_stdin,
	.run = run_rollback,
};

static int run_rename(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	(void)values;
	return cli_open_store(cli, &store, err) < 0
		       ? -1
		       : volumes_rename(store, cli->words[0], cli->words[1], err);
}

const struct command cmd_volume_rename = {
	.group = "volume",
	.name = "rename",
	.synopsis = "NAME NEW_NAME",
	.summary = "Rename a volume that nobody uses",
	.min_words = 2,
	.max_words = 2,
	.needs = NEEDS_POOL,
	.run = run_rename,
};

struct rm_opts {
	bool force;
};

/* A disk, or a folder of containers: no two of them have one name. */
static int remove_volume(struct store *store, const char *name, bool force, struct error *err)
{
	if (volumes_remove(store, name, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND && local_volume_remove(store, name, err) == 0)
		return 0;
	return force && err->kind == ERR_NOT_FOUND ? 0 : -1;
}

static int run_rm(struct cli *cli, const void *values, struct error *err)
{
	const struct rm_opts *opts = values;
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (remove_volume(store, cli->words[i], opts->force, err) == 0)
			printf("%s\n", cli->words[i]);
		else if (cli_fail(cli, err) < 0)
			return -1;
	}
	return 0;
}

static const struct opt rm_options[] = {
	OPT_FLAG("force", 'f', rm_opts, force, "No error for a volume that is not there"),
	{ 0 },
};

const struct command cmd_volume_rm = {
	.group = "volume",
	.name = "rm",
	.aliases = "remove",
	.synopsis = "[OPTIONS] NAME [NAME...]",
	.summary = "Remove volumes that nobody uses, with what they hold",
	.min_words = 1,
	.max_words = -1,
	.options = rm_options,
	.options_size = sizeof(struct rm_opts),
	.needs = NEEDS_POOL,
	.run = run_rm,
};

struct prune_opts {
	bool all;
	bool force;
};

static int prune(struct cli *cli, bool all, struct error *err)
{
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;

	if (cli_open_store(cli, &store, err) < 0 ||
	    prune_volumes(store, all, &freed_bytes, err) < 0)
		return -1;
	prune_print_total(freed_bytes);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	auto_free char *warning =
		xasprintf("WARNING! This will remove %s.\n", prune_which_volumes(opts->all));
	bool yes = opts->force;

	if (!yes && prompt_confirm(stdout, STDIN_FILENO, warning, &yes, err) < 0)
		return -1;
	return yes ? prune(cli, opts->all, err) : 0;
}

static bool prune_reads_stdin(const struct cli *cli, const void *values)
{
	const struct prune_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt prune_options[] = {
	OPT_FLAG("all", 'a', prune_opts, all, "Also those that somebody gave a name"),
	OPT_FLAG("force", 'f', prune_opts, force, "Do not prompt for confirmation"),
	{ 0 },
};

const struct command cmd_volume_prune = {
	.group = "volume",
	.name = "prune",
	.synopsis = "[OPTIONS]",
	.summary = "Remove folders of containers that no container has any more",
	.details = "Never a disk that 'volume create' made.",
	.options = prune_options,
	.options_size = sizeof(struct prune_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = prune_reads_stdin,
	.run = run_prune,
};
