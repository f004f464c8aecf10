/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - changes of the pool that a crash cannot tear from the catalogue
 *
 * The pool's transaction id is the commit point (design 6). With the catalogue
 * at N, under the store's lock:
 *
 *	1. one catalogue transaction records intents with txid N+1: rows of
 *	   `thin` that are 'creating' or 'deleting', and the rows that hang on
 *	   them; it is durable before the pool hears of anything;
 *	2. the messages go to the pool, then whatever the new volumes need
 *	   before they count (mkfs, a thaw, their size);
 *	3. set_transaction_id N to N+1: the kernel compares, swaps, and commits
 *	   its metadata together with everything sent before;
 *	4. one catalogue transaction makes 'creating' rows 'live', removes
 *	   'deleting' rows and sets pool_txid to N+1. It does not wait for the
 *	   disk: 1 and 3 are there, and what follows from them is found again.
 *
 * Why every crash point is safe. After 1 or within 2 the pool is at N: recovery
 * removes what was created (an id that never came to be is fine) and its rows,
 * but that a container, which was there before, is planned again;
 * deletions are redone, because what they delete was already unreachable. After
 * 3 the pool is at N+1: recovery runs step 4. Between 4 and the next 1 both
 * agree. Ids are never given twice, since step 1 also moves `next_thin`.
 */
#ifndef DB_JOURNAL_H
#define DB_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "volume.h"

#define JOURNAL_NO_ORIGIN 0 /* thin ids start at 1 */

/* The pool's transaction id as the catalogue has it. */
int journal_txid(struct db *db, uint64_t *ret, struct error *err);
/* The txid for new intents: the catalogue's pool_txid + 1. */
int journal_next_txid(struct db *db, uint64_t *ret, struct error *err);

/**
 * journal_intend_create - record a new thin id, inside the caller's transaction
 * @kind:    'template', 'layer', 'work', 'view', 'init' or 'volume'
 * @origin:  thin id it is a snapshot of, or JOURNAL_NO_ORIGIN
 * @session: owner of a work volume, else 0
 */
int journal_intend_create(struct db *db, uint64_t txid, const char *kind, uint32_t origin,
			  int64_t session, uint32_t *ret_id, struct error *err);
/*
 * A thin id for a container that nobody uses yet, inside the caller's transaction: no volume of the
 * pool, so nothing for the journal to do. Origin must stay as it is.
 */
int journal_plan(struct db *db, uint32_t origin, uint32_t *ret_id, struct error *err);
/* 1, 0 or -1. */
int journal_is_planned(struct db *db, uint32_t id, struct error *err);
/* From now on an intent like others; undone, it is planned as before. */
int journal_intend_planned(struct db *db, uint64_t txid, uint32_t id, struct error *err);
/* Inside the caller's transaction: whose blocks it shares, which makes deleting and sizes cheap. */
int journal_set_origin(struct db *db, uint32_t id, uint32_t origin, struct error *err);
/* Likewise: what was a session's work is of another kind from now on, and outlives the session. */
int journal_adopt(struct db *db, uint32_t id, const char *kind, uint32_t origin, struct error *err);
/* Marks an id as garbage, inside the caller's transaction; its layer, view, container or volume row goes at once. */
int journal_intend_delete(struct db *db, uint64_t txid, uint32_t id, struct error *err);

/**
 * journal_fulfil - steps 2 to 4 for the intents of txid
 * @prepare: called after the messages and before the pool's id moves; may be NULL
 *
 * A frozen origin is the caller's business. On failure created ids and their
 * rows are gone again; ids to delete stay garbage that recovery removes, and
 * one that is still open somewhere (ERR_IN_USE) is no failure.
 */
int journal_fulfil(struct db *db, struct volume_pool *pool, uint64_t txid,
		   int (*prepare)(void *ctx, struct error *err), void *ctx, struct error *err);

/* How far catalogue and pool are. They agree, or the pool is one ahead, unless somebody meddled. */
struct journal_state {
	uint64_t pool;
	uint64_t catalogue;
};

int journal_look(struct db *db, struct volume_pool *pool, struct journal_state *ret,
		 struct error *err);
static inline bool journal_is_torn(const struct journal_state *state)
{
	return state->pool != state->catalogue && state->pool != state->catalogue + 1;
}

/*
 * Takes the pool's transaction id for the catalogue's, and gives no id out
 * twice. For somebody who has compared the two by other means.
 */
int journal_accept(struct db *db, struct volume_pool *pool, uint32_t highest_id, struct error *err);

/**
 * journal_recover - bring catalogue and pool together after a crash
 *
 * Returns 0 when they agree at the end, or -1 with ERR_CORRUPT when the pool's
 * transaction id is neither the catalogue's nor the next one.
 */
int journal_recover(struct db *db, struct volume_pool *pool, struct error *err);

#endif
