/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

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

/* What a child is given. */
struct streams {
	int input_fd;	  /* -1: /dev/null */
	bool own_stderr;  /* not where its stdout goes */
	bool path_is_all; /* no other folders are searched */
};

/* In the child: never returns. A failed exec tells its errno through report_fd. */
static _Noreturn void child(const char *const argv[], const struct streams *streams, int output_fd,
			    int report_fd)
{
	int input_fd = streams->input_fd >= 0 ? streams->input_fd : open("/dev/null", O_RDONLY);
	sigset_t none;
	int failed;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(input_fd, STDIN_FILENO);
	dup2(output_fd, STDOUT_FILENO);
	if (!streams->own_stderr)
		dup2(output_fd, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	if (!streams->path_is_all && !strchr(argv[0], '/'))
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
		int64_t left_ms = until_ms - clock_ms();
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
	line = line ? line + 1 : output->data;
	return line + strspn(line, " \t");
}

/*
 * What a program says in its own name is its reason; what it said to standard output may come after
 * that. Those of e2fsprogs begin with their version, and when a write fails at the end, that is all.
 */
static const char *reason(const char *program, struct buf *output)
{
	auto_free char *name = xasprintf("%s: ", program);
	const char *line = last_line(output);
	size_t len = strlen(program);
	char *words = NULL;

	for (char *at = output->data; at && *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (strncmp(at, name, len + 2) == 0)
			words = at;
	}
	if (words) {
		words[strcspn(words, "\r\n")] = '\0';
		return words;
	}
	if (output->data && strncmp(output->data, program, len) == 0 && output->data[len] == ' ' &&
	    isdigit(output->data[len + 1]))
		return "it gave no reason, the kernel's log may have one";
	return line;
}

/* Returns the child's process id. */
static pid_t start(const char *const argv[], const struct streams *streams, int *ret_output_fd,
		   struct error *err)
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
		child(argv, streams, output[1], report[1]);
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
	const struct streams streams = { .input_fd = -1 };
	auto_fd int output_fd = -1;
	pid_t pid = start(argv, &streams, &output_fd, err);
	bool late;
	int status;

	if (pid < 0)
		return -1;
	late = collect(output_fd, clock_ms() + deadline_ms, output) < 0;
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
			       reason(argv[0], &output));
	return status;
}

/* ---- a request and an answer ---- */

/* A file without a name, which is memory: it is there as a whole before anybody reads it. */
static int open_request(const struct proc_talk *talk, struct error *err)
{
	auto_fd int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "memory for a request");
	if (io_write(fd, talk->input, talk->input_len, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "seek");
	return take_fd(fd);
}

static int check_time(const struct proc_talk *talk, int64_t until_ms, struct error *err)
{
	if (cancel_check(err) < 0)
		return -1;
	if (clock_ms() >= until_ms)
		return err_set(err, ERR_IO, "%s did not end within %d s", talk->argv[0],
			       talk->deadline_ms / 1000);
	return 0;
}

/* Reads until the child closes its end. */
static int collect_answer(const struct proc_talk *talk, int fd, int64_t until_ms,
			  struct buf *output, struct error *err)
{
	char more;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		bool full = output->len == talk->output_max;
		ssize_t got;

		if (check_time(talk, until_ms, err) < 0)
			return -1;
		/* In small steps: a signal may come between the look for one and the wait. */
		if (poll(&wait, 1, 100) <= 0)
			continue;
		got = full ? read(fd, &more, 1)
			   : read(fd, output->data + output->len, talk->output_max - output->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		if (full)
			return err_set(err, ERR_LIMIT, "%s answered more than %zu bytes",
				       talk->argv[0], talk->output_max);
		output->len += (size_t)got;
	}
}

/* It may have closed its end and go on. */
static int wait_for_end(const struct proc_talk *talk, pid_t pid, int64_t until_ms, int *ret_status,
			struct error *err)
{
	const struct timespec moment = { .tv_nsec = 2000000 };

	for (;;) {
		pid_t ended = waitpid(pid, ret_status, WNOHANG);

		if (ended == pid)
			return 0;
		if (ended < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for %s", talk->argv[0]);
		if (check_time(talk, until_ms, err) < 0)
			return -1;
		nanosleep(&moment, NULL);
	}
}

int proc_talk(const struct proc_talk *talk, struct buf *ret_output, struct error *err)
{
	auto_fd int input_fd = open_request(talk, err), output_fd = -1;
	struct streams streams = { input_fd, .own_stderr = true, .path_is_all = true };
	int64_t until_ms = clock_ms() + talk->deadline_ms;
	int status;
	pid_t pid;

	if (input_fd < 0)
		return -1;
	pid = start(talk->argv, &streams, &output_fd, err);
	if (pid < 0)
		return -1;
	if (collect_answer(talk, output_fd, until_ms, ret_output, err) < 0 ||
	    wait_for_end(talk, pid, until_ms, &status, err) < 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return -1;
	}
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s was killed by signal %d", talk->argv[0],
			       WTERMSIG(status));
	return WEXITSTATUS(status);
}
