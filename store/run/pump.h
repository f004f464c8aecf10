/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump - the streams of an attached container: to our own, and into its log
 *
 * One poll() for output, input, signals and the size of the terminal. While it
 * runs, signals that reach us go to the container's first process; the third
 * interrupt that it does not heed kills it.
 *
 * When our output goes nowhere any more, nobody is there for the container: its
 * pipe breaks, too, and it is stopped. Docker's client would end alone, but here
 * there is no daemon that the container could stay with.
 */
#ifndef RUN_PUMP_H
#define RUN_PUMP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "run/logfile.h"

struct pump {
	pid_t pid;	     /* our child or grandchild, which we have to wait for */
	int output_fds[2];   /* standard output and error; -1: none */
	int master_fd;	     /* of its terminal, instead of the two; -1 */
	int input_fd;	     /* a pipe to its standard input; -1 */
	bool take_input;     /* pass ours on */
	struct logfile *log; /* may be NULL */
	int stop_signal;     /* asks it to end */
	int64_t stop_ms;     /* how long it has for that */
};

#define PUMP_UNREAD (128 + SIGPIPE) /* the status when nobody read the output to its end */

/* Signals go into a queue from here on, so that none is lost; before the child starts. */
int pump_catch_signals(struct error *err);

/**
 * pump_run - until the process has ended and its output is through
 * @ret_status: its exit status, 128+n for a signal
 * @ret_lost:   why not all of the output could be passed on, as an errno; EPIPE:
 *		nobody read it to its end. 0: it was
 *
 * The process is still there as one that has ended: the caller writes the
 * status down, then waits for it. Closes the descriptors.
 */
int pump_run(struct pump *pump, int *ret_status, int *ret_lost, struct error *err);

#endif
