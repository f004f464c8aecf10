/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/size.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/journal.h"
#include "db/recover.h"
#include "db/recover_container.h"
#include "db/recover_volume.h"
#include "db/rows.h"

static bool has_pool(const struct store *store)
{
	return faccessat(store->root.fd, POOL_CONFIG_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

static int get_destroying(struct store *store, bool *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, "SELECT value <> 0 FROM meta WHERE key = 'destroying'", &stmt,
		       err) < 0 ||
	    db_step(stmt, err) < 0)
		return -1;
	*ret = db_int(stmt, 0) != 0;
	return 0;
}

static int set_destroying(struct store *store, bool value, struct error *err)
{
	return db_exec(store->db, err, "UPDATE meta SET value = ?1 WHERE key = 'destroying'", "i",
		       (int64_t)value);
}

static int reset_catalogue(struct store *store, struct error *err)
{
	static const char *const tables[] = { "DELETE FROM reference", "DELETE FROM view",
					      "DELETE FROM image",     "DELETE FROM pin",
					      "DELETE FROM session",   "DELETE FROM layer",
					      "DELETE FROM container", "DELETE FROM volume",
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
	if (nr && blob_sync(&store->root, err) < 0)
		return -1;
	return gc_blobs(&store->root, store->db, err);
}

/* pool.json is gone, so the pool is; idempotent up to its last step. */
static int forget_pool(struct store *store, struct error *err)
{
	if (reset_catalogue(store, err) < 0)
		return -1;
	crash_point("pool-catalogue-reset");
	if (remove_blobs(store, err) < 0)
		return -1;
	recover_mount_points(&store->root, store->db);
	if (recover_container_folders(&store->root, store->db, err) < 0)
		return -1;
	return set_destroying(store, false, err);
}

/* Devices and files of a pool that a kill left half made or half taken away. */
static void take_remains(struct store *store)
{
	struct error err;

	if (!has_pool(store) && pool_destroy(store->root.path, &err) < 0 &&
	    err.kind != ERR_NOT_FOUND)
		log_warn("remains of a pool stay for now: %s", err.text);
}

/* A killed 'pool destroy' goes on from pool.json's end; before that, nothing has happened. */
static int finish_destroyed(struct store *store, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	bool destroying = false;

	if (get_destroying(store, &destroying, err) < 0)
		return -1;
	if (!destroying)
		return 0;
	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	if (get_destroying(store, &destroying, err) < 0)
		return -1;
	if (!destroying)
		return 0;
	if (has_pool(store))
		return set_destroying(store, false, err);
	log_debug("finishing a killed 'pool destroy'");
	take_remains(store);
	return forget_pool(store, err);
}

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
	if (store->db && finish_destroyed(store, err) < 0)
		return -1;
	*ret = take_ptr(store);
	return 0;
}

/* Under the store's lock: what a process that died while it had the lock has left. */
static int recover(struct store *store, struct error *err)
{
	if (journal_recover(store->db, store->pool, err) < 0 ||
	    recover_views(&store->root, store->db, store->pool, err) < 0 ||
	    recover_containers(&store->root, store->db, store->pool, err) < 0 ||
	    recover_volumes(&store->root, store->db, store->pool, err) < 0)
		return -1;
	return gc_blobs(&store->root, store->db, err);
}

