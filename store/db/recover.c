/* SPDX-License-Identifier: Apache-2.0 */
#include "db/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/recover_container.h"
#include "db/rows.h"

/* A sweeper may hold the new file's lock for the moment in which it removes the old one. */
#define SWEEP_WAIT_MS 2000

struct id_list {
	int64_t *items;
	size_t nr;
};

static void id_list_done(struct id_list *list)
{
	free(list->items);
}
#define auto_id_list __attribute__((cleanup(id_list_done)))

/* All values of a one-column query with at most one bound number (0: none). */
static int read_ids(struct db *db, const char *sql, int64_t bound, struct id_list *ret,
		    struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	if (bound)
		db_bind_int(stmt, 1, bound);
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		ret->items[ret->nr++] = db_int(stmt, 0);
	}
	return got;
}

static char *session_file(int64_t id)
{
	return xasprintf("sessions/%" PRId64, id);
}

int recover_session_begin(const struct root *root, struct db *db, const char *command,
			  int64_t *ret_id, int *ret_fd, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	auto_id_list struct id_list id = { 0 };
	auto_free char *file = NULL;
	auto_fd int fd = -1;

	/*
	 * The lock is taken before the row can be seen: nobody takes us for dead. The id is the time,
	 * as one that was there before may be the name of a file that a sweep holds, and the sweep
	 * would wait for our transaction.
	 */
	if (db_begin(&tx, db, err) < 0 ||
	    db_exec(db, err, "INSERT INTO session (id, command, started_ns) VALUES (?2, ?1, ?2)",
		    "si", command, rows_now_ns()) < 0 ||
	    read_ids(db, "SELECT last_insert_rowid()", 0, &id, err) < 0)
		return -1;
	file = session_file(id.items[0]);
	fd = root_lock_file(root, file, SWEEP_WAIT_MS, err);
	crash_point("session-begun");
	if (fd < 0 || db_commit(&tx, err) < 0)
		return -1;
	*ret_id = id.items[0];
	*ret_fd = take_fd(fd);
	return 0;
}

void orphan_list_done(struct orphan_list *list)
{
	free(list->items);
	*list = (struct orphan_list){ 0 };
}

static int find_orphans(struct db *db, struct orphan_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db,
		       "SELECT l.thin_id, l.chain_id, l.content_bytes,"
		       " ifnull(l.own_bytes, -1)"
		       " FROM layer l JOIN thin t ON t.id = l.thin_id WHERE t.state = 'live'"
		       " AND NOT EXISTS (SELECT 1 FROM image_layer i WHERE i.chain_id = l.chain_id)"
		       " AND NOT EXISTS (SELECT 1 FROM layer c WHERE c.parent = l.chain_id)"
		       " AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.chain_id = l.chain_id)"
		       " AND NOT EXISTS (SELECT 1 FROM build_step b WHERE b.chain_id = l.chain_id"
		       "   AND b.held)"
		       " AND NOT EXISTS (SELECT 1 FROM view v WHERE v.thin_id = l.thin_id)",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		struct orphan *orphan;

		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		orphan = &ret->items[ret->nr++];
		orphan->thin_id = (uint32_t)db_int(stmt, 0);
		db_digest(stmt, 1, &orphan->chain_id);
		orphan->content_bytes = db_int(stmt, 2);
		orphan->own_bytes = db_int(stmt, 3);
	}
	return got;
}

int recover_mark_orphans(struct db *db, uint64_t txid, struct orphan_list *ret, struct error *err)
{
	size_t before;

	/* Removing a layer can make an orphan of its parent. */
	do {
		before = ret->nr;
		if (find_orphans(db, ret, err) < 0)
			return -1;
		for (size_t i = before; i < ret->nr; i++) {
			if (journal_intend_delete(db, txid, ret->items[i].thin_id, err) < 0)
				return -1;
		}
	} while (ret->nr > before);
	return recover_mark_inits(db, txid, err);
}

static int mark_session(struct db *db, uint64_t txid, int64_t id, size_t *ret_nr_work,
			struct orphan_list *ret_orphans, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	auto_id_list struct id_list work = { 0 };

	if (db_begin(&tx, db, err) < 0 ||
	    read_ids(db, "SELECT id FROM thin WHERE kind = 'work' AND session = ?1", id, &work,
		     err) < 0)
		return -1;
	for (size_t i = 0; i < work.nr; i++) {
		if (journal_intend_delete(db, txid, (uint32_t)work.items[i], err) < 0)
			return -1;
	}
	/* The pins go with the row; only then can the orphans be told. */
	if (db_exec(db, err, "DELETE FROM session WHERE id = ?1", "i", id) < 0 ||
	    recover_mark_orphans(db, txid, ret_orphans, err) < 0)
		return -1;
	*ret_nr_work = work.nr;
	return db_commit(&tx, err);
}

