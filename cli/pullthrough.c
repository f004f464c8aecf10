/* SPDX-License-Identifier: Apache-2.0 */
#include "pullthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cmd.h"
#include "inside.h"
#include "oci/reference.h"
#include "registry/relay.h"
#include "store.h"

static void fill_words(const struct cli *cli, const struct pull_args *args, struct strlist *ret)
{
	const struct global_opts *global = cli->global;

	strlist_add(ret, PROGRAM);
	if (global->config)
		strlist_take(ret, xasprintf("--config=%s", global->config));
	if (global->debug)
		strlist_add(ret, "--debug");
	strlist_take(ret, xasprintf("--log-level=%s", global->log_level));
	strlist_add(ret, "image");
	strlist_add(ret, cmd_image_receive.name);
	strlist_take(ret, reference_canonical(args->ref));
	if (args->platform && *args->platform)
		strlist_add(ret, args->platform);
}

/* The process that has the appliance; its standard streams are the two pipes. */
static int run_inside(const struct cli *cli, const struct pull_args *args, int in_fd, int out_fd)
{
	auto_strlist struct strlist words = { 0 };
	struct cli inner = {
		.command = &cmd_image_receive,
		.global = cli->global,
		.settings = cli->settings,
	};
	struct error err;
	int status;

	if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
		return 1;
	fill_words(cli, args, &words);
	status = inside_run(&inner, NULL, words.items, &err);
	if (status < 0) {
		if (err.kind != ERR_CANCELLED)
			cli_say_error(err.text);
		status = cli_exit_status(&err);
	}
	return status;
}

static int exit_status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_folder(const char *root, struct error *err)
{
	int fd;

	if (io_make_dirs(root, 0711, err) < 0)
		return -1;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open '%s'", root) : fd;
}

static int serve(pid_t pid, const struct pull_args *args, int folder_fd, int in_fd, int out_fd,
		 struct pull_result *ret, struct error *err)
{
	cancel_catch_signals();
	if (relay_serve(args, folder_fd, in_fd, out_fd, ret, err) == 0)
		return 0;
	/* It may be waiting for us; a terminal has told it as well. */
	if (cancel_signal())
		kill(pid, cancel_signal());
	return -1;
}

int pull_through(struct cli *cli, const struct pull_args *args, struct pull_result *ret,
		 struct error *err)
{
	auto_fd int folder_fd = open_folder(cli->settings->root, err);
	int down[2], up[2], result, status;
	pid_t pid;

	if (folder_fd < 0)
		return -1;
	if (pipe2(down, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	if (pipe2(up, O_CLOEXEC) < 0) {
		close(down[0]);
		close(down[1]);
		return err_sys(err, errno, "make a pipe");
	}
	cli_flush();
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		close(up[0]);
		_exit(run_inside(cli, args, down[0], up[1]));
	}
	close(down[0]);
	close(up[1]);
	result = pid < 0 ? err_sys(err, errno, "start a process")
			 : serve(pid, args, folder_fd, up[0], down[1], ret, err);
	close(down[1]);
	close(up[0]);
	status = pid < 0 ? 0 : exit_status_of(pid);
	return status ? status : result;
}

/* ---- inside ---- */

static int run_receive(struct cli *cli, const void *values, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_store struct store *store = NULL;

	(void)values;
	if (reference_parse(cli->words[0], &ref, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	reference_default_tag(&ref);
	return relay_pull(store, &ref, cli->nr_words > 1 ? cli->words[1] : NULL, STDIN_FILENO,
			  STDOUT_FILENO, err);
}

static bool receive_reads_stdin(const struct cli *cli, const void *values)
{
	(void)cli;
	(void)values;
	return true;
}

const struct command cmd_image_receive = {
	.group = "image",
	.name = "receive",
	.synopsis = "NAME [PLATFORM]",
	.summary = "Take an image that 'pull' downloads outside of the appliance",
	.min_words = 1,
	.max_words = 2,
	.hidden = true,
	.needs = NEEDS_POOL,
	.reads_stdin = receive_reads_stdin,
	.run = run_receive,
};
