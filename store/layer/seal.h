/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal - the digests of a layer's own blocks, made from its volume (verity/list)
 *
 * The volume must not change any more: the frozen snapshot is what is read. A thread does
 * that, without the store's lock, while the next layer is unpacked. What its writer knows the
 * digests of is not read.
 */
#ifndef LAYER_SEAL_H
#define LAYER_SEAL_H

#include "base/err.h"
#include "base/progress.h"
#include "db/rows.h"
#include "verity/list.h"

struct blocksums; /* base/blocksums.h */
struct seal;
struct store;

/**
 * seal_start - begin to read
 * @row: chain id, parent and thin id count; its parent must be a live layer
 * @known: digests of blocks of the volume, all that is known; NULL: none. Taken, also by an error
 * @ret: NULL when the parent has no list: then this layer gets none
 *
 * The store has its pool open and a session.
 */
int seal_start(struct store *store, const struct layer_row *row, struct blocksums *known,
	       struct seal **ret, struct error *err);
/* Waits until it is done and durable, under its temporary name. NULL is fine. */
int seal_wait(struct seal *seal, struct error *err);
/* After seal_wait(), and once the layer's row is there. NULL is fine. */
int seal_publish(struct seal *seal, struct error *err);
void seal_free(struct seal *seal);
static inline void seal_free_(struct seal **seal)
{
	seal_free(*seal);
}
#define auto_seal __attribute__((cleanup(seal_free_)))

/* What the list of a layer must be of. ERR_NOT_FOUND or ERR_CORRUPT when one below has none. */
int seal_of(struct store *store, const struct layer_row *row, struct verity_of *ret,
	    struct error *err);
/* What the list of a layer must have, from the pool's mapping. *ret is new. */
int seal_runs(struct store *store, const struct layer_row *row, struct verity_run **ret,
	      size_t *ret_nr, struct error *err);
/* How large the device of a layer must be to show all of these. */
uint64_t seal_device_bytes(struct store *store, const struct verity_run *runs, size_t nr,
			   uint64_t block_bytes);

#endif
