/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "cmd.h"
#include "filters.h"
#include "prompt.h"
#include "prune.h"
#include "store.h"

struct prune_opts {
	bool all;
	bool force;
	struct strlist filters;
};

#define WARNING_DANGLING "WARNING! This will remove all dangling images.\n"
#define WARNING_ALL	 "WARNING! This will remove " PRUNE_ALL_IMAGES ".\n"

static int prune(struct cli *cli, const struct prune_opts *opts, const struct image_filter *filter,
		 struct error *err)
{
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;

	if (cli_open_store(cli, &store, err) < 0 ||
	    prune_images(store, opts->all, filter, &freed_bytes, err) < 0)
		return -1;
	prune_print_total(freed_bytes);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	auto_strlist struct strlist filters = { 0 };
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	bool yes = opts->force;

	prune_filters(cli, &opts->filters, &filters);
	if (filters_for_prune(&filters, &filter, err) < 0)
		return -1;
	if (!yes && prompt_confirm(stdout, STDIN_FILENO, opts->all ? WARNING_ALL : WARNING_DANGLING,
				   &yes, err) < 0)
		return -1;
	return yes ? prune(cli, opts, &filter, err) : 0;
}

static bool prune_reads_stdin(const struct cli *cli, const void *values)
{
	const struct prune_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt prune_options[] = {
	OPT_FLAG("all", 'a', prune_opts, all, "Remove all unused images, not just dangling ones"),
	OPT_VALUE(OPT_FILTER, "filter", 0, prune_opts, filters, "filter",
		  "Provide filter values (e.g. \"until=<timestamp>\")"),
	OPT_FLAG("force", 'f', prune_opts, force, "Do not prompt for confirmation"),
	{ 0 },
};

const struct command cmd_image_prune = {
	.group = "image",
	.name = "prune",
	.synopsis = "[OPTIONS]",
	.summary = "Remove unused images",
	.options = prune_options,
	.options_size = sizeof(struct prune_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = prune_reads_stdin,
	.run = run_prune,
};
