/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/journal.h"
#include "db/recover.h"
#include "db/rows.h"

int store_open(const struct store_options *options, struct store **ret, struct error *err)
{
	auto_store struct store *store = xcalloc(1, sizeof(*store));
	auto_free char *path = NULL;

	store->options = *options;
	store->session_fd = -1;
	if (root_open(options->root, &store->root, err) < 0)
		return -1;
	path = xasprintf("%s/catalogue.db", store->root.path);
	if (!options->no_catalogue && db_open(path, &store->db, err) < 0)
		return -1;
	*ret = take_ptr(store);
	return 0;
}

static void end_session(struct store *store)
{
	auto_root_lock struct root *held = NULL;
	auto_orphan_list struct orphan_list orphans = { 0 };
	struct error err;

	/* What fails here is done by the next process that opens the pool. */
	if (!store->pool || root_lock(&store->root, &err) < 0)
		return;
	held = &store->root;
	if (journal_recover(store->db, store->pool, &err) < 0 ||
	    recover_session_end(&store->root, store->db, store->pool, store->session, &orphans,
				&err) < 0 ||
	    gc_layer_blobs(&store->root, store->db, &orphans, &err) < 0)
		log_warn("end of session %" PRId64 ": %s", store->session, err.text);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->session)
		end_session(store);
	if (store->session_fd >= 0)
		close(store->session_fd);
	volume_pool_close(store->pool);
	db_close(store->db);
	root_done(&store->root);
	free(store);
}

int store_session(struct store *store, struct error *err)
{
	if (store->session)
		return 0;
	return recover_session_begin(&store->root, store->db, store->options.command,
				     &store->session, &store->session_fd, err);
}

struct template
{
	struct store *store;
	uint32_t id;
};

static int format_template(void *ctx, struct error *err)
{
	const struct template *template = ctx;

	return volume_format(template->store->pool, template->id, err);
}

static int make_template(struct store *store, struct error *err)
{
	struct template template = { .store = store };
	uint64_t txid;

	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    journal_intend_create(store->db, txid, "template", JOURNAL_NO_ORIGIN, 0,
					  &template.id, err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	return journal_fulfil(store->db, store->pool, txid, format_template, &template, err);
}

/* Under the store's lock: the pool is open; bring the catalogue to the same state. */
static int settle_pool(struct store *store, struct error *err)
{
	auto_orphan_list struct orphan_list orphans = { 0 };
	int64_t template;

	if (journal_recover(store->db, store->pool, err) < 0 ||
	    recover_dead_sessions(&store->root, store->db, store->pool, &orphans, err) < 0 ||
	    gc_layer_blobs(&store->root, store->db, &orphans, err) < 0)
		return -1;
	template = rows_template(store->db, err);
	if (template <0)
		return -1;
	/* A kill between the pool and its template leaves a pool without one. */
	return template ? 0 : make_template(store, err);
}

static int open_locked(struct store *store, struct error *err)
{
	struct volume_pool *pool;

	if (volume_pool_open(store->root.path, &pool, err) < 0)
		return -1;
	store->pool = pool;
	if (settle_pool(store, err) < 0) {
		volume_pool_close(take_ptr(store->pool));
		return -1;
	}
	return 0;
}

static int create_locked(struct store *store, const struct pool_create_args *args,
			 struct error *err)
{
	int64_t known = rows_template(store->db, err);

	if (known < 0)
		return -1;
	if (known > 0)
		return err_set(
			err, ERR_CORRUPT,
			"the catalogue in '%s' belongs to a pool that is gone: bring the pool's "
			"devices back, or remove the catalogue with 'veneer pool destroy --force'",
			store->root.path);
	if (pool_create(store->root.path, args, err) < 0)
		return -1;
	return open_locked(store, err);
}

int store_create_pool(struct store *store, const struct pool_create_args *args, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	return create_locked(store, args, err);
}

static int create_default(struct store *store, struct error *err)
{
	const struct pool_create_args *args = store->options.pool_defaults;
	auto_free char *text = NULL;
	struct volume_pool_info info;

	if (create_locked(store, args, err) < 0 || volume_pool_info(store->pool, &info, err) < 0)
		return -1;
	if (!store->options.notice)
		return 0;
	text = xasprintf("No pool yet: made one of %" PRIu64 " GiB on sparse files in %s/pool "
			 "(see 'veneer pool --help')",
			 info.data_total_bytes >> 30, store->root.path);
	store->options.notice(text);
	return 0;
}

int store_existing_pool(struct store *store, struct volume_pool **ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (!store->pool) {
		if (root_lock(&store->root, err) < 0)
			return -1;
		held = &store->root;
		if (open_locked(store, err) < 0)
			return -1;
	}
	*ret = store->pool;
	return 0;
}

int store_pool(struct store *store, struct volume_pool **ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (!store->pool) {
		if (root_lock(&store->root, err) < 0)
			return -1;
		held = &store->root;
		if (open_locked(store, err) < 0 &&
		    (err->kind != ERR_NOT_FOUND || create_default(store, err) < 0))
			return -1;
	}
	*ret = store->pool;
	return 0;
}

int store_lock_pool(struct store *store, struct root **ret_held, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct volume_pool *pool;

	if (store_pool(store, &pool, err) < 0 || root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	/* Another process may have died between two steps since we opened. */
	if (journal_recover(store->db, pool, err) < 0)
		return -1;
	*ret_held = take_ptr(held);
	return 0;
}

/* What would lose its ground: a session of another process, a mount, an attachment. */
static int check_unused(struct store *store, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT kind || ' ' || target FROM view"
		       " UNION ALL SELECT 'running command: ' || command FROM session",
		       &stmt, err) < 0)
		return -1;
	got = db_step(stmt, err);
	if (got > 0)
		return err_set(err, ERR_IN_USE, "pool of '%s' is in use (%s)", store->root.path,
			       db_text(stmt, 0));
	return got;
}

