/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

void layer_row_done(struct layer_row *row)
{
	free(row->created_by);
	row->created_by = NULL;
}

int64_t rows_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int rows_layer_get(struct db *db, const struct digest *chain_id, struct layer_row *ret,
		   struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(
		    db,
		    "SELECT l.chain_id, l.parent, l.diff_id, l.thin_id, l.tar_bytes,"
		    " l.content_bytes, ifnull(l.own_bytes, -1), l.created_ns, l.created_by, l.blob"
		    " FROM layer l JOIN thin t ON t.id = l.thin_id"
		    " WHERE l.chain_id = ?1 AND t.state = 'live'",
		    &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, chain_id->text);
	got = db_step(stmt, err);
	if (got <= 0)
		return got;
	db_digest(stmt, 0, &ret->chain_id);
	db_digest(stmt, 1, &ret->parent);
	db_digest(stmt, 2, &ret->diff_id);
	ret->thin_id = (uint32_t)db_int(stmt, 3);
	ret->tar_bytes = db_int(stmt, 4);
	ret->content_bytes = db_int(stmt, 5);
	ret->own_bytes = db_int(stmt, 6);
	ret->created_ns = db_int(stmt, 7);
	ret->created_by = xstrdup(db_text(stmt, 8));
	db_digest(stmt, 9, &ret->blob);
	return 1;
}

int rows_layer_put(struct db *db, const struct layer_row *row, struct error *err)
{
	return db_exec(db, err,
		       "INSERT INTO layer (chain_id, parent, diff_id, thin_id, tar_bytes,"
		       " content_bytes, own_bytes, created_ns, created_by, blob)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULLIF(?7, -1), ?8, ?9, ?10)",
		       "dddiiiiisd", &row->chain_id, &row->parent, &row->diff_id,
		       (int64_t)row->thin_id, row->tar_bytes, row->content_bytes, row->own_bytes,
		       row->created_ns, row->created_by, &row->blob);
}

int rows_layer_set_own(struct db *db, uint32_t thin_id, int64_t own_bytes, struct error *err)
{
	return db_exec(db, err, "UPDATE layer SET own_bytes = ?2 WHERE thin_id = ?1", "ii",
		       (int64_t)thin_id, own_bytes);
}

int rows_pin(struct db *db, int64_t session, const struct digest *chain_id, struct error *err)
{
	return db_exec(db, err, "INSERT OR IGNORE INTO pin (session, chain_id) VALUES (?1, ?2)",
		       "id", session, chain_id);
}

int rows_layer_take(struct db *db, int64_t session, const struct digest *chain_id,
		    struct layer_row *ret, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	int got;

	if (db_begin(&tx, db, err) < 0)
		return -1;
	got = rows_layer_get(db, chain_id, ret, err);
	if (got <= 0)
		return got;
	if (rows_pin(db, session, chain_id, err) < 0 || db_commit(&tx, err) < 0) {
		layer_row_done(ret);
		return -1;
	}
	return 1;
}

int64_t rows_template(struct db *db, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, "SELECT id FROM thin WHERE kind = 'template' AND state = 'live'", &stmt,
		       err) < 0)
		return -1;
	got = db_step(stmt, err);
	if (got <= 0)
		return got;
	return db_int(stmt, 0);
}

int rows_blob_is_used(struct db *db, const struct digest *digest, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(db,
		       "SELECT 1 FROM layer WHERE blob = ?1"
		       " UNION ALL SELECT 1 FROM image WHERE id = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, digest->text);
	return db_step(stmt, err);
}
