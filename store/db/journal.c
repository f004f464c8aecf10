/* SPDX-License-Identifier: Apache-2.0 */
#include "db/journal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"

struct thin_op {
	uint32_t id;
	uint32_t origin;
	bool create;
	bool snapshot;
};

struct thin_ops {
	struct thin_op *items;
	size_t nr;
};

static void thin_ops_done(struct thin_ops *ops)
{
	free(ops->items);
}
#define auto_thin_ops __attribute__((cleanup(thin_ops_done)))

static int get_meta(struct db *db, const char *key, int64_t *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, "SELECT value FROM meta WHERE key = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, key);
	got = db_step(stmt, err);
	if (got == 0)
		return err_set(err, ERR_CORRUPT, "catalogue: no '%s'", key);
	if (got > 0)
		*ret = db_int(stmt, 0);
	return got < 0 ? -1 : 0;
}

static int set_meta(struct db *db, const char *key, int64_t value, struct error *err)
{
	return db_exec(db, err, "UPDATE meta SET value = ?2 WHERE key = ?1", "si", key, value);
}

int journal_txid(struct db *db, uint64_t *ret, struct error *err)
{
	int64_t txid;

	if (get_meta(db, "pool_txid", &txid, err) < 0)
		return -1;
	*ret = (uint64_t)txid;
	return 0;
}

int journal_next_txid(struct db *db, uint64_t *ret, struct error *err)
{
	if (journal_txid(db, ret, err) < 0)
		return -1;
	++*ret;
	return 0;
}

static int next_id(struct db *db, int64_t *ret, struct error *err)
{
	int64_t id;

	if (get_meta(db, "next_thin", &id, err) < 0)
		return -1;
	if (id > VOLUME_ID_MAX)
		return err_set(err, ERR_LIMIT,
			       "all %u thin ids of this pool have been used: make a new pool",
			       VOLUME_ID_MAX);
	*ret = id;
	return set_meta(db, "next_thin", id + 1, err);
}

int journal_intend_create(struct db *db, uint64_t txid, const char *kind, uint32_t origin,
			  int64_t session, uint32_t *ret_id, struct error *err)
{
	int64_t id;

	if (next_id(db, &id, err) < 0 ||
	    db_exec(db, err,
		    "INSERT INTO thin (id, kind, state, txid, origin, session)"
		    " VALUES (?1, ?2, 'creating', ?3, NULLIF(?4, 0), NULLIF(?5, 0))",
		    "isiii", id, kind, (int64_t)txid, (int64_t)origin, session) < 0)
		return -1;
	*ret_id = (uint32_t)id;
	return 0;
}

int journal_plan(struct db *db, uint32_t origin, uint32_t *ret_id, struct error *err)
{
	int64_t id;

	if (next_id(db, &id, err) < 0 || db_exec(db, err,
						 "INSERT INTO thin (id, kind, state, txid, origin)"
						 " VALUES (?1, 'container', 'planned', 0, ?2)",
						 "ii", id, (int64_t)origin) < 0)
		return -1;
	*ret_id = (uint32_t)id;
	return 0;
}

int journal_is_planned(struct db *db, uint32_t id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(db, "SELECT 1 FROM thin WHERE id = ?1 AND state = 'planned'", &stmt, err) <
	    0)
		return -1;
	db_bind_int(stmt, 1, id);
	return db_step(stmt, err);
}

int journal_intend_planned(struct db *db, uint64_t txid, uint32_t id, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE thin SET state = 'creating', txid = ?2"
		       " WHERE id = ?1 AND state = 'planned'",
		       "ii", (int64_t)id, (int64_t)txid);
}

int journal_set_origin(struct db *db, uint32_t id, uint32_t origin, struct error *err)
{
	return db_exec(db, err, "UPDATE thin SET origin = ?2 WHERE id = ?1", "ii", (int64_t)id,
		       (int64_t)origin);
}

int journal_adopt(struct db *db, uint32_t id, const char *kind, uint32_t origin, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE thin SET kind = ?2, session = NULL, origin = ?3 WHERE id = ?1",
		       "isi", (int64_t)id, kind, (int64_t)origin);
}

