/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/recover.h"
#include "devlink.h"

struct unsettled {
	bool attached;
	bool writable;
	bool verified;
	uint32_t thin_id;
	char *target;
};

struct unsettled_list {
	struct unsettled *items;
	size_t nr;
};

static void unsettled_list_done(struct unsettled_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].target);
	free(list->items);
}
#define auto_unsettled_list __attribute__((cleanup(unsettled_list_done)))

static int read_unsettled(struct db *db, struct unsettled_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db,
		       "SELECT kind = 'attach', writable, thin_id, target, verity FROM view"
		       " WHERE settled = 0",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		ret->items[ret->nr++] = (struct unsettled){
			.attached = db_int(stmt, 0) != 0,
			.writable = db_int(stmt, 1) != 0,
			.thin_id = (uint32_t)db_int(stmt, 2),
			.target = xstrdup(db_text(stmt, 3)),
			.verified = db_int(stmt, 4) != 0,
		};
	}
	return got;
}

static int keep_view(struct db *db, const struct unsettled *view, struct error *err)
{
	log_debug("'%s' is used: it stays", view->target);
	return db_exec(db, err, "UPDATE view SET settled = 1 WHERE kind = ?1 AND target = ?2", "ss",
		       view->attached ? "attach" : "mount", view->target);
}

char *recover_tree_name(uint32_t thin_id)
{
	return xasprintf("verity/tree-%" PRIu32, thin_id);
}

int recover_stop_verified(const struct root *root, struct db *db, struct volume_pool *pool,
			  uint32_t thin_id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	auto_free char *tree = recover_tree_name(thin_id);

	if (db_prepare(db, "SELECT count(*) FROM view WHERE thin_id = ?1 AND verity", &stmt, err) <
	    0)
		return -1;
	db_bind_int(stmt, 1, thin_id);
	if (db_step(stmt, err) < 0)
		return -1;
	if (db_int(stmt, 0) > 1)
		return 0;
	if (volume_remove_verified(pool, thin_id, err) < 0)
		return -1;
	crash_point("view-unverified");
	if (unlinkat(root->fd, tree, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", root->path, tree);
	return 0;
}

/* 1: nothing of it is in the kernel any more, or nothing that matters; 0: it is used. */
static int stop_view(const struct root *root, struct db *db, struct volume_pool *pool,
		     const struct unsettled *view, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (!view->attached && volume_unmount(pool, view->thin_id, view->target, err) < 0 &&
	    err->kind != ERR_NOT_FOUND)
		return err->kind == ERR_IN_USE ? 0 : -1;
	if (view->verified && recover_stop_verified(root, db, pool, view->thin_id, err) < 0)
		return err->kind == ERR_IN_USE ? 0 : -1;
	if (db_prepare(db, "SELECT count(*) FROM view WHERE thin_id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, view->thin_id);
	if (db_step(stmt, err) < 0)
		return -1;
	if (db_int(stmt, 0) > 1 || volume_deactivate(pool, view->thin_id, err) == 0)
		return 1;
	if (err->kind != ERR_IN_USE)
		return -1;
	return view->attached ? 0 : 1;
}

static int forget_view(struct db *db, struct volume_pool *pool, const struct unsettled *view,
		       struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (db_begin(&tx, db, err) < 0 || journal_next_txid(db, &txid, err) < 0 ||
	    db_exec(db, err, "DELETE FROM view WHERE kind = ?1 AND target = ?2", "ss",
		    view->attached ? "attach" : "mount", view->target) < 0 ||
	    (view->writable && journal_intend_delete(db, txid, view->thin_id, err) < 0) ||
	    db_commit(&tx, err) < 0)
		return -1;
	return view->writable ? journal_fulfil(db, pool, txid, NULL, NULL, err) : 0;
}

static int end_view(const struct root *root, struct db *db, struct volume_pool *pool,
		    const struct unsettled *view, struct error *err)
{
	int stopped = stop_view(root, db, pool, view, err);
	struct error why;

	if (stopped <= 0)
		return stopped < 0 ? -1 : keep_view(db, view, err);
	log_debug("ending '%s', left half way by a killed process", view->target);
	if (view->attached && devlink_remove(view->target, &why) < 0)
		log_debug("%s", why.text);
	crash_point("recover-view");
	return forget_view(db, pool, view, err);
}

int recover_views(const struct root *root, struct db *db, struct volume_pool *pool,
		  struct error *err)
{
	auto_unsettled_list struct unsettled_list list = { 0 };

	if (read_unsettled(db, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		if (end_view(root, db, pool, &list.items[i], err) < 0)
			return err_add(err, "recover view '%s'", list.items[i].target);
	}
	if (list.nr)
		recover_mount_points(root, db);
	return 0;
}

static bool has_view(struct db *db, const char *target)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error err;

	if (db_prepare(db,
		       "SELECT 1 FROM view WHERE kind = 'mount' AND target = ?1"
		       " UNION ALL SELECT 1 FROM volume WHERE target = ?1",
		       &stmt, &err) < 0)
		return true;
	db_bind_text(stmt, 1, target);
	return db_step(stmt, &err) != 0;
}

void recover_mount_points(const struct root *root, struct db *db)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(root->fd, "mounts", &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *target = xasprintf("%s/mounts/%s", root->path, names.items[i]);

		/* Only an empty folder can be removed so, and no mount point in use. */
		if (!has_view(db, target))
			rmdir(target);
	}
}
