/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logfile - what a container printed, a line for each line, with time and stream
 *
 *	2026-11-28T18:00:00.123456789+00:00 stdout F the text
 *
 * F ends a line, P is a piece of one. Written by conmon for detached containers
 * ("k8s-file"), by ourselves for attached ones.
 */
#ifndef RUN_LOGFILE_H
#define RUN_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define LOGFILE_LINE_MAX 8192 /* bytes of one piece, as conmon cuts them */

enum log_stream {
	LOG_STDOUT,
	LOG_STDERR,
};

struct logfile {
	int fd;
	struct buf pending[2]; /* of each stream: a line that has not ended */
};

/* Appends to the file; makes it. */
int logfile_open(const char *path, struct logfile *ret, struct error *err);
int logfile_write(struct logfile *log, enum log_stream stream, const char *data, size_t len,
		  struct error *err);
/* Lines that never ended go out as they are. */
void logfile_close(struct logfile *log);

struct log_line {
	int64_t time_ns; /* Unix time */
	enum log_stream stream;
	bool ends;	  /* the line; else more of it follows */
	const char *text; /* not terminated */
	size_t len;
};

/* One line of the file without its newline. Returns false when it is none. Pure. */
bool logfile_parse(const char *line, size_t len, struct log_line *ret);

struct logfile_filter {
	bool has_since, has_until;
	int64_t since_ns, until_ns;
	int64_t tail; /* lines from the end; -1: all */
	bool follow;
};

/**
 * logfile_read - the lines of a file, oldest first
 * @alive: asked when the end is reached and follow is set; false ends it
 * @emit:  returns -1 to stop with its error
 *
 * A file that is not there is empty. ERR_CANCELLED on a signal.
 */
int logfile_read(const char *path, const struct logfile_filter *filter, bool (*alive)(void *ctx),
		 int (*emit)(void *ctx, const struct log_line *line, struct error *err), void *ctx,
		 struct error *err);

#endif
