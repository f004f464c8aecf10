/* SPDX-License-Identifier: Apache-2.0 */
#include "courier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"

#define FILE_BYTES  (1u << 20)
#define FILES_AHEAD 8
#define POLL_MS	    5

struct stream {
	const char *folder, *name;
	uint64_t next;
};

static char *path_of(const struct stream *stream, uint64_t number)
{
	return xasprintf("%s/%s-%ju", stream->folder, stream->name, (uintmax_t)number);
}

/* Until a file is there, or is not any more. Returns false when the folder is gone. */
static bool wait_for(const struct stream *stream, const char *path, bool there)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };

	while ((access(path, F_OK) == 0) != there) {
		if (access(stream->folder, F_OK) < 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool put(struct stream *stream, const void *data, size_t len)
{
	auto_free char *path = path_of(stream, stream->next++);
	auto_free char *draft = xasprintf("%s.new", path);
	auto_fd int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct error err;

	if (fd < 0 || io_write(fd, data, len, &err) < 0 || rename(draft, path) < 0)
		return false;
	if (stream->next > FILES_AHEAD) {
		auto_free char *old = path_of(stream, stream->next - 1 - FILES_AHEAD);

		return wait_for(stream, old, false);
	}
	return true;
}

static bool take(struct stream *stream, struct buf *ret)
{
	auto_free char *path = path_of(stream, stream->next++);
	struct error err;

	return wait_for(stream, path, true) &&
	       io_read_file(AT_FDCWD, path, FILE_BYTES, ret, &err) == 0 && unlink(path) == 0;
}

static void move_out(struct stream *stream, int fd)
{
	auto_free char *data = xmalloc(FILE_BYTES);

	for (;;) {
		ssize_t got = read(fd, data, FILE_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (!put(stream, data, got > 0 ? (size_t)got : 0) || got <= 0)
			return;
	}
}

static void move_in(struct stream *stream, int fd)
{
	for (;;) {
		auto_buf struct buf data = { 0 };
		struct error err;

		if (!take(stream, &data) || data.len == 0 ||
		    io_write(fd, data.data, data.len, &err) < 0)
			return;
	}
}

/* Of the descriptors beyond the standard ones: a copy of somebody's would keep its stream open. */
static void keep_only(int fd)
{
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0U, 0);
}

/* A process that has one end of a pipe; the other is returned. */
static int start(const char *folder, const char *name, bool in, pid_t *ret_pid, struct error *err)
{
	struct stream stream = { .folder = folder, .name = name };
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	fcntl(ends[0], F_SETPIPE_SZ, FILE_BYTES);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_IGN); /* a key of the terminal is for those who talk */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		keep_only(ends[in ? 1 : 0]);
		if (getppid() != parent)
			_exit(0);
		if (in)
			move_in(&stream, ends[1]);
		else
			move_out(&stream, ends[0]);
		_exit(0);
	}
	close(ends[in ? 1 : 0]);
	if (*ret_pid > 0)
		return ends[in ? 0 : 1];
	close(ends[in ? 0 : 1]);
	return err_sys(err, errno, "start a process");
}

int courier_start(const char *folder, const char *in_name, const char *out_name,
		  struct courier *ret, struct error *err)
{
	auto_courier struct courier courier = { .in_fd = -1, .out_fd = -1 };

	courier.in_fd = start(folder, in_name, true, &courier.in_pid, err);
	if (courier.in_fd < 0)
		return -1;
	courier.out_fd = start(folder, out_name, false, &courier.out_pid, err);
	if (courier.out_fd < 0)
		return -1;
	*ret = courier;
	courier = (struct courier){ 0 };
	return 0;
}

static void reap(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void courier_stop(struct courier *courier)
{
	if (courier->out_pid > 0) {
		close(courier->out_fd);
		reap(courier->out_pid);
	}
	if (courier->in_pid > 0) {
		close(courier->in_fd);
		kill(courier->in_pid, SIGTERM);
		reap(courier->in_pid);
	}
	*courier = (struct courier){ 0 };
}
