/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "cmd.h"
#include "filters.h"
#include "prompt.h"
#include "prune.h"
#include "store.h"

#define REFUSED 4

struct prune_opts {
	bool all;
	bool force;
	struct strlist filters;
	const char *refused[REFUSED];
};

/* One line together with the question, as in Docker. */
#define WARNING_HELD "WARNING! This will remove all dangling build cache. "
#define WARNING_ALL  "WARNING! This will remove all build cache. "

static int prune(struct cli *cli, const struct prune_opts *opts, int64_t until_ns,
		 struct error *err)
{
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;

	if (cli_open_store(cli, &store, err) < 0 ||
	    prune_cache(store, opts->all, until_ns, &freed_bytes, err) < 0)
		return -1;
	prune_print_total(freed_bytes);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	bool yes = opts->force;
	int64_t until_ns;

	if (filters_for_cache(&opts->filters, &until_ns, err) < 0)
		return -1;
	if (!yes && prompt_confirm(stdout, STDIN_FILENO, opts->all ? WARNING_ALL : WARNING_HELD,
				   &yes, err) < 0)
		return -1;
	return yes ? prune(cli, opts, until_ns, err) : 0;
}

static bool prune_reads_stdin(const struct cli *cli, const void *values)
{
	const struct prune_opts *opts = values;

	(void)cli;
	return !opts->force;
}

#define REFUSED_ROW(name_, slot_)                                                               \
	{                                                                                       \
		.name = (name_), .kind = OPT_STRING, .placeholder = "bytes", .hidden = true,    \
		.help = "Not supported", .offset = offsetof(struct prune_opts, refused[slot_]), \
	}

static const struct opt prune_options[] = {
	OPT_FLAG("all", 'a', prune_opts, all, "Remove all build cache, not just what no image has"),
	OPT_VALUE(OPT_FILTER, "filter", 0, prune_opts, filters, "filter",
		  "Provide filter values (e.g. \"until=24h\")"),
	OPT_FLAG("force", 'f', prune_opts, force, "Do not prompt for confirmation"),
	REFUSED_ROW("keep-storage", 0),
	REFUSED_ROW("max-used-space", 1),
	REFUSED_ROW("min-free-space", 2),
	REFUSED_ROW("reserved-space", 3),
	{ 0 },
};

static int check_prune(const struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;

	(void)cli;
	for (const struct opt *opt = prune_options; opt->name; opt++)
		if (opt->hidden &&
		    *(const char *const *)(const void *)((const char *)opts + opt->offset))
			return err_set(err, ERR_UNSUPPORTED,
				       "--%s is not supported: '--filter until=24h' keeps what was "
				       "used in the last day",
				       opt->name);
	return 0;
}

const struct command cmd_builder_prune = {
	.group = "builder",
	.name = "prune",
	.synopsis = "[OPTIONS]",
	.summary = "Remove build cache",
	.details = "Without -a only the steps of failed builds, and of images that are gone, are\n"
		   "forgotten: those that take space of their own.",
	.options = prune_options,
	.options_size = sizeof(struct prune_opts),
	.needs = NEEDS_POOL,
	.check = check_prune,
	.reads_stdin = prune_reads_stdin,
	.run = run_prune,
};
