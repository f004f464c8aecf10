/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure - how full is too full: when the pool grows, when images go, when to look again
 *
 * Pure arithmetic. All in bytes.
 */
#ifndef MONITOR_PRESSURE_H
#define MONITOR_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pool/pool.h"

/* Which unused images may go by themselves. */
enum pressure_prune {
	PRESSURE_PRUNE_PULLED, /* those that a pull brings back: image_can_return() */
	PRESSURE_PRUNE_ALL,
	PRESSURE_PRUNE_NONE,
};

/* "pulled", "all", "none" */
const char *pressure_prune_name(enum pressure_prune prune);
/* ERR_USAGE; text may be NULL. */
int pressure_prune_parse(const char *text, enum pressure_prune *ret, struct error *err);

struct pressure_limits {
	unsigned grow_at; /* percent of the data that is in use: from there on it grows */
	struct pool_growth growth;
	unsigned prune_at; /* where it cannot grow: from there on images go; 100: never */
	unsigned prune_to; /* down to which */
	enum pressure_prune prune;
};

#define PRESSURE_DEFAULTS                                                                        \
	{                                                                                        \
		.grow_at = 80, .growth = { .step_percent = 10 }, .prune_at = 90, .prune_to = 80, \
	}

/* ERR_USAGE for limits that contradict each other. */
int pressure_check(const struct pressure_limits *limits, struct error *err);

/* The data is so full that it should grow, and the limits let it. */
bool pressure_grows(const struct pressure_limits *limits, uint64_t used, uint64_t total);
/* The data is so full that space has to come back, where it does not grow. */
bool pressure_prunes(const struct pressure_limits *limits, uint64_t used, uint64_t total);
/* How much data may be in use after that. */
uint64_t pressure_target(const struct pressure_limits *limits, uint64_t total);

/*
 * Metadata grows early: at half as much again as the reserve below which no volume is added
 * (volume_pool_check_reserve), because full metadata needs a repair.
 */
bool pressure_meta_grows(uint64_t used, uint64_t total);

/**
 * pressure_mark - how little data has to be free before somebody looks again
 * @can_grow: the next step is allowed, and has not failed just now
 *
 * Past the last limit it is half of what is free: what is unused may have changed by then. 0: when
 * the pool is full, which the kernel says by itself.
 */
uint64_t pressure_mark(const struct pressure_limits *limits, uint64_t used, uint64_t total,
		       bool can_grow);

/* For people: why nothing came back, and what to do. Static. */
const char *pressure_remedy(const struct pressure_limits *limits);

/* For people: "none", or what is full and what follows. Appended. */
void pressure_words(const struct pressure_limits *limits, const struct pool_status *status,
		    struct buf *ret);

#endif