static int reset_catalogue(struct store *store, struct error *err)
{
	static const char *const tables[] = { "DELETE FROM reference", "DELETE FROM view",
					      "DELETE FROM image",     "DELETE FROM pin",
					      "DELETE FROM session",   "DELETE FROM layer",
					      "DELETE FROM thin",      NULL };
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, store->db, err) < 0 ||
	    db_exec(store->db, err, "PRAGMA defer_foreign_keys = ON", "") < 0)
		return -1;
	for (size_t i = 0; tables[i]; i++) {
		if (db_exec(store->db, err, tables[i], "") < 0)
			return -1;
	}
	if (db_exec(store->db, err, "UPDATE meta SET value = 0 WHERE key = 'pool_txid'", "") < 0 ||
	    db_exec(store->db, err, "UPDATE meta SET value = 1 WHERE key = 'next_thin'", "") < 0)
		return -1;
	return db_commit(&tx, err);
}

static int remove_blobs(struct store *store, struct error *err)
{
	auto_free struct digest *blobs = NULL;
	size_t nr;

	if (blob_list(&store->root, &blobs, &nr, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		if (blob_remove(&store->root, &blobs[i], err) < 0)
			return -1;
	}
	return 0;
}

int store_destroy_pool(struct store *store, bool force, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	/* Dead sessions count for nothing; a pool that does not open must not stand in the way. */
	if (!store->pool && open_locked(store, err) < 0 && !force)
		return -1;
	if (check_unused(store, err) < 0)
		return -1;
	volume_pool_close(take_ptr(store->pool));
	if (pool_destroy(store->root.path, err) < 0 && !(force && err->kind == ERR_NOT_FOUND))
		return -1;
	crash_point("pool-destroyed");
	/* Killed here, the catalogue names a pool that is gone; destroy --force goes on. */
	if (reset_catalogue(store, err) < 0)
		return -1;
	return remove_blobs(store, err);
}
