/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metasnap - hold the pool's metadata as it is now, to read it in peace
 *
 * The kernel has one metadata snapshot for a pool. It outlives the process and
 * even the pool's device; until it is released, deleting volumes frees nothing.
 * A lock on the metadata device tells a living holder from a dead one.
 */
#ifndef POOL_METASNAP_H
#define POOL_METASNAP_H

#include <stdint.h>

#include "base/err.h"
#include "dm/devmap.h"
#include "pool/pool.h"

/* Starts as { .lock_fd = -1 }. */
struct metasnap {
	struct pool *pool; /* NULL while nothing is held */
	int lock_fd;
	uint64_t block;		      /* where the copy of the superblock is */
	char node[DEVMAP_NODE_BYTES]; /* the metadata device */
};

/* Waits up to a minute for another process. ERR_IN_USE. */
int metasnap_hold(struct pool *pool, struct metasnap *ret, struct error *err);
/* Idempotent. */
void metasnap_release(struct metasnap *snap);
#define auto_metasnap __attribute__((cleanup(metasnap_release)))

/* Releases what a dead process left; leaves that of a living one alone. */
int metasnap_sweep(struct pool *pool, const struct pool_status *status, struct error *err);

#endif
