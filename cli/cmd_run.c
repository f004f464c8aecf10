/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "run/container.h"
#include "run/life.h"
#include "runopts.h"
#include "store.h"

#define EXIT_FAILED 125

static int run_create(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	auto_free char *id = NULL;

	if (cli_open_store(cli, &store, err) < 0 ||
	    runopts_create(cli, values, store, &id, err) < 0)
		return -1;
	printf("%s\n", id);
	return 0;
}

/* Docker's way of `run`: its own failures are told from the container's by the status. */
static int failed(const struct error *err, int status)
{
	auto_free char *text = xasprintf(
		PROGRAM ": %s\n\nRun '" PROGRAM " run --help' for more information", err->text);

	cli_flush();
	cli_say(text);
	return status;
}

static int check_run(const struct cli *cli, const void *values, struct error *err)
{
	const struct run_opts *opts = values;

	if (runopts_check(cli, values, err) < 0)
		return -1;
	if (opts->tty && opts->interactive && !opts->detach && !isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "the input device is not a TTY");
	return 0;
}

static int run_run(struct cli *cli, const void *values, struct error *err)
{
	const struct run_opts *opts = values;
	struct life_attach attach = { .output = true, .input = opts->interactive };
	auto_store struct store *store = NULL;
	auto_free char *id = NULL;
	int status;

	if (check_run(cli, values, err) < 0 || cli_open_store(cli, &store, err) < 0 ||
	    runopts_create(cli, opts, store, &id, err) < 0)
		return err->kind == ERR_CANCELLED ? -1 : failed(err, EXIT_FAILED);
	if (life_start(store, id, opts->detach ? NULL : &attach, &status, err) < 0) {
		struct error ignored;

		if (opts->remove)
			container_remove(store, id, true, true, &ignored);
		return err->kind == ERR_CANCELLED ? -1 : failed(err, status);
	}
	if (opts->detach)
		printf("%s\n", id);
	return status;
}

static bool run_reads_stdin(const struct cli *cli, const void *values)
{
	const struct run_opts *opts = values;

	(void)cli;
	return opts->interactive && !opts->detach;
}

const struct command cmd_create = {
	.group = "container",
	.name = "create",
	.top = "create",
	.synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create a new container",
	.min_words = 1,
	.max_words = -1,
	.stop_at_word = true,
	.options = create_options,
	.options_size = sizeof(struct run_opts),
	.needs = NEEDS_POOL,
	.fetches = true,
	.check = runopts_check,
	.run = run_create,
};

const struct command cmd_run = {
	.group = "container",
	.name = "run",
	.top = "run",
	.synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create and run a new container from an image",
	.min_words = 1,
	.max_words = -1,
	.stop_at_word = true,
	.common = true,
	.options = run_options_table,
	.options_size = sizeof(struct run_opts),
	.needs = NEEDS_POOL,
	.fetches = true,
	.reads_stdin = run_reads_stdin,
	.run = run_run,
};