static void sweep(const struct root *root, int tmp_fd, const char *name)
{
	auto_free char *path = NULL;
	struct error err;

	if (unlinkat(tmp_fd, name, 0) == 0 || errno != EISDIR)
		return;
	path = xasprintf("%s/tmp/%s", root->path, name);
	if (recover_remove_tree(path, &err) < 0)
		log_debug("%s", err.text);
}

/* Temporary files and folders are named tmp/SESSION-anything. */
static void sweep_files(const struct root *root, int64_t id)
{
	auto_free char *prefix = xasprintf("%" PRId64 "-", id);
	auto_free char *file = session_file(id);
	int tmp_fd = openat(root->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = tmp_fd < 0 ? NULL : fdopendir(tmp_fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			sweep(root, dirfd(dir), entry->d_name);
	}
	unlinkat(root->fd, file, 0);
}

int recover_session_end(const struct root *root, struct db *db, struct volume_pool *pool,
			int64_t id, struct error *err)
{
	auto_orphan_list struct orphan_list orphans = { 0 };
	size_t nr_work = 0;
	uint64_t txid;

	if (recover_steps(pool, id, err) < 0 || journal_next_txid(db, &txid, err) < 0 ||
	    mark_session(db, txid, id, &nr_work, &orphans, err) < 0)
		return -1;
	crash_point("session-marked");
	if (nr_work + orphans.nr && journal_fulfil(db, pool, txid, NULL, NULL, err) < 0)
		return -1;
	crash_point("session-ended");
	sweep_files(root, id);
	return 0;
}

/* Every name in a folder of lock files whose lock can be had, while it is held. */
static int each_dead(const struct root *root, const char *folder,
		     int (*visit)(void *ctx, const char *name, struct error *err), void *ctx,
		     struct error *err)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(root->fd, folder, &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *file = xasprintf("%s/%s", folder, names.items[i]);
		auto_fd int fd = root_lock_file(root, file, 0, err);

		if (fd < 0 && err->kind == ERR_IN_USE)
			continue;
		if (fd < 0 || visit(ctx, names.items[i], err) < 0)
			return -1;
	}
	return 0;
}

struct sweep {
	const struct root *root;
	struct db *db;
	struct volume_pool *pool;
};

/* Its row may be there or not: the file comes first and goes last. */
static int end_dead(void *ctx, const char *name, struct error *err)
{
	struct sweep *sweep = ctx;
	int64_t id = strtoll(name, NULL, 10);

	log_debug("session %" PRId64 " died: removing what it left", id);
	if (volume_remove_dead_readers(sweep->pool, err) < 0)
		return -1;
	return recover_session_end(sweep->root, sweep->db, sweep->pool, id, err);
}

/* A power cut can take the file, but leave the row. */
static int end_rows(struct sweep *sweep, struct error *err)
{
	auto_id_list struct id_list sessions = { 0 };

	if (read_ids(sweep->db, "SELECT id FROM session", 0, &sessions, err) < 0)
		return -1;
	for (size_t i = 0; i < sessions.nr; i++) {
		auto_free char *file = session_file(sessions.items[i]);
		auto_free char *name = xasprintf("%" PRId64, sessions.items[i]);
		struct stat st;

		if (fstatat(sweep->root->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (end_dead(sweep, name, err) < 0)
			return -1;
	}
	return 0;
}

int recover_dead_sessions(const struct root *root, struct db *db, struct volume_pool *pool,
			  struct error *err)
{
	struct sweep sweep = { root, db, pool };

	return each_dead(root, "sessions", end_dead, &sweep, err) < 0 ? -1 : end_rows(&sweep, err);
}

int recover_any_session(const struct root *root, struct error *err)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(root->fd, "sessions", &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *file = xasprintf("sessions/%s", names.items[i]);
		auto_fd int fd = root_lock_file(root, file, 0, err);

		if (fd < 0)
			return err->kind == ERR_IN_USE ? 1 : -1;
	}
	return 0;
}

static int remove_lock(void *ctx, const char *name, struct error *err)
{
	const struct root *root = ctx;
	auto_free char *file = xasprintf("chains/%s", name);

	(void)err;
	unlinkat(root->fd, file, 0);
	return 0;
}

void recover_chain_locks(const struct root *root)
{
	struct error err;

	if (each_dead(root, "chains", remove_lock, (void *)(uintptr_t)root, &err) < 0)
		log_debug("%s", err.text);
}
