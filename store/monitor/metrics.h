/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - the state of a store as Prometheus text
 *
 * Source: Prometheus, "Exposition formats", text-based format 0.0.4
 */
#ifndef MONITOR_METRICS_H
#define MONITOR_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "monitor/state.h"
#include "pool/pool.h"

struct store;

/* What the catalogue has. */
struct metrics_counts {
	int64_t images;
	int64_t containers;
	int64_t containers_running;
	int64_t volumes; /* named ones of containers */
	int64_t layers;
};

struct metrics {
	const char *root; /* a label of every line */
	struct pool_status status;
	bool counted; /* counts is filled */
	struct metrics_counts counts;
	struct monitor_state state;
	int64_t last_event_ns; /* Unix time */
};

/* Appended. Pure. */
void metrics_text(const struct metrics *metrics, struct buf *ret);

int metrics_count(struct store *store, struct metrics_counts *ret, struct error *err);

/* The file at path has the text, or what it had before; everybody may read it. */
int metrics_write(const char *path, const struct metrics *metrics, struct error *err);

#endif
