/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace - how fast a scrub may read, and how far it has come
 *
 * The place is a small file below the store's root, replaced every few seconds and removed
 * at the end; a scrub that was killed repeats that much. A file that does not read is
 * the same as none.
 */
#ifndef IMAGE_PACE_H
#define IMAGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "root.h"

/* Starts as { 0 }. */
struct pace {
	const struct root *root;
	uint64_t rate_bytes; /* for each second; 0: no bound */
	bool remember;
	uint32_t thin_id; /* where to go on; 0: at the begin */
	uint64_t first;
	uint64_t nr_damaged; /* found before that place */
	int64_t begun_ms, saved_ms;
	uint64_t read_bytes; /* since begun_ms */
};

int pace_open(struct pace *pace, const struct root *root, uint64_t rate_bytes, bool remember,
	      struct error *err);
/* Pool blocks that may be read before pace_keep(). */
uint64_t pace_slice(const struct pace *pace, uint64_t block_bytes);
/* Was this layer compared before the place to go on at? Layers come by rising thin ids. */
bool pace_is_done(const struct pace *pace, uint32_t thin_id);
/* Which of the layer's own blocks is the first one that is left. */
uint64_t pace_first(const struct pace *pace, uint32_t thin_id);
/* Everything before `next` was compared: waits as long as the rate wants. ERR_CANCELLED. */
int pace_keep(struct pace *pace, uint32_t thin_id, uint64_t next, uint64_t read_bytes,
	      uint64_t nr_damaged, struct error *err);
/* All is done: the next one begins anew. */
int pace_end(struct pace *pace, struct error *err);

#endif
