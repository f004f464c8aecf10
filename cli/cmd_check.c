/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "image/check.h"
#include "store.h"

struct check_opts {
	bool repair;
	bool rebuild;
};

static void on_finding(struct check_report *self, const char *text, bool mended)
{
	(void)self;
	printf("%s%s\n", text, mended ? " (mended)" : "");
	cli_flush();
}

static int check_check(const struct cli *cli, const void *values, struct error *err)
{
	const struct check_opts *opts = values;

	(void)cli;
	if (opts->repair && opts->rebuild)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --repair and --rebuild");
	return 0;
}

static int run_check(struct cli *cli, const void *values, struct error *err)
{
	const struct check_opts *opts = values;
	struct check_report report = { .finding = on_finding };
	auto_store struct store *store = NULL;
	int result;

	if ((opts->rebuild ? cli_open_lost_store(cli, &store, err)
			   : cli_open_store(cli, &store, err)) < 0)
		return -1;
	if (opts->rebuild) {
		result = store_rebuild(store, &report, err);
		if (result >= 0)
			printf("Layers found: %d\n", result);
		return result < 0 ? -1 : 0;
	}
	result = store_check(store, opts->repair, &report, err);
	return result > 0 ? 1 : result;
}

static const struct opt check_options[] = {
	OPT_FLAG("rebuild", 0, check_opts, rebuild,
		 "Make a new catalogue from the labels in the pool"),
	OPT_FLAG("repair", 0, check_opts, repair, "Mend what can be mended"),
	{ 0 },
};

const struct command cmd_check = {
	.name = "check",
	.synopsis = "[OPTIONS]",
	.summary = "Compare catalogue, pool and labels",
	.details = "Prints each finding on a line of its own. The exit status is 0 only when\n"
		   "they agree, or when all was mended.",
	.options = check_options,
	.options_size = sizeof(struct check_opts),
	.needs = NEEDS_POOL,
	.check = check_check,
	.run = run_check,
};
