/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "envfile.h"
#include "run/life.h"
#include "store.h"

struct exec_opts {
	bool detach, interactive, privileged, tty;
	const char *user, *workdir;
	struct strlist env, env_files;
};

static int run_exec(struct cli *cli, const void *values, struct error *err)
{
	const struct exec_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_strlist struct strlist argv = { 0 };
	auto_strlist struct strlist env = { 0 };
	struct life_exec exec = {
		.argv = &argv,
		.env = &env,
		.user = opts->user,
		.cwd = opts->workdir,
		.tty = opts->tty,
		.input = opts->interactive,
		.detach = opts->detach,
		.privileged = opts->privileged,
	};
	int status;

	for (size_t i = 1; i < cli->nr_words; i++)
		strlist_add(&argv, cli->words[i]);
	if (envfile_collect(&opts->env_files, &opts->env, &env, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0)
		return -1;
	if (life_exec(store, cli->words[0], &exec, &status, err) == 0)
		return status;
	if (err->kind != ERR_REMOTE)
		return -1;
	cli_say_error(err->text);
	return status;
}

static int check_exec(const struct cli *cli, const void *values, struct error *err)
{
	const struct exec_opts *opts = values;

	(void)cli;
	if (opts->tty && !opts->detach && !isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "the input device is not a TTY");
	return 0;
}

static bool exec_reads_stdin(const struct cli *cli, const void *values)
{
	const struct exec_opts *opts = values;

	(void)cli;
	return (opts->interactive || opts->tty) && !opts->detach;
}

static const struct opt exec_options[] = {
	OPT_FLAG("detach", 'd', exec_opts, detach, "Detached mode: run command in the background"),
	OPT_VALUE(OPT_LIST, "env", 'e', exec_opts, env, "list", "Set environment variables"),
	OPT_VALUE(OPT_LIST, "env-file", 0, exec_opts, env_files, "list",
		  "Read in a file of environment variables"),
	OPT_FLAG("interactive", 'i', exec_opts, interactive,
		 "Keep STDIN open even if not attached"),
	OPT_FLAG("privileged", 0, exec_opts, privileged, "Give extended privileges to the command"),
	OPT_FLAG("tty", 't', exec_opts, tty, "Allocate a pseudo-TTY"),
	OPT_VALUE(OPT_STRING, "user", 'u', exec_opts, user, "string",
		  "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
	OPT_VALUE(OPT_STRING, "workdir", 'w', exec_opts, workdir, "string",
		  "Working directory inside the container"),
	{ 0 },
};

const struct command cmd_exec = {
	.group = "container",
	.name = "exec",
	.top = "exec",
	.synopsis = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Execute a command in a running container",
	.min_words = 2,
	.max_words = -1,
	.stop_at_word = true,
	.common = true,
	.options = exec_options,
	.options_size = sizeof(struct exec_opts),
	.needs = NEEDS_POOL,
	.check = check_exec,
	.reads_stdin = exec_reads_stdin,
	.run = run_exec,
};
