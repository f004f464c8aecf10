/* SPDX-License-Identifier: Apache-2.0 */
#include "run/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "oci/rfc3339.h"

#define LOOK_MS	    500 /* whether the container still runs, when nothing is written */
#define READ_BYTES  (64 * 1024)
#define STREAM_NAME "stdout"

int logfile_open(const char *path, struct logfile *ret, struct error *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open log '%s'", path);
	*ret = (struct logfile){ .fd = fd };
	return 0;
}

static int put_line(struct logfile *log, enum log_stream stream, const char *text, size_t len,
		    bool ends, struct error *err)
{
	auto_buf struct buf line = { 0 };
	struct timespec now;
	struct tm tm;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(&line, "%s.%09ld+00:00 %s %c ", stamp, now.tv_nsec,
		   stream == LOG_STDOUT ? "stdout" : "stderr", ends ? 'F' : 'P');
	buf_append(&line, text, len);
	buf_putc(&line, '\n');
	return io_write(log->fd, line.data, line.len, err);
}

int logfile_write(struct logfile *log, enum log_stream stream, const char *data, size_t len,
		  struct error *err)
{
	struct buf *pending = &log->pending[stream];

	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t take = end ? (size_t)(end - data) : len;

		if (pending->len + take > LOGFILE_LINE_MAX) {
			take = LOGFILE_LINE_MAX - pending->len;
			end = NULL;
		}
		buf_append(pending, data, take);
		data += take + (end != NULL);
		len -= take + (end != NULL);
		if (!end && pending->len < LOGFILE_LINE_MAX)
			continue;
		if (put_line(log, stream, pending->data, pending->len, end != NULL, err) < 0)
			return -1;
		buf_reset(pending);
	}
	return 0;
}

void logfile_close(struct logfile *log)
{
	struct error err;

	for (int i = 0; i < 2; i++) {
		if (log->fd >= 0 && log->pending[i].len)
			put_line(log, (enum log_stream)i, log->pending[i].data, log->pending[i].len,
				 false, &err);
		buf_done(&log->pending[i]);
	}
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

bool logfile_parse(const char *line, size_t len, struct log_line *ret)
{
	const char *space = memchr(line, ' ', len);
	auto_free char *stamp = NULL;
	struct error err;
	size_t head;

	if (!space)
		return false;
	head = (size_t)(space - line) + 1;
	if (len < head + strlen(STREAM_NAME) + 3)
		return false;
	stamp = xasprintf("%.*s", (int)(head - 1), line);
	if (rfc3339_parse(stamp, &ret->time_ns, &err) < 0)
		return false;
	if (memcmp(line + head, "stdout ", 7) == 0)
		ret->stream = LOG_STDOUT;
	else if (memcmp(line + head, "stderr ", 7) == 0)
		ret->stream = LOG_STDERR;
	else
		return false;
	ret->ends = line[head + 7] == 'F';
	ret->text = line + head + 9;
	ret->len = len - head - 9;
	return true;
}

/* What is read of a file so far. */
struct reader {
	int fd;
	struct buf data; /* from the beginning of a line on */
	const struct logfile_filter *filter;
	int (*emit)(void *ctx, const struct log_line *line, struct error *err);
	void *ctx;
};

static int emit_line(struct reader *reader, const char *text, size_t len, struct error *err)
{
	const struct logfile_filter *filter = reader->filter;
	struct log_line line;

	if (!logfile_parse(text, len, &line) ||
	    (filter->has_since && line.time_ns < filter->since_ns) ||
	    (filter->has_until && line.time_ns > filter->until_ns))
		return 0;
	return reader->emit(reader->ctx, &line, err);
}

/* Whole lines go out, the rest stays. */
static int emit_lines(struct reader *reader, struct error *err)
{
	size_t at = 0;

	while (at < reader->data.len) {
		const char *from = reader->data.data + at;
		const char *end = memchr(from, '\n', reader->data.len - at);

		if (!end)
			break;
		if (emit_line(reader, from, (size_t)(end - from), err) < 0)
			return -1;
		at += (size_t)(end - from) + 1;
	}
	if (at) {
		memmove(reader->data.data, reader->data.data + at, reader->data.len - at);
		reader->data.len -= at;
	}
	return 0;
}

/* Reads to the end. */
static int drain(struct reader *reader, struct error *err)
{
	auto_free char *chunk = xmalloc(READ_BYTES);
	ssize_t got;

	while ((got = read(reader->fd, chunk, READ_BYTES)) > 0) {
		buf_append(&reader->data, chunk, (size_t)got);
		if (emit_lines(reader, err) < 0 || cancel_check(err) < 0)
			return -1;
	}
	return got < 0 ? err_sys(err, errno, "read log") : 0;
}

/* Puts fd where the last wanted lines begin; pieces belong to the line that they are of. */
static int seek_tail(int fd, int64_t tail, struct error *err)
{
	auto_free char *chunk = xmalloc(READ_BYTES);
	off_t at = lseek(fd, 0, SEEK_END);
	int64_t nr = -1; /* the newline at the end of the file begins no line */

	while (at > 0) {
		size_t len = at < READ_BYTES ? (size_t)at : READ_BYTES;

		at -= (off_t)len;
		if (io_pread(fd, chunk, len, (uint64_t)at, err) < 0)
			return -1;
		for (size_t i = len; i-- > 0;) {
			if (chunk[i] != '\n')
				continue;
			if (++nr >= tail) {
				lseek(fd, at + (off_t)i + 1, SEEK_SET);
				return 0;
			}
		}
	}
	lseek(fd, 0, SEEK_SET);
	return 0;
}

static int follow(struct reader *reader, const char *path, bool (*alive)(void *ctx),
		  struct error *err)
{
	auto_fd int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (watch_fd < 0 || inotify_add_watch(watch_fd, path, IN_MODIFY) < 0)
		return err_sys(err, errno, "watch log '%s'", path);
	for (;;) {
		struct pollfd wait = { .fd = watch_fd, .events = POLLIN };
		bool was_alive = alive(reader->ctx);
		char events[4096];

		/* In this order: what was written before the end is not missed. */
		if (drain(reader, err) < 0)
			return -1;
		if (!was_alive)
			return 0;
		if (poll(&wait, 1, LOOK_MS) < 0 && cancel_check(err) < 0)
			return -1;
		while (read(watch_fd, events, sizeof(events)) > 0)
			;
	}
}

int logfile_read(const char *path, const struct logfile_filter *filter, bool (*alive)(void *ctx),
		 int (*emit)(void *ctx, const struct log_line *line, struct error *err), void *ctx,
		 struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reader reader = { .fd = fd, .filter = filter, .emit = emit, .ctx = ctx };
	int result;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "open log '%s'", path);
	if (filter->tail >= 0 && seek_tail(fd, filter->tail, err) < 0)
		return -1;
	result = drain(&reader, err);
	if (result == 0 && filter->follow)
		result = follow(&reader, path, alive, err);
	buf_done(&reader.data);
	return result;
}
