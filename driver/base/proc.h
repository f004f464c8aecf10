/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc - run a program without a shell and with a deadline
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/buf.h"
#include "base/err.h"

#define PROC_OUTPUT_MAX (1024 * 1024) /* bytes kept of what a child prints; more is dropped */

/**
 * proc_run - run argv and wait for it
 * @argv:        NULL terminated; argv[0] is looked up in PATH, then in the folders for root's programs
 * @deadline_ms: after that the child is killed
 * @ret_output:  stdout and stderr of the child together, appended; may be NULL
 *
 * stdin is /dev/null. Returns the exit status (0 to 255), or -1: ERR_NOT_FOUND
 * when there is no such program, ERR_IO when it was killed or ran out of time
 * (the text ends with the last line it printed).
 */
int proc_run(const char *const argv[], int deadline_ms, struct buf *ret_output, struct error *err);

/**
 * proc_check - like proc_run, but a status other than 0 is ERR_IO too
 */
int proc_check(const char *const argv[], int deadline_ms, struct error *err);

struct proc_talk {
	const char *const *argv;
	const void *input; /* what the child reads */
	size_t input_len;
	size_t output_max; /* bytes; more is an error */
	int deadline_ms;
};

/**
 * proc_talk - run a program that reads a request and writes an answer
 * @ret_output: stdout of the child; made by secret_buf_init() with output_max, so that nothing of
 *              it lies anywhere else
 *
 * stderr is ours: the child may speak to the user. Its program is looked up in PATH alone. The
 * request is on no disk and in no argument. Returns the exit status (0 to 255), or -1 when the
 * child is gone: ERR_NOT_FOUND, ERR_LIMIT, ERR_CANCELLED, ERR_IO (killed, or out of time).
 */
int proc_talk(const struct proc_talk *talk, struct buf *ret_output, struct error *err);

#endif
