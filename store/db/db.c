/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "db/schema.h"

#define BUSY_TIMEOUT_MS 30000

/*
 * Who comes first reads the whole log, 4 KiB for each page; a checkpoint waits twice for the disk.
 * A command that changes something writes about a dozen pages.
 */
#define LOG_PAGES 64

struct db {
	sqlite3 *handle;
};

static enum err_kind kind_of_sqlite(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_IN_USE;
	case SQLITE_FULL:
		return ERR_NO_SPACE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return ERR_DENIED;
	case SQLITE_CONSTRAINT:
		return ERR_EXISTS;
	default:
		return ERR_IO;
	}
}

/* With the log there, damage may only be found when a page is read that is not in it. */
static int explain(struct error *err)
{
	return err->kind == ERR_CORRUPT
		       ? err_add(err, "run 'veneer check --rebuild' to make a new one")
		       : -1;
}

static int fail(struct db *db, const char *action, struct error *err)
{
	err_set(err, kind_of_sqlite(sqlite3_extended_errcode(db->handle)), "catalogue: %s: %s",
		action, sqlite3_errmsg(db->handle));
	return explain(err);
}

static int run_script(struct db *db, const char *sql, struct error *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, "prepare", err);
	return 0;
}

static int get_version(struct db *db, int *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(db, "PRAGMA user_version", &stmt, err) < 0 || db_step(stmt, err) < 0)
		return -1;
	*ret = (int)db_int(stmt, 0);
	return 0;
}

static int migrate(struct db *db, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	int version, newest = 0;

	while (schema_migrations[newest])
		newest++;
	if (get_version(db, &version, err) < 0)
		return -1;
	if (version == newest)
		return 0;
	if (db_begin(&tx, db, err) < 0 || get_version(db, &version, err) < 0)
		return -1; /* again, now that nobody else can be migrating */
	if (version > newest)
		return err_set(err, ERR_UNSUPPORTED,
			       "catalogue has version %d, this program knows up to %d: "
			       "use a newer veneer",
			       version, newest);
	for (; version < newest; version++) {
		char mark[64];

		snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", version + 1);

		if (run_script(db, schema_migrations[version], err) < 0 ||
		    run_script(db, mark, err) < 0)
			return -1;
	}
	return db_commit(&tx, err);
}

/*
 * After a commit. What is in the log goes into the database, and the log becomes empty: a process
 * that comes later cannot tell that it was copied, and would write on behind it for ever. Others
 * are not waited for, and wait for the disk only if they commit in between; a failure is the next
 * commit's concern.
 */
static int on_commit(void *ctx, sqlite3 *handle, const char *name, int nr_pages)
{
	int in_log = 0, copied = 0;

	(void)ctx;
	if (nr_pages < LOG_PAGES)
		return SQLITE_OK;
	sqlite3_busy_timeout(handle, 0);
	if (sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied) ==
		    SQLITE_OK &&
	    in_log == copied)
		sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
	return SQLITE_OK;
}

int db_open(const char *path, struct db **ret, struct error *err)
{
	struct db *db = xcalloc(1, sizeof(*db));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;

	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS) != SQLITE_OK) {
		fail(db, path, err);
		db_close(db);
		return -1;
	}
	/* Defensive: a damaged or planted schema must not run code of its own. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/*
	 * The log stays for the next command: to make it anew, to copy it back at the end and to remove
	 * it would be six waits for the disk where a commit is one.
	 */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_wal_hook(db->handle, on_commit, NULL);
	/* A migration may make a table anew that others point to: only then do keys count. */
	if (run_script(db,
		       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		       "PRAGMA foreign_keys = OFF;",
		       err) < 0 ||
	    migrate(db, err) < 0 || run_script(db, "PRAGMA foreign_keys = ON;", err) < 0) {
		db_close(db);
		return err_add(err, "open '%s'", path);
	}
	*ret = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	sqlite3_close(db->handle);
	free(db);
}