static void end_session(struct store *store)
{
	auto_root_lock struct root *held = NULL;
	struct error err;

	/* What fails here is done by the next process that opens the pool. */
	if (!store->pool || root_lock(&store->root, &err) < 0)
		return;
	held = &store->root;
	if (recover(store, &err) < 0 ||
	    recover_session_end(&store->root, store->db, store->pool, store->session, &err) < 0 ||
	    gc_blobs(&store->root, store->db, &err) < 0)
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
	int64_t template;

	if (recover(store, err) < 0 ||
	    recover_dead_sessions(&store->root, store->db, store->pool, err) < 0 ||
	    gc_blobs(&store->root, store->db, err) < 0)
		return -1;
	recover_chain_locks(&store->root);
	recover_mount_points(&store->root, store->db);
	if (recover_container_folders(&store->root, store->db, err) < 0)
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

	if (volume_pool_open(store->root.path, &pool, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			take_remains(store);
		return -1;
	}
	store->pool = pool;
	if (store->options.disk_below)
		volume_pool_set_disk_below(pool, store->options.disk_below);
	if (settle_pool(store, err) < 0) {
		volume_pool_close(take_ptr(store->pool));
		return -1;
	}
	return 0;
}

/* Killed here, it is a pool without a template, which the next command makes. */
static void take_back(struct store *store)
{
	struct error err;

	if (pool_destroy(store->root.path, &err) < 0 || reset_catalogue(store, &err) < 0)
		log_warn("after a failed pool creation: %s", err.text);
}

static int create_locked(struct store *store, const struct pool_create_args *args,
			 struct error *err)
{
	int64_t known = rows_template(store->db, err);
	auto_pool struct pool *present = NULL;
	struct error absent;

	if (known < 0)
		return -1;
	if (pool_open(store->root.path, &present, &absent) == 0)
		return err_set(err, ERR_EXISTS, "'%s' has a pool already: see 'veneer pool status'",
			       store->root.path);
	if (known > 0)
		return err_set(
			err, ERR_CORRUPT,
			"the catalogue in '%s' belongs to a pool that is gone: bring the pool's "
			"devices back, or remove the catalogue with 'veneer pool destroy --force'",
			store->root.path);
	if (pool_create(store->root.path, args, err) < 0)
		return -1;
	if (open_locked(store, err) < 0) {
		take_back(store);
		return -1;
	}
	return 0;
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
	bool large;

	if (create_locked(store, args, err) < 0 || volume_pool_info(store->pool, &info, err) < 0)
		return -1;
	if (!store->options.notice)
		return 0;
	large = info.data_total_bytes >= GIB;
	text = xasprintf("No pool yet: made one of %" PRIu64 " %s on sparse files in %s/pool "
			 "(see 'veneer pool --help')",
			 info.data_total_bytes / (large ? GIB : MIB), large ? "GiB" : "MiB",
			 store->root.path);
	store->options.notice(text);
	return 0;
}

static int open_or_create(struct store *store, struct error *err)
{
	if (open_locked(store, err) == 0)
		return 0;
	return err->kind == ERR_NOT_FOUND ? create_default(store, err) : -1;
}

static int get_pool(struct store *store, int (*open)(struct store *store, struct error *err),
		    struct volume_pool **ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (!store->pool) {
		if (root_lock(&store->root, err) < 0)
			return -1;
		held = &store->root;
		if (open(store, err) < 0)
			return -1;
	}
	*ret = store->pool;
	return 0;
}

int store_existing_pool(struct store *store, struct volume_pool **ret, struct error *err)
{
	return get_pool(store, open_locked, ret, err);
}

int store_pool(struct store *store, struct volume_pool **ret, struct error *err)
{
	return get_pool(store, open_or_create, ret, err);
}

int store_lock_pool(struct store *store, struct root **ret_held, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	/* Opening recovers; later, another process may have died between two steps. */
	if ((store->pool ? recover(store, err) : open_or_create(store, err)) < 0)
		return -1;
	*ret_held = take_ptr(held);
	return 0;
}

int store_lock_active_pool(struct store *store, struct root **ret_held, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_pool struct volume_pool *seen = NULL;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	if (volume_pool_look(store->root.path, &seen, err) < 0 ||
	    (store->pool ? recover(store, err) : open_locked(store, err)) < 0)
		return -1;
	*ret_held = take_ptr(held);
	return 0;
}

static bool is_illness(const struct error *err)
{
	return err->kind == ERR_CORRUPT || err->kind == ERR_DENIED || err->kind == ERR_NO_SPACE ||
	       err->kind == ERR_IO;
}

int store_lock_pool_to_end(struct store *store, struct root **ret_held, bool *ret_ill,
			   struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct error why;

	*ret_ill = false;
	if (store_lock_pool(store, ret_held, err) == 0)
		return 0;
	if (!is_illness(err) || root_lock(&store->root, &why) < 0)
		return -1;
	held = &store->root;
	if (!store->pool && volume_pool_open_ill(store->root.path, &store->pool, &why) < 0)
		return -1;
	log_debug("the pool is ill, and nothing is recovered: %s", err->text);
	*ret_ill = true;
	*ret_held = take_ptr(held);
	return 0;
}

int store_open_as_is(struct store *store, struct error *err)
{
	if (store->pool || volume_pool_open(store->root.path, &store->pool, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND)
		take_remains(store);
	return -1;
}

int store_settle(struct store *store, struct error *err)
{
	return settle_pool(store, err);
}

bool store_has_pool(const struct store *store)
{
	return has_pool(store);
}

/*
 * What would lose its ground: a running command, a mount, an attachment, a
 * container. A
 * pool that does not open has no views; whatever uses its devices is found
 * when they are removed.
 */
static int check_unused(struct store *store, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got = recover_any_session(&store->root, err);

	if (got > 0)
		return err_set(err, ERR_IN_USE, "pool of '%s' is in use by another command",
			       store->root.path);
	if (got < 0 || !store->pool)
		return got;
	if (db_prepare(store->db,
		       "SELECT kind || ' ' || target, thin_id FROM view"
		       " UNION ALL SELECT 'container ' || name, thin_id FROM container"
		       " UNION ALL SELECT 'volume ' || name, thin_id FROM volume",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		if (volume_is_active(store->pool, (uint32_t)db_int(stmt, 1)))
			return err_set(err, ERR_IN_USE, "pool of '%s' is in use (%s)",
				       store->root.path, db_text(stmt, 0));
	}
	return got;
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
	if (check_unused(store, err) < 0 || set_destroying(store, true, err) < 0)
		return -1;
	volume_pool_close(take_ptr(store->pool));
	crash_point("pool-destroying");
	if (pool_destroy(store->root.path, err) < 0 && !(force && err->kind == ERR_NOT_FOUND)) {
		struct error ignored;

		set_destroying(store, false, &ignored);
		return -1;
	}
	crash_point("pool-destroyed");
	return forget_pool(store, err);
}