int journal_intend_delete(struct db *db, uint64_t txid, uint32_t id, struct error *err)
{
	if (db_exec(db, err, "DELETE FROM view WHERE thin_id = ?1", "i", (int64_t)id) < 0 ||
	    db_exec(db, err, "DELETE FROM layer WHERE thin_id = ?1", "i", (int64_t)id) < 0 ||
	    db_exec(db, err, "DELETE FROM container WHERE thin_id = ?1", "i", (int64_t)id) < 0 ||
	    db_exec(db, err, "DELETE FROM volume WHERE thin_id = ?1", "i", (int64_t)id) < 0)
		return -1;
	if (db_exec(db, err, "DELETE FROM thin WHERE id = ?1 AND state = 'planned'", "i",
		    (int64_t)id) < 0)
		return -1;
	return db_exec(db, err, "UPDATE thin SET state = 'deleting', txid = ?2 WHERE id = ?1", "ii",
		       (int64_t)id, (int64_t)txid);
}

/*
 * Creations first: a deletion may free the space of what a snapshot still needs. Of what goes away,
 * snapshots go before what they are made from.
 */
static int read_intents(struct db *db, struct thin_ops *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db,
		       "SELECT id, origin, state = 'creating' FROM thin"
		       " WHERE state IN ('creating', 'deleting')"
		       " ORDER BY state, iif(state = 'deleting', -id, id)",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		ret->items[ret->nr++] = (struct thin_op){
			.id = (uint32_t)db_int(stmt, 0),
			.origin = (uint32_t)db_int(stmt, 1),
			.snapshot = !db_is_null(stmt, 1),
			.create = db_int(stmt, 2) != 0,
		};
	}
	return got;
}

static int create_one(struct volume_pool *pool, const struct thin_op *op, struct error *err)
{
	if (op->snapshot)
		return volume_snapshot(pool, op->id, op->origin, err);
	return volume_create(pool, op->id, err);
}

/* 1: it is gone from the pool, 0: still held open, -1: failure. */
static int delete_one(struct volume_pool *pool, const struct thin_op *op, struct error *err)
{
	struct error why;

	if (volume_delete(pool, op->id, op->origin, &why) == 0 || why.kind == ERR_NOT_FOUND)
		return 1;
	if (why.kind != ERR_IN_USE) {
		*err = why;
		return -1;
	}
	log_debug("thin id %u stays for now: %s", op->id, why.text);
	return 0;
}

static int forget(struct db *db, uint32_t id, struct error *err)
{
	return db_exec(db, err,
		       "DELETE FROM thin WHERE id = ?1 AND state IN ('creating', 'deleting')", "i",
		       (int64_t)id);
}

/* It was there before its volume, and waits for another one. */
static int plan_again(struct db *db, uint32_t id, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE thin SET state = 'planned', txid = 0"
		       " WHERE id = ?1 AND state = 'creating' AND kind = 'container'",
		       "i", (int64_t)id);
}

/*
 * Held open, it is unreachable from now on and removed when it is free. A container gets another id
 * for the next time.
 */
