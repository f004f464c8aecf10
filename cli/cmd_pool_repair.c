/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"
#include "cmd.h"
#include "image/check.h"
#include "store.h"

static void on_step(struct check_report *self, const char *text, bool mended)
{
	(void)self;
	(void)mended;
	printf("%s\n", text);
	cli_flush();
}

static int run_step(struct cli *cli,
		    int (*step)(struct store *store, struct check_report *report,
				struct error *err),
		    struct error *err)
{
	struct check_report report = { .finding = on_step };
	auto_store struct store *store = NULL;
	int result;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	result = step(store, &report, err);
	return result > 0 ? 1 : result;
}

static int run_check(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return run_step(cli, store_check_pool, err);
}

const struct command cmd_pool_check = {
	.group = "pool",
	.name = "check",
	.synopsis = "",
	.summary = "Stop the pool and look its metadata over",
	.details = "Nothing may be mounted, attached or running. thin_check reads the metadata;\n"
		   "nothing is changed, and the pool is started again if it ran. The exit status\n"
		   "is 0 only when the metadata is sound.",
	.needs = NEEDS_POOL,
	.run = run_check,
};

static int run_repair(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return run_step(cli, store_repair_pool, err);
}

const struct command cmd_pool_repair = {
	.group = "pool",
	.name = "repair",
	.synopsis = "",
	.summary = "Stop the pool and mend its metadata",
	.details =
		"Nothing may be mounted, attached or running. The metadata is copied as it is\n"
		"to pool.damaged in the store's root, which stays there. Then thin_check clears\n"
		"what it can; where that is not enough thin_repair writes the metadata anew, which\n"
		"is checked before it takes the old one's place. Volumes that lost blocks are\n"
		"named, catalogue and pool are compared, and the pool is started. The exit\n"
		"status is 0 only when all was mended.",
	.needs = NEEDS_POOL,
	.run = run_repair,
};
