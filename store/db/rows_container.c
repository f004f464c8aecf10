/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows_container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/rows.h"

static const char *const states[] = { "created", "starting", "running", "exited" };

#define COLUMNS                                                                            \
	"SELECT c.id, c.name, c.image, c.image_name, c.document, c.init_id, c.thin_id,"    \
	" c.size_bytes, c.created_ns, c.auto_remove, c.state, c.pid, c.pid_start, c.boot," \
	" c.started_ns, c.finished_ns, c.exit_code, c.problem"                             \
	" FROM container c JOIN thin t ON t.id = c.thin_id WHERE t.state <> 'deleting'"

void container_row_done(struct container_row *row)
{
	free(row->id);
	free(row->name);
	free(row->image_name);
	free(row->document);
	free(row->problem);
	*row = (struct container_row){ 0 };
}

void container_rows_done(struct container_rows *rows)
{
	for (size_t i = 0; i < rows->nr; i++)
		container_row_done(&rows->items[i]);
	free(rows->items);
	*rows = (struct container_rows){ 0 };
}

static void read_row(struct db_stmt *stmt, struct container_row *ret)
{
	*ret = (struct container_row){
		.id = xstrdup(db_text(stmt, 0)),
		.name = xstrdup(db_text(stmt, 1)),
		.image_name = xstrdup(db_text(stmt, 3)),
		.document = xstrdup(db_text(stmt, 4)),
		.init_id = (uint32_t)db_int(stmt, 5),
		.thin_id = (uint32_t)db_int(stmt, 6),
		.size_bytes = (uint64_t)db_int(stmt, 7),
		.created_ns = db_int(stmt, 8),
		.auto_remove = db_int(stmt, 9) != 0,
		.process = { .pid = (pid_t)db_int(stmt, 11), .start_ticks = db_int(stmt, 12) },
		.started_ns = db_int(stmt, 14),
		.finished_ns = db_int(stmt, 15),
		.exit_code = db_int(stmt, 16),
		.problem = xstrdup(db_text(stmt, 17)),
	};
	db_digest(stmt, 2, &ret->image);
	snprintf(ret->process.boot, sizeof(ret->process.boot), "%s", db_text(stmt, 13));
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(db_text(stmt, 10), states[i]) == 0)
			ret->state = (enum container_state)i;
}

static int read_rows(struct db *db, const char *sql, struct container_rows *ret, struct error *err)
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

int rows_container_list(struct db *db, struct container_rows *ret, struct error *err)
{
	return read_rows(db, COLUMNS " ORDER BY c.created_ns DESC, c.id", ret, err);
}

int rows_container_active(struct db *db, struct container_rows *ret, struct error *err)
{
	return read_rows(db, COLUMNS " AND c.state IN ('starting', 'running')", ret, err);
}

int rows_container_get(struct db *db, const char *id, struct container_row *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, COLUMNS " AND c.id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, id);
	got = db_step(stmt, err);
	if (got > 0)
		read_row(stmt, ret);
	return got;
}

int rows_container_put(struct db *db, const struct container_row *row, struct error *err)
{
	return db_exec(db, err,
		       "INSERT INTO container (id, name, image, image_name, document, init_id,"
		       " thin_id, size_bytes, created_ns, auto_remove, state)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'created')",
		       "ssdssiiiii", row->id, row->name, &row->image, row->image_name,
		       row->document, (int64_t)row->init_id, (int64_t)row->thin_id,
		       (int64_t)row->size_bytes, row->created_ns, (int64_t)row->auto_remove);
}

int rows_container_set(struct db *db, const struct container_row *row, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE container SET state = ?2, pid = ?3, pid_start = ?4, boot = ?5,"
		       " started_ns = ?6, finished_ns = ?7, exit_code = ?8, problem = ?9"
		       " WHERE id = ?1",
		       "ssiisiiis", row->id, states[row->state], (int64_t)row->process.pid,
		       row->process.start_ticks, row->process.boot, row->started_ns,
		       row->finished_ns, row->exit_code, row->problem);
}

int rows_container_volume(struct db *db, const char *container, const char *volume, bool anonymous,
			  struct error *err)
{
	if (db_exec(db, err,
		    "INSERT OR IGNORE INTO local_volume (name, anonymous, created_ns)"
		    " VALUES (?1, ?2, ?3)",
		    "sii", volume, (int64_t)anonymous, rows_now_ns()) < 0)
		return -1;
	return db_exec(db, err,
		       "INSERT OR IGNORE INTO container_volume (container, volume)"
		       " VALUES (?1, ?2)",
		       "ss", container, volume);
}

int rows_container_own_volumes(struct db *db, const char *container, struct strlist *ret,
			       struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(db,
		       "SELECT v.name FROM local_volume v"
		       " JOIN container_volume c ON c.volume = v.name"
		       " WHERE c.container = ?1 AND v.anonymous AND NOT EXISTS (SELECT 1"
		       " FROM container_volume o WHERE o.volume = v.name AND o.container <> ?1)",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, container);
	return db_texts(stmt, ret, err);
}
