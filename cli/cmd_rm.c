/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "run/container.h"
#include "store.h"

struct rm_opts {
	bool force;
	bool volumes;
};

static int run_rm(struct cli *cli, const void *values, struct error *err)
{
	const struct rm_opts *opts = values;
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (container_remove(store, cli->words[i], opts->force, opts->volumes, err) == 0) {
			printf("%s\n", cli->words[i]);
			cli_flush();
		} else if (opts->force && err->kind == ERR_NOT_FOUND) {
			cli_say_error(err->text);
		} else if (cli_fail(cli, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static const struct opt rm_options[] = {
	OPT_FLAG("force", 'f', rm_opts, force, "Force the removal of a running container"),
	OPT_FLAG("volumes", 'v', rm_opts, volumes,
		 "Remove anonymous volumes associated with the container"),
	{ 0 },
};

const struct command cmd_rm = {
	.group = "container",
	.name = "rm",
	.aliases = "remove",
	.top = "rm",
	.synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove one or more containers",
	.min_words = 1,
	.max_words = -1,
	.options = rm_options,
	.options_size = sizeof(struct rm_opts),
	.needs = NEEDS_POOL,
	.run = run_rm,
};
