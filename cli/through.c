/* SPDX-License-Identifier: Apache-2.0 */
#include "through.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "inside.h"

void through_words(const struct cli *cli, const struct command *command, struct strlist *ret)
{
	const struct global_opts *global = cli->global;

	strlist_add(ret, PROGRAM);
	if (global->config)
		strlist_take(ret, xasprintf("--config=%s", global->config));
	if (global->debug)
		strlist_add(ret, "--debug");
	strlist_take(ret, xasprintf("--log-level=%s", global->log_level));
	strlist_add(ret, command->group);
	strlist_add(ret, command->name);
}

/* The process that has the appliance; its standard streams are the two pipes. */
static int run_inside(const struct cli *cli, const struct command *command,
		      const struct strlist *words, int in_fd, int out_fd)
{
	struct cli inner = {
		.command = command,
		.global = cli->global,
		.settings = cli->settings,
	};
	struct error err;
	int status;

	if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
		return 1;
	status = inside_run(&inner, NULL, words->items, &err);
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

int through_open_root(const struct cli *cli, struct error *err)
{
	const char *root = cli->settings->root;
	int fd;

	if (io_make_dirs(root, 0711, err) < 0)
		return -1;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open '%s'", root) : fd;
}

static int serve_process(pid_t pid, through_serve_fn *serve, void *ctx, int in_fd, int out_fd,
			 struct error *err)
{
	cancel_catch_signals();
	if (serve(ctx, in_fd, out_fd, err) == 0)
		return 0;
	/* It may be waiting for us; a terminal has told it as well. */
	if (cancel_signal())
		kill(pid, cancel_signal());
	return -1;
}

int through_run(struct cli *cli, const struct command *command, const struct strlist *words,
		through_serve_fn *serve, void *ctx, struct error *err)
{
	int down[2], up[2], result, status;
	pid_t pid;

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
		_exit(run_inside(cli, command, words, down[0], up[1]));
	}
	close(down[0]);
	close(up[1]);
	result = pid < 0 ? err_sys(err, errno, "start a process")
			 : serve_process(pid, serve, ctx, up[0], down[1], err);
	close(down[1]);
	close(up[0]);
	status = pid < 0 ? 0 : exit_status_of(pid);
	return status ? status : result;
}
