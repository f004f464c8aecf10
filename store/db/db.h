/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db - the catalogue: one SQLite database, its transactions and statements
 *
 * WAL, synchronous=FULL: what was committed survives a power cut. The log is a
 * part of the catalogue: it stays when the last process closes it. Only this
 * folder includes sqlite3.h. A statement's text is a constant of the program,
 * values are bound.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct db;

/**
 * db_open - open the catalogue, create it, or migrate it to this version
 * @path: of the database file
 *
 * ERR_CORRUPT when it is not a catalogue, ERR_UNSUPPORTED when a newer version
 * of the program wrote it.
 */
int db_open(const char *path, struct db **ret, struct error *err);
void db_close(struct db *db);

/* One transaction; it rolls back at the end of the scope unless committed. */
struct db_tx {
	struct db *db; /* NULL when none is open */
	bool unsynced;
};

int db_begin(struct db_tx *tx, struct db *db, struct error *err);
/*
 * Likewise, but its commit may be lost in a power cut, with nothing that was committed before, and
 * not any more once a later one is through: for what can be found out again.
 */
int db_begin_unsynced(struct db_tx *tx, struct db *db, struct error *err);
int db_commit(struct db_tx *tx, struct error *err);
/*
 * Everything that was committed is on the disk. Outside of a transaction: others can commit
 * meanwhile, and many who wait wait together.
 */
int db_sync(struct db *db, struct error *err);
void db_rollback(struct db_tx *tx);
#define auto_tx __attribute__((cleanup(db_rollback)))

/* A prepared statement. Parameters count from 1, columns from 0. */
struct db_stmt;

int db_prepare(struct db *db, const char *sql, struct db_stmt **ret, struct error *err);
void db_finalize(struct db_stmt *stmt);
static inline void db_finalize_(struct db_stmt **stmt)
{
	db_finalize(*stmt);
}
#define auto_stmt __attribute__((cleanup(db_finalize_)))

/* NULL and "" bind NULL. The text must live until the last step. */
void db_bind_text(struct db_stmt *stmt, int parameter, const char *text);
void db_bind_int(struct db_stmt *stmt, int parameter, int64_t value);
/* Returns 1 with a row, 0 at the end, -1 on failure. */
int db_step(struct db_stmt *stmt, struct error *err);
/* NULL reads as "" and 0; text is valid until the next step. */
const char *db_text(struct db_stmt *stmt, int column);
int64_t db_int(struct db_stmt *stmt, int column);
/* The first column of every row that is left. Returns 0 or -1. */
int db_texts(struct db_stmt *stmt, struct strlist *ret, struct error *err);
bool db_is_null(struct db_stmt *stmt, int column);
/* Copies a digest that we wrote ourselves. */
void db_digest(struct db_stmt *stmt, int column, struct digest *ret);

/*
 * Runs one statement without rows. formats: one letter per value, 's' const
 * char *, 'i' int64_t, 'd' const struct digest *.
 */
int db_exec(struct db *db, struct error *err, const char *sql, const char *formats, ...);
/* Rows changed by the last statement. */
int db_changes(struct db *db);

#endif
