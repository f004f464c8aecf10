/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "pool/pool.h"
#include "prompt.h"
#include "store.h"

struct create_opts {
	const char *data;
	const char *meta;
	uint64_t files_bytes;
	uint64_t block_bytes;
	const char *fs;
	uint64_t volume_bytes;
	bool force;
};

static int check_create(const struct cli *cli, const void *values, struct error *err)
{
	const struct create_opts *opts = values;

	(void)cli;
	if (opts->data && opts->files_bytes)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --data and --files");
	if (opts->meta && !opts->data)
		return err_set(err, ERR_USAGE, "the --metadata option requires --data to be set");
	return 0;
}

static int run_create(struct cli *cli, const void *values, struct error *err)
{
	const struct create_opts *opts = values;
	auto_store struct store *store = NULL;
	struct pool_create_args args;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	args = cli->pool_defaults;
	args.data = opts->data;
	args.meta = opts->meta;
	args.force = opts->force;
	if (opts->data)
		args.files_bytes = 0;
	if (opts->files_bytes)
		args.files_bytes = opts->files_bytes;
	if (opts->block_bytes)
		args.block_bytes = opts->block_bytes;
	if (opts->fs)
		args.fs = opts->fs;
	if (opts->volume_bytes)
		args.volume_bytes = opts->volume_bytes;
	return store_create_pool(store, &args, err);
}

static const struct opt create_options[] = {
	OPT_VALUE(OPT_SIZE, "block-size", 0, create_opts, block_bytes, "bytes",
		  "Pool block, a multiple of 64K (default 64K)"),
	OPT_VALUE(OPT_DEVICE, "data", 0, create_opts, data, "device",
		  "Block device for the data, and for the metadata\n"
		  "unless --metadata names another"),
	OPT_VALUE(OPT_SIZE, "files", 0, create_opts, files_bytes, "bytes",
		  "Size of a pool on sparse files below the store's root\n"
		  "(default 100G, or 80 % of the free space if less)"),
	OPT_FLAG("force", 0, create_opts, force, "Take devices that carry a signature"),
	OPT_VALUE(OPT_STRING, "fs", 0, create_opts, fs, "kind",
		  "File system of the volumes: ext4 or xfs (default ext4)"),
	OPT_VALUE(OPT_DEVICE, "metadata", 0, create_opts, meta, "device",
		  "Block device for the metadata"),
	OPT_VALUE(OPT_SIZE, "volume-size", 0, create_opts, volume_bytes, "bytes",
		  "Virtual size of every volume (default 10G)"),
	{ 0 },
};

const struct command cmd_pool_create = {
	.group = "pool",
	.name = "create",
	.synopsis = "[OPTIONS]",
	.summary = "Make the thin pool of the store",
	.options = create_options,
	.options_size = sizeof(struct create_opts),
	.needs = NEEDS_POOL,
	.check = check_create,
	.run = run_create,
};

static int run_activate(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	struct volume_pool *pool;

	(void)values;
	return cli_open_store(cli, &store, err) < 0 || store_existing_pool(store, &pool, err) < 0
		       ? -1
		       : 0;
}

const struct command cmd_pool_activate = {
	.group = "pool",
	.name = "activate",
	.synopsis = "",
	.summary = "Start the pool, and recover what was interrupted",
	.needs = NEEDS_POOL,
	.run = run_activate,
};

static int run_deactivate(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	auto_root_lock struct root *held = NULL;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0 || root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	return pool_deactivate(store->root.path, err);
}

const struct command cmd_pool_deactivate = {
	.group = "pool",
	.name = "deactivate",
	.synopsis = "",
	.summary = "Stop the pool and all its volumes",
	.needs = NEEDS_POOL,
	.run = run_deactivate,
};

struct destroy_opts {
	bool force;
};

static int run_destroy(struct cli *cli, const void *values, struct error *err)
{
	const struct destroy_opts *opts = values;
	auto_store struct store *store = NULL;
	bool yes = opts->force;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	if (!yes &&
	    prompt_confirm(stdout, STDIN_FILENO,
			   "WARNING! This will remove the pool with all images and volumes.\n",
			   &yes, err) < 0)
		return -1;
	return yes ? store_destroy_pool(store, opts->force, err) : 0;
}

static bool destroy_reads_stdin(const struct cli *cli, const void *values)
{
	const struct destroy_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt destroy_options[] = {
	OPT_FLAG("force", 'f', destroy_opts, force, "Do not prompt for confirmation"),
	{ 0 },
};

const struct command cmd_pool_destroy = {
	.group = "pool",
	.name = "destroy",
	.synopsis = "[OPTIONS]",
	.summary = "Take the pool away, with everything in it",
	.options = destroy_options,
	.options_size = sizeof(struct destroy_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = destroy_reads_stdin,
	.forgets_disks = true,
	.run = run_destroy,
};

struct grow_opts {
	uint64_t data_bytes;
	uint64_t meta_bytes;
};

static int run_grow(struct cli *cli, const void *values, struct error *err)
{
	const struct grow_opts *opts = values;
	struct pool_grow_args args = {
		.data_bytes = opts->data_bytes,
		.meta_bytes = opts->meta_bytes,
	};
	auto_store struct store *store = NULL;
	auto_root_lock struct root *held = NULL;
	struct volume_pool *pool;

	if (cli_open_store(cli, &store, err) < 0 || store_existing_pool(store, &pool, err) < 0 ||
	    root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	return pool_grow(store->root.path, &args, err);
}

static const struct opt grow_options[] = {
	OPT_VALUE(OPT_SIZE, "metadata-size", 0, grow_opts, meta_bytes, "bytes",
		  "Size of the metadata (default by the size of the data)"),
	OPT_VALUE(OPT_SIZE, "size", 0, grow_opts, data_bytes, "bytes",
		  "Size of the data; on a device the default is all it has"),
	{ 0 },
};

const struct command cmd_pool_grow = {
	.group = "pool",
	.name = "grow",
	.synopsis = "[OPTIONS]",
	.summary = "Enlarge the pool while it is used",
	.options = grow_options,
	.options_size = sizeof(struct grow_opts),
	.needs = NEEDS_POOL,
	.run = run_grow,
};
