/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Tools for disks lie where an ordinary user's PATH does not lead. In the child: no allocation. */
static void exec_system_program(const char *const argv[])
{
	static const char *const folders[] = { "/usr/local/sbin", "/usr/sbin", "/sbin" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && errno == ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], argv[0]);
		execv(path, (char *const *)argv);
	}
}

/* In the child: never returns. A failed exec tells its errno through report_fd. */
static _Noreturn void child(const char *const argv[], int output_fd, int report_fd)
{
	int null_fd = open("/dev/null", O_RDONLY);
	sigset_t none;
	int failed;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, STDIN_FILENO);
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	if (!strchr(argv[0], '/'))
		exec_system_program(argv);
	failed = errno;
	while (write(report_fd, &failed, sizeof(failed)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* Reads until the child closes its end; -1 once the deadline has passed. */
static int collect(int fd, int64_t until_ms, struct buf *output)
{
	char chunk[4096];

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left_ms = until_ms - now_ms();
		ssize_t got;

		if (left_ms <= 0)
			return -1;
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		if (output->len < PROC_OUTPUT_MAX)
			buf_append(output, chunk, (size_t)got);
	}
}

static const char *last_line(struct buf *output)
{
	char *line;

	while (output->len && strchr("\r\n ", output->data[output->len - 1]))
		output->data[--output->len] = '\0';
	if (!output->len)
		return "it printed nothing";
	line = strrchr(output->data, '\n');
	return line ? line + 1 : output->data;
}

/* Returns the child's process id. */
static pid_t start(const char *const argv[], int *ret_output_fd, struct error *err)
{
	int output[2], report[2], failed = 0;
	auto_fd int output_fd = -1;
	ssize_t got;
	pid_t pid;

	if (pipe2(output, O_CLOEXEC) < 0)
		return err_sys(err, errno, "run %s", argv[0]);
	output_fd = output[0];
	if (pipe2(report, O_CLOEXEC) < 0) {
		close(output[1]);
		return err_sys(err, errno, "run %s", argv[0]);
	}
	pid = fork();
	if (pid == 0)
		child(argv, output[1], report[1]);
	close(output[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return err_sys(err, errno, "run %s", argv[0]);
	}
	do
		got = read(report[0], &failed, sizeof(failed));
	while (got < 0 && errno == EINTR);
	close(report[0]);
	if (got == sizeof(failed)) {
		waitpid(pid, NULL, 0);
		return err_sys(err, failed, "run %s", argv[0]);
	}
	*ret_output_fd = take_fd(output_fd);
	return pid;
}

static int run(const char *const argv[], int deadline_ms, struct buf *output, struct error *err)
{
	auto_fd int output_fd = -1;
	pid_t pid = start(argv, &output_fd, err);
	bool late;
	int status;

	if (pid < 0)
		return -1;
	late = collect(output_fd, now_ms() + deadline_ms, output) < 0;
	if (late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (late)
		return err_set(err, ERR_IO, "%s did not end within %d s: %s", argv[0],
			       deadline_ms / 1000, last_line(output));
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s was killed by signal %d: %s", argv[0],
			       WTERMSIG(status), last_line(output));
	return WEXITSTATUS(status);
}

int proc_run(const char *const argv[], int deadline_ms, struct buf *ret_output, struct error *err)
{
	auto_buf struct buf output = { 0 };
	int status = run(argv, deadline_ms, &output, err);

	if (status >= 0 && ret_output && output.len)
		buf_append(ret_output, output.data, output.len);
	return status;
}

int proc_check(const char *const argv[], int deadline_ms, struct error *err)
{
	auto_buf struct buf output = { 0 };
	int status = run(argv, deadline_ms, &output, err);

	if (status > 0)
		return err_set(err, ERR_IO, "%s failed (exit status %d): %s", argv[0], status,
			       last_line(&output));
	return status;
}
