/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "image/remove.h"
#include "store.h"

struct rmi_opts {
	bool force;
	bool no_prune;
};

static void print_removal(const struct removal *removal)
{
	for (size_t i = 0; i < removal->nr; i++)
		printf("%s: %s\n", removal->steps[i].deleted ? "Deleted" : "Untagged",
		       removal->steps[i].what);
	cli_flush();
}

static int remove_one(struct store *store, const char *operand, const struct rmi_opts *opts,
		      struct error *err)
{
	auto_removal struct removal removal = { 0 };
	int result;

	if (operand[strspn(operand, " \t")] == '\0')
		return err_set(err, ERR_USAGE, "image name cannot be blank");
	result = image_remove(store, operand, opts->force, !opts->no_prune, &removal, err);
	print_removal(&removal); /* also what went before a failure */
	return result;
}

static int run_rmi(struct cli *cli, const void *values, struct error *err)
{
	const struct rmi_opts *opts = values;
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (remove_one(store, cli->words[i], opts, err) == 0)
			continue;
		if (opts->force && err->kind == ERR_NOT_FOUND)
			cli_say_error(err->text);
		else if (cli_fail(cli, err) < 0)
			return -1;
	}
	return 0;
}

static const struct opt rmi_options[] = {
	OPT_FLAG("force", 'f', rmi_opts, force, "Force removal of the image"),
	OPT_FLAG("no-prune", 0, rmi_opts, no_prune, "Do not delete untagged parents"),
	{ 0 },
};

const struct command cmd_rmi = {
	.group = "image",
	.name = "rm",
	.aliases = "remove rmi",
	.top = "rmi",
	.synopsis = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove one or more images",
	.min_words = 1,
	.max_words = -1,
	.options = rmi_options,
	.options_size = sizeof(struct rmi_opts),
	.needs = NEEDS_POOL,
	.run = run_rmi,
};
