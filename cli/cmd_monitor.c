/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "cmd.h"
#include "monitor/monitor.h"
#include "store.h"

static int run_monitor(struct cli *cli, const void *values, struct error *err)
{
	struct store_options store;
	const struct monitor_options options = {
		.store = &store,
		.limits = cli->settings->pressure,
		.metrics = cli->settings->pool_metrics,
	};

	(void)values;
	return cli_store_options(cli, &store, err) < 0 ? -1 : monitor_run(&options, err);
}

const struct command cmd_monitor = {
	.name = "monitor",
	.synopsis = "",
	.summary = "Keep the pool from being full, until a signal ends it",
	.details =
		"Waits for events of the pool. As it fills, it grows by \"grow_step\" up to\n"
		"\"grow_max\"; where it cannot, mounted file systems give the space of deleted\n"
		"files back at \"prune_at\" per cent, and then unused images are deleted, the least\n"
		"recently used first: those that a registry sent and a pull brings back under each\n"
		"of their names. What was built, committed, loaded, imported or tagged here stays,\n"
		"unless \"prune\" is \"all\"; with \"none\" no image goes. Metadata grows before it\n"
		"is full. The keys are in \"pool\" of the configuration.",
	.needs = NEEDS_POOL,
	.run = run_monitor,
};