static int put_off(struct db *db, const struct thin_op *op, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	auto_stmt struct db_stmt *stmt = NULL;
	uint32_t id;
	int got;

	if (db_begin(&tx, db, err) < 0 ||
	    db_prepare(db, "SELECT 1 FROM container WHERE thin_id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, op->id);
	got = db_step(stmt, err);
	if (got < 0 ||
	    (got && (journal_plan(db, op->origin, &id, err) < 0 ||
		     db_exec(db, err, "UPDATE container SET thin_id = ?2 WHERE thin_id = ?1", "ii",
			     (int64_t)op->id, (int64_t)id) < 0)) ||
	    db_exec(db, err, "UPDATE thin SET state = 'deleting' WHERE id = ?1", "i",
		    (int64_t)op->id) < 0)
		return -1;
	return db_commit(&tx, err);
}

/* Takes back what an unfinished transaction created: the pool has not moved. */
static int undo_creations(struct db *db, struct volume_pool *pool, const struct thin_ops *ops,
			  struct error *err)
{
	for (size_t i = 0; i < ops->nr; i++) {
		int gone;

		if (!ops->items[i].create)
			continue;
		log_debug("undo creation of thin id %u", ops->items[i].id);
		gone = delete_one(pool, &ops->items[i], err);
		if (gone < 0 || (gone && (plan_again(db, ops->items[i].id, err) < 0 ||
					  forget(db, ops->items[i].id, err) < 0)))
			return -1;
		if (!gone && put_off(db, &ops->items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int send_messages(struct db *db, struct volume_pool *pool, const struct thin_ops *ops,
			 struct error *err)
{
	for (size_t i = 0; i < ops->nr; i++) {
		const struct thin_op *op = &ops->items[i];
		int gone = 0;

		if (op->create ? create_one(pool, op, err) < 0
			       : (gone = delete_one(pool, op, err)) < 0)
			return -1;
		if (gone && forget(db, op->id, err) < 0)
			return -1;
		crash_point("journal-message");
	}
	return 0;
}

static int settle(struct db *db, uint64_t txid, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	/*
	 * A power cut that takes this commit leaves the pool one ahead: it is done again.
	 * Both states are named as in the index of the intents, which serves only then.
	 */
	if (db_begin_unsynced(&tx, db, err) < 0 ||
	    db_exec(db, err,
		    "UPDATE thin SET state = 'live' WHERE state IN ('creating', 'deleting')"
		    " AND state = 'creating' AND txid = ?1",
		    "i", (int64_t)txid) < 0 ||
	    set_meta(db, "pool_txid", (int64_t)txid, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

int journal_fulfil(struct db *db, struct volume_pool *pool, uint64_t txid,
		   int (*prepare)(void *ctx, struct error *err), void *ctx, struct error *err)
{
	auto_thin_ops struct thin_ops ops = { 0 };
	struct error ignored;

	crash_point("journal-intent");
	if (read_intents(db, &ops, err) < 0)
		return -1;
	/* What was to go was never made. */
	if (!ops.nr && !prepare)
		return 0;
	if (send_messages(db, pool, &ops, err) < 0 || (prepare && prepare(ctx, err) < 0)) {
		if (undo_creations(db, pool, &ops, &ignored) < 0)
			log_warn("left for recovery: %s", ignored.text);
		return -1;
	}
	crash_point("journal-prepared");
	if (volume_pool_advance(pool, txid - 1, txid, err) < 0)
		return -1;
	crash_point("journal-advanced");
	if (settle(db, txid, err) < 0)
		return -1;
	crash_point("journal-settled");
	return 0;
}

static int collect_garbage(struct db *db, struct volume_pool *pool, const struct thin_ops *ops,
			   struct error *err)
{
	for (size_t i = 0; i < ops->nr; i++) {
		int gone;

		if (ops->items[i].create)
			continue;
		log_debug("redo deletion of thin id %u", ops->items[i].id);
		gone = delete_one(pool, &ops->items[i], err);
		if (gone < 0 || (gone && forget(db, ops->items[i].id, err) < 0))
			return -1;
	}
	return 0;
}

int journal_look(struct db *db, struct volume_pool *pool, struct journal_state *ret,
		 struct error *err)
{
	struct volume_pool_info info;
	int64_t known;

	if (volume_pool_info(pool, &info, err) < 0 || get_meta(db, "pool_txid", &known, err) < 0)
		return -1;
	*ret = (struct journal_state){ .pool = info.transaction_id, .catalogue = (uint64_t)known };
	return 0;
}

int journal_accept(struct db *db, struct volume_pool *pool, uint32_t highest_id, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	struct journal_state state;
	int64_t next;

	if (journal_look(db, pool, &state, err) < 0 || db_begin(&tx, db, err) < 0 ||
	    get_meta(db, "next_thin", &next, err) < 0 ||
	    set_meta(db, "pool_txid", (int64_t)state.pool, err) < 0 ||
	    (next <= highest_id && set_meta(db, "next_thin", (int64_t)highest_id + 1, err) < 0))
		return -1;
	return db_commit(&tx, err);
}

int journal_recover(struct db *db, struct volume_pool *pool, struct error *err)
{
	auto_thin_ops struct thin_ops ops = { 0 };
	struct journal_state state;

	if (journal_look(db, pool, &state, err) < 0 || read_intents(db, &ops, err) < 0)
		return -1;
	if (journal_is_torn(&state))
		return err_set(err, ERR_CORRUPT,
			       "pool is at transaction %" PRIu64 ", the catalogue at %" PRIu64
			       ": one of them is not of this store's present; nothing was changed. "
			       "Run 'veneer check' to compare, 'veneer check --rebuild' to make a "
			       "catalogue from the pool",
			       state.pool, state.catalogue);
	if (state.pool == state.catalogue + 1) {
		log_debug("roll transaction %" PRIu64 " forward", state.pool);
		if (settle(db, state.pool, err) < 0)
			return -1;
	} else if (undo_creations(db, pool, &ops, err) < 0) {
		return -1;
	}
	crash_point("journal-recovered");
	return collect_garbage(db, pool, &ops, err);
}
