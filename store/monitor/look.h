/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look - one look of the monitor at its pool, and what follows from it
 *
 *	metadata is short	it grows
 *	data is short		it grows; where it cannot, mounted file systems are trimmed, then
 *				unused images go (enum pressure_prune), the least recently used first
 *	in the end		the kernel is told at which mark to make its next event, and the
 *				metrics are written
 *
 * The store's lock is taken for each of these alone. A pool that is not active stays so. Runs in a
 * process of its own (monitor/monitor.c).
 */
#ifndef MONITOR_LOOK_H
#define MONITOR_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/pressure.h"
#include "monitor/state.h"

struct store_options;

struct monitor_options {
	const struct store_options *store;
	struct pressure_limits limits;
	const char *metrics; /* path of a file, or NULL */
};

/* What one look leaves for the next one. */
struct monitor_memory {
	struct monitor_state state;
	char health[64];   /* as it was said last */
	uint32_t event_nr; /* of the pool, after the mark was set */
	int64_t tried_ms;  /* clock_ms() of the last attempt to delete images; 0: none */
};

/* Returns 0 also without a pool, and when a problem was noticed and said; or -1. */
int look_once(const struct monitor_options *options, struct monitor_memory *memory,
	      struct error *err);

#endif