int db_begin(struct db_tx *tx, struct db *db, struct error *err)
{
	if (run_script(db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	tx->db = db;
	return 0;
}

static void set_synced(struct db *db)
{
	struct error err;

	/* It writes nothing, so it can fail only without memory. */
	if (run_script(db, "PRAGMA synchronous = FULL", &err) < 0)
		log_warn("%s", err.text);
}

int db_begin_unsynced(struct db_tx *tx, struct db *db, struct error *err)
{
	/* In WAL mode: in order with all other commits, but without a wait for the disk. */
	if (run_script(db, "PRAGMA synchronous = NORMAL", err) < 0)
		return -1;
	if (db_begin(tx, db, err) < 0) {
		set_synced(db);
		return -1;
	}
	tx->unsynced = true;
	return 0;
}

static void end(struct db_tx *tx)
{
	if (tx->unsynced)
		set_synced(tx->db);
	*tx = (struct db_tx){ 0 };
}

int db_commit(struct db_tx *tx, struct error *err)
{
	if (run_script(tx->db, "COMMIT", err) < 0)
		return -1;
	end(tx);
	return 0;
}

int db_sync(struct db *db, struct error *err)
{
	sqlite3_file *log = NULL;
	int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	/* A checkpoint syncs both files before a page of the log is written again. */
	if (code == SQLITE_OK && log && log->pMethods)
		code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	if (code != SQLITE_OK)
		return err_set(err, kind_of_sqlite(code), "catalogue: write the log: %s",
			       sqlite3_errstr(code));
	return 0;
}

void db_rollback(struct db_tx *tx)
{
	struct error ignored;

	if (!tx->db)
		return;
	/* A full disk, among others, makes SQLite roll back by itself. */
	if (!sqlite3_get_autocommit(tx->db->handle) && run_script(tx->db, "ROLLBACK", &ignored) < 0)
		log_warn("%s", ignored.text);
	end(tx);
}

/* struct db_stmt is SQLite's own object under a name of ours. */
static sqlite3_stmt *raw(struct db_stmt *stmt)
{
	return (sqlite3_stmt *)stmt;
}

int db_prepare(struct db *db, const char *sql, struct db_stmt **ret, struct error *err)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(db, "prepare statement", err);
	*ret = (struct db_stmt *)stmt;
	return 0;
}

void db_finalize(struct db_stmt *stmt)
{
	sqlite3_finalize(raw(stmt));
}

void db_bind_text(struct db_stmt *stmt, int parameter, const char *text)
{
	if (!text || !*text)
		sqlite3_bind_null(raw(stmt), parameter);
	else
		sqlite3_bind_text(raw(stmt), parameter, text, -1, SQLITE_STATIC);
}

void db_bind_int(struct db_stmt *stmt, int parameter, int64_t value)
{
	sqlite3_bind_int64(raw(stmt), parameter, value);
}

int db_step(struct db_stmt *stmt, struct error *err)
{
	int code = sqlite3_step(raw(stmt));

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	err_set(err, kind_of_sqlite(code), "catalogue: %s",
		sqlite3_errmsg(sqlite3_db_handle(raw(stmt))));
	return explain(err);
}

const char *db_text(struct db_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(raw(stmt), column);

	return text ? text : "";
}

int db_texts(struct db_stmt *stmt, struct strlist *ret, struct error *err)
{
	int got;

	while ((got = db_step(stmt, err)) > 0)
		strlist_add(ret, db_text(stmt, 0));
	return got;
}

int64_t db_int(struct db_stmt *stmt, int column)
{
	return sqlite3_column_int64(raw(stmt), column);
}

bool db_is_null(struct db_stmt *stmt, int column)
{
	return sqlite3_column_type(raw(stmt), column) == SQLITE_NULL;
}

void db_digest(struct db_stmt *stmt, int column, struct digest *ret)
{
	struct error ignored;

	*ret = (struct digest){ 0 };
	if (!db_is_null(stmt, column))
		digest_parse(db_text(stmt, column), ret, &ignored);
}

static void bind_all(struct db_stmt *stmt, const char *formats, va_list ap)
{
	for (int i = 0; formats[i]; i++) {
		if (formats[i] == 'i')
			db_bind_int(stmt, i + 1, va_arg(ap, int64_t));
		else if (formats[i] == 'd')
			db_bind_text(stmt, i + 1, va_arg(ap, const struct digest *)->text);
		else
			db_bind_text(stmt, i + 1, va_arg(ap, const char *));
	}
}

int db_exec(struct db *db, struct error *err, const char *sql, const char *formats, ...)
{
	auto_stmt struct db_stmt *stmt = NULL;
	va_list ap;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	va_start(ap, formats);
	bind_all(stmt, formats, ap);
	va_end(ap);
	return db_step(stmt, err) < 0 ? -1 : 0;
}

int db_changes(struct db *db)
{
	return sqlite3_changes(db->handle);
}
