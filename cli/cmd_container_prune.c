/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "cmd.h"
#include "prompt.h"
#include "prune.h"
#include "store.h"

struct prune_opts {
	bool force;
	struct strlist filters;
};

#define WARNING "WARNING! This will remove all stopped containers.\n"

static int prune(struct cli *cli, const struct prune_opts *opts, struct error *err)
{
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;

	if (cli_open_store(cli, &store, err) < 0 ||
	    prune_containers(store, &opts->filters, &freed_bytes, err) < 0)
		return -1;
	prune_print_total(freed_bytes);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	bool yes = opts->force;

	if (!yes && prompt_confirm(stdout, STDIN_FILENO, WARNING, &yes, err) < 0)
		return -1;
	return yes ? prune(cli, opts, err) : 0;
}

static bool prune_reads_stdin(const struct cli *cli, const void *values)
{
	const struct prune_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt prune_options[] = {
	OPT_VALUE(OPT_FILTER, "filter", 0, prune_opts, filters, "filter",
		  "Provide filter values (e.g. \"until=<timestamp>\")"),
	OPT_FLAG("force", 'f', prune_opts, force, "Do not prompt for confirmation"),
	{ 0 },
};

const struct command cmd_container_prune = {
	.group = "container",
	.name = "prune",
	.synopsis = "[OPTIONS]",
	.summary = "Remove all stopped containers",
	.options = prune_options,
	.options_size = sizeof(struct prune_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = prune_reads_stdin,
	.run = run_prune,
};
