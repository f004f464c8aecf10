/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - what the monitor of a store has done, for `pool status` and for its next start
 *
 *	ROOT/monitor.json	what is below; replaced as a whole
 *	ROOT/monitor.lock	flock of the one monitor that runs
 */
#ifndef MONITOR_STATE_H
#define MONITOR_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MONITOR_LOCK_NAME  "monitor.lock"
#define MONITOR_STATE_NAME "monitor.json"
#define MONITOR_TEXT_BYTES 512

struct monitor_state {
	int64_t pid;
	int64_t growths;	/* of data or metadata */
	int64_t prunes;		/* images deleted */
	int64_t last_growth_ns; /* Unix time; 0: never */
	int64_t last_prune_ns;
	char problem[MONITOR_TEXT_BYTES]; /* what it cannot help, for people; "": nothing */
};

/* A file that is missing or is not ours reads as a state in which nothing has happened. */
void monitor_state_read(int root_fd, struct monitor_state *ret);
int monitor_state_write(int root_fd, const struct monitor_state *state, struct error *err);
/* Does a monitor run for the store of this folder? */
bool monitor_is_running(int root_fd);

#endif
