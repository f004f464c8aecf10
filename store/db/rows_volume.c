/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows_volume.h"

#include <stdlib.h>

#include "db/rows.h"

#define COLUMNS                                                                                   \
	"SELECT v.name, v.thin_id, v.size_bytes, v.image, v.image_name, v.origin, v.raw,"         \
	" v.read_only, v.attached, v.target, v.created_ns FROM volume v JOIN thin t ON t.id = v." \
	"thin_id WHERE t.state = 'live'"

void volume_row_done(struct volume_row *row)
{
	free(row->name);
	free(row->image_name);
	free(row->origin);
	free(row->target);
	*row = (struct volume_row){ 0 };
}

void volume_rows_done(struct volume_rows *rows)
{
	for (size_t i = 0; i < rows->nr; i++)
		volume_row_done(&rows->items[i]);
	free(rows->items);
	*rows = (struct volume_rows){ 0 };
}

static void read_row(struct db_stmt *stmt, struct volume_row *ret)
{
	*ret = (struct volume_row){
		.name = xstrdup(db_text(stmt, 0)),
		.thin_id = (uint32_t)db_int(stmt, 1),
		.size_bytes = (uint64_t)db_int(stmt, 2),
		.image_name = xstrdup(db_text(stmt, 4)),
		.origin = xstrdup(db_text(stmt, 5)),
		.raw = db_int(stmt, 6) != 0,
		.read_only = db_int(stmt, 7) != 0,
		.attached = db_int(stmt, 8) != 0,
		.target = xstrdup(db_text(stmt, 9)),
		.created_ns = db_int(stmt, 10),
	};
	if (!db_is_null(stmt, 3))
		db_digest(stmt, 3, &ret->image);
}

static int read_rows(struct db *db, const char *sql, struct volume_rows *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		read_row(stmt, &ret->items[ret->nr++]);
	}
	return got;
}

int rows_volume_list(struct db *db, struct volume_rows *ret, struct error *err)
{
	return read_rows(db, COLUMNS " AND v.name NOT GLOB '.*' ORDER BY v.name", ret, err);
}

int rows_volume_unsettled(struct db *db, struct volume_rows *ret, struct error *err)
{
	return read_rows(db, COLUMNS " AND (v.settled = 0 OR v.name GLOB '.*')", ret, err);
}

int rows_volume_get(struct db *db, const char *name, struct volume_row *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, COLUMNS " AND v.name = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got > 0)
		read_row(stmt, ret);
	return got;
}

int rows_volume_put(struct db *db, const struct volume_row *row, struct error *err)
{
	return db_exec(
		db, err,
		"INSERT INTO volume (name, thin_id, size_bytes, image, image_name, origin, raw,"
		" read_only, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		"siidssiii", row->name, (int64_t)row->thin_id, (int64_t)row->size_bytes,
		&row->image, row->image_name, row->origin, (int64_t)row->raw,
		(int64_t)row->read_only, rows_now_ns());
}

int rows_volume_use(struct db *db, const struct volume_row *row, bool settled, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE volume SET attached = ?2, target = ?3, settled = ?4 WHERE name = ?1",
		       "sisi", row->name, (int64_t)row->attached, row->target, (int64_t)settled);
}

int rows_volume_set_size(struct db *db, const char *name, uint64_t size_bytes, struct error *err)
{
	return db_exec(db, err, "UPDATE volume SET size_bytes = ?2 WHERE name = ?1", "si", name,
		       (int64_t)size_bytes);
}

/* Its snapshots stay its own. */
int rows_volume_rename(struct db *db, const char *from, const char *to, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, db, err) < 0 ||
	    db_exec(db, err, "UPDATE volume SET name = ?2 WHERE name = ?1", "ss", from, to) < 0 ||
	    db_exec(db, err, "UPDATE volume SET origin = ?2 WHERE origin = ?1", "ss", from, to) < 0)
		return -1;
	return db_commit(&tx, err);
}
