/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "containerfilter.h"
#include "format/human.h"
#include "prompt.h"
#include "run/container.h"
#include "store.h"

struct prune_opts {
	bool force;
	struct strlist filters;
};

#define WARNING "WARNING! This will remove all stopped containers.\n"

/* Returns 1 when it is gone, 0 when it is to stay, or -1. */
static int prune_one(struct store *store, const struct container_row *row,
		     const struct container_filter *filter, int64_t *freed_bytes, struct error *err)
{
	json_auto_t *document = NULL;
	int64_t bytes;
	int match;

	if (row->state == CONTAINER_RUNNING || row->state == CONTAINER_STARTING)
		return 0;
	if (container_document(row, &document, err) < 0)
		return -1;
	match = container_filter_match(filter, row, document, err);
	if (match <= 0)
		return match;
	if (container_own_bytes(store, row, &bytes, err) < 0 ||
	    container_remove(store, row->id, false, false, err) < 0)
		/* Started, or removed, by somebody else meanwhile. */
		return err->kind == ERR_NOT_FOUND || err->kind == ERR_IN_USE ? 0 : -1;
	*freed_bytes += bytes;
	return 1;
}

static int prune(struct cli *cli, const struct prune_opts *opts, struct error *err)
{
	auto_container_filter struct container_filter filter = { 0 };
	auto_container_rows struct container_rows rows = { 0 };
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;
	int gone, total = 0;

	if (cli_open_store(cli, &store, err) < 0 || container_list(store, &rows, err) < 0 ||
	    container_filter_parse(store, &opts->filters, &rows, true, &filter, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++) {
		gone = prune_one(store, &rows.items[i], &filter, &freed_bytes, err);
		if (gone < 0)
			return -1;
		if (gone && !total++)
			printf("Deleted Containers:\n");
		if (gone)
			printf("%s\n", rows.items[i].id);
	}
	if (total)
		putchar('\n');
	printf("Total reclaimed space: %s\n", human_size(freed_bytes, HUMAN_TOTAL).text);
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
