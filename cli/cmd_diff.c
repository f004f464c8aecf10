/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "run/changes.h"
#include "store.h"

static int run_diff(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	auto_change_list struct change_list changes = { 0 };
	auto_buf struct buf line = { 0 };

	(void)values;
	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	{
		auto_still struct still still = STILL_NONE(store);

		if (container_changes(&still, cli->words[0], &changes, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < changes.nr; i++) {
		buf_reset(&line);
		buf_printf(&line, "%c /%s\n", (char)changes.items[i].kind, changes.items[i].path);
		cli_print_table(line.data, line.len);
	}
	return 0;
}

const struct command cmd_diff = {
	.group = "container",
	.name = "diff",
	.top = "diff",
	.synopsis = "CONTAINER",
	.summary = "Inspect changes to files or directories on a container's filesystem",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_POOL,
	.run = run_diff,
};
