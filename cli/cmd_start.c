/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "run/container.h"
#include "run/life.h"
#include "run/shim.h"
#include "run/signame.h"
#include "store.h"

struct start_opts {
	bool attach;
	bool interactive;
};

static int run_start(struct cli *cli, const void *values, struct error *err)
{
	const struct start_opts *opts = values;
	struct life_attach attach = { .output = true, .input = opts->interactive };
	auto_store struct store *store = NULL;
	int status = 0;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	if (opts->attach || opts->interactive)
		return life_start(store, cli->words[0], &attach, &status, err) < 0 ? -1 : status;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (life_start(store, cli->words[i], NULL, NULL, err) == 0)
			printf("%s\n", cli->words[i]);
		else if (cli_fail(cli, err) < 0)
			return -1;
		cli_flush();
	}
	return 0;
}

static int check_start(const struct cli *cli, const void *values, struct error *err)
{
	const struct start_opts *opts = values;

	if ((opts->attach || opts->interactive) && cli->nr_words > 1)
		return err_set(err, ERR_USAGE,
			       "you cannot start and attach multiple containers "
			       "at once");
	return 0;
}

static bool start_reads_stdin(const struct cli *cli, const void *values)
{
	const struct start_opts *opts = values;

	(void)cli;
	return opts->interactive;
}

static const struct opt start_options[] = {
	OPT_FLAG("attach", 'a', start_opts, attach, "Attach STDOUT/STDERR and forward signals"),
	OPT_FLAG("interactive", 'i', start_opts, interactive, "Attach container's STDIN"),
	{ 0 },
};

const struct command cmd_start = {
	.group = "container",
	.name = "start",
	.top = "start",
	.synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start one or more stopped containers",
	.min_words = 1,
	.max_words = -1,
	.options = start_options,
	.options_size = sizeof(struct start_opts),
	.needs = NEEDS_POOL,
	.check = check_start,
	.reads_stdin = start_reads_stdin,
	.run = run_start,
};

struct stop_opts {
	const char *signal;
	int64_t timeout;
	int64_t time; /* its old name */
};

static int stop_one(struct store *store, const char *operand, const struct stop_opts *opts,
		    struct error *err)
{
	if (opts->signal && *opts->signal) {
		int number = signame_parse(opts->signal, err);
		auto_container_row struct container_row row = { 0 };

		if (number < 0 || container_find(store, operand, &row, err) < 0)
			return -1;
		if (row.state == CONTAINER_RUNNING && life_kill(store, operand, number, err) < 0 &&
		    err->kind != ERR_IN_USE)
			return -1;
	}
	return life_stop(store, operand, opts->timeout >= 0 ? opts->timeout : opts->time, err);
}

static int run_stop(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (stop_one(store, cli->words[i], values, err) == 0)
			printf("%s\n", cli->words[i]);
		else if (cli_fail(cli, err) < 0)
			return -1;
		cli_flush();
	}
	return 0;
}

static const struct opt stop_options[] = {
	OPT_VALUE(OPT_STRING, "signal", 's', stop_opts, signal, "string",
		  "Signal to send to the container"),
	{
		.name = "timeout",
		.letter = 't',
		.kind = OPT_INT,
		.placeholder = "int",
		.help = "Seconds to wait before killing the container",
		.offset = offsetof(struct stop_opts, timeout),
		.preset = "-1",
	},
	{
		.name = "time",
		.kind = OPT_INT,
		.placeholder = "int",
		.help = "Seconds to wait before killing the container",
		.offset = offsetof(struct stop_opts, time),
		.preset = "-1",
		.hidden = true,
	},
	{ 0 },
};

const struct command cmd_stop = {
	.group = "container",
	.name = "stop",
	.top = "stop",
	.synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop one or more running containers",
	.min_words = 1,
	.max_words = -1,
	.options = stop_options,
	.options_size = sizeof(struct stop_opts),
	.needs = NEEDS_POOL,
	.run = run_stop,
};

struct kill_opts {
	const char *signal;
};

static int run_kill(struct cli *cli, const void *values, struct error *err)
{
	const struct kill_opts *opts = values;
	auto_store struct store *store = NULL;
	int number = signame_parse(opts->signal, err);

	if (number < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (life_kill(store, cli->words[i], number, err) == 0) {
			printf("%s\n", cli->words[i]);
			continue;
		}
		err_add(err, "cannot kill container: %s", cli->words[i]);
		if (cli_fail(cli, err) < 0)
			return -1;
	}
	return 0;
}

static const struct opt kill_options[] = {
	{
		.name = "signal",
		.letter = 's',
		.kind = OPT_STRING,
		.placeholder = "string",
		.help = "Signal to send to the container",
		.offset = offsetof(struct kill_opts, signal),
		.preset = "KILL",
	},
	{ 0 },
};

const struct command cmd_kill = {
	.group = "container",
	.name = "kill",
	.top = "kill",
	.synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Kill one or more running containers",
	.min_words = 1,
	.max_words = -1,
	.options = kill_options,
	.options_size = sizeof(struct kill_opts),
	.needs = NEEDS_POOL,
	.run = run_kill,
};

static int run_wait(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	int status;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (life_wait(store, cli->words[i], &status, err) == 0)
			printf("%d\n", status);
		else if (cli_fail(cli, err) < 0)
			return -1;
		cli_flush();
	}
	return 0;
}

const struct command cmd_wait = {
	.group = "container",
	.name = "wait",
	.top = "wait",
	.synopsis = "CONTAINER [CONTAINER...]",
	.summary = "Block until containers stop, then print their exit codes",
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_POOL,
	.run = run_wait,
};

static int run_ended(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	(void)values;
	return cli_open_store(cli, &store, err) < 0 ? -1 : life_settle(store, err);
}

/* conmon calls it when a detached container has ended. */
const struct command cmd_container_ended = {
	.name = "container-ended",
	.synopsis = "CONTAINER",
	.summary = "For internal use: notice the end of a container",
	.min_words = 1,
	.max_words = 1,
	.hidden = true,
	.needs = NEEDS_POOL,
	.run = run_ended,
};

static int run_shim(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return shim_run(cli->words, cli->nr_words, err);
}

/* We and conmon call it in crun's place. */
const struct command cmd_container_shim = {
	.name = SHIM_COMMAND,
	.synopsis = "FOLDER FS DEVICE ARG...",
	.summary = "For internal use: run crun on a container's volume",
	.min_words = 4,
	.max_words = -1,
	.stop_at_word = true,
	.hidden = true,
	.needs = NEEDS_NOTHING,
	.run = run_shim,
};
