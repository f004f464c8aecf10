/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "dockerconf.h"
#include "filters.h"
#include "format/human.h"
#include "image/remove.h"
#include "prompt.h"
#include "store.h"

struct prune_opts {
	bool all;
	bool force;
	struct strlist filters;
};

#define WARNING_DANGLING "WARNING! This will remove all dangling images.\n"
#define WARNING_ALL                                                                          \
	"WARNING! This will remove all images without at least one container associated to " \
	"them.\n"

static bool has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

/* The configuration's filters hold too, but for what the command line turns round. */
static void merge_filters(const struct strlist *given, const struct strlist *configured,
			  struct strlist *ret)
{
	for (size_t i = 0; i < given->nr; i++)
		strlist_add(ret, given->items[i]);
	for (size_t i = 0; i < configured->nr; i++) {
		const char *filter = configured->items[i];
		auto_free char *opposite = NULL;

		if (!strchr(filter, '='))
			continue;
		if (strncmp(filter, "label=", 6) == 0)
			opposite = xasprintf("label!=%s", filter + 6);
		else if (strncmp(filter, "label!=", 7) == 0)
			opposite = xasprintf("label=%s", filter + 7);
		if (!opposite || !has(given, opposite))
			strlist_add(ret, filter);
	}
}

static void print_removal(const struct removal *removal)
{
	if (removal->nr)
		printf("Deleted Images:\n");
	for (size_t i = 0; i < removal->nr; i++)
		printf("%s: %s\n", removal->steps[i].deleted ? "deleted" : "untagged",
		       removal->steps[i].what);
	if (removal->nr)
		putchar('\n');
}

static int prune(struct cli *cli, const struct prune_opts *opts, const struct image_filter *filter,
		 struct error *err)
{
	auto_removal struct removal removal = { 0 };
	auto_store struct store *store = NULL;
	int result;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	result = image_prune(store, opts->all, filter, &removal, err);
	print_removal(&removal); /* also what went before a failure */
	if (result < 0)
		return -1;
	printf("Total reclaimed space: %s\n", human_size(removal.content_bytes, HUMAN_TOTAL).text);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	auto_dockerconf struct dockerconf conf = { 0 };
	auto_strlist struct strlist filters = { 0 };
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	bool yes = opts->force;

	cli_read_dockerconf(cli, &conf);
	merge_filters(&opts->filters, &conf.prune_filters, &filters);
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
