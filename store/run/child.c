/* SPDX-License-Identifier: Apache-2.0 */
#include "run/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static void set_streams(const struct child_args *args)
{
	int fds[3];

	/* Out of the way first: one of them may have the number of another. */
	for (int i = 0; i < 3; i++)
		fds[i] = args->fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC)
					  : fcntl(args->fds[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	for (size_t i = 0; i < args->nr_kept; i++)
		fcntl(args->kept[i], F_SETFD, 0);
}

static _Noreturn void run(const struct child_args *args, int report_fd)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;
	int failed;

	sigemptyset(&none);
	sigaction(SIGPIPE, &usual, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (args->own_group)
		setpgid(0, 0);
	for (size_t i = 0; args->env && i < args->env->nr; i++)
		putenv(args->env->items[i]);
	set_streams(args);
	execvp(args->argv->items[0], args->argv->items);
	failed = errno;
	while (write(report_fd, &failed, sizeof(failed)) < 0 && errno == EINTR)
		;
	_exit(127);
}

pid_t child_start(const struct child_args *args, struct error *err)
{
	int report[2], failed = 0;
	ssize_t got;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(err, errno, "run %s", args->argv->items[0]);
	pid = fork();
	if (pid == 0)
		run(args, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return err_sys(err, errno, "run %s", args->argv->items[0]);
	}
	do
		got = read(report[0], &failed, sizeof(failed));
	while (got < 0 && errno == EINTR);
	close(report[0]);
	if (got != sizeof(failed))
		return pid;
	child_wait(pid);
	return err_sys(err, failed, "run %s", args->argv->items[0]);
}

int child_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
