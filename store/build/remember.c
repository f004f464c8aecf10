/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety of a prune: rows and layers go in the transaction that intends
 * the deletions (db/journal); killed after it, recovery deletes the volumes.
 */
#include "build/remember.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/gc.h"
#include "db/journal.h"
#include "db/recover.h"
#include "store.h"

int build_cache_find(struct store *store, const struct digest *key, struct layer_row *ret,
		     struct digest *ret_last, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct digest chain_id;
	int got;

	if (db_prepare(store->db, "SELECT chain_id, last_key FROM build_step WHERE key = ?1", &stmt,
		       err) < 0)
		return -1;
	db_bind_text(stmt, 1, key->text);
	got = db_step(stmt, err);
	if (got <= 0)
		return got;
	db_digest(stmt, 0, &chain_id);
	db_digest(stmt, 1, ret_last);
	return rows_layer_get(store->db, &chain_id, ret, err);
}

int build_cache_put(struct store *store, const struct digest *key, const struct digest *last,
		    const struct digest *chain_id, const char *what, struct error *err)
{
	return db_exec(
		store->db, err,
		"INSERT INTO build_step (key, chain_id, held, what, created_ns, used_ns,"
		"  last_key)"
		" VALUES (?1, ?2, NOT EXISTS (SELECT 1 FROM image_layer WHERE chain_id = ?2),"
		"  ?3, ?4, ?4, ?5)"
		" ON CONFLICT (key) DO UPDATE SET chain_id = excluded.chain_id,"
		"  held = excluded.held, what = excluded.what,"
		"  created_ns = excluded.created_ns, used_ns = excluded.used_ns,"
		"  last_key = excluded.last_key",
		"ddsid", key, chain_id, what, rows_now_ns(), last);
}

int build_cache_touch(struct store *store, const struct digest *key, struct error *err)
{
	return db_exec(store->db, err,
		       "UPDATE build_step SET used_ns = ?2, uses = uses + 1 WHERE key = ?1", "di",
		       key, rows_now_ns());
}

void build_cache_list_done(struct build_cache_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].what);
	free(list->items);
	*list = (struct build_cache_list){ 0 };
}

static void read_entry(struct db_stmt *stmt, struct build_cache_entry *ret)
{
	db_digest(stmt, 0, &ret->chain_id);
	ret->what = xstrdup(db_text(stmt, 1));
	ret->held = db_int(stmt, 2) != 0;
	ret->content_bytes = db_int(stmt, 3);
	ret->own_bytes = db_int(stmt, 4);
	ret->created_ns = db_int(stmt, 5);
	ret->used_ns = db_int(stmt, 6);
	ret->uses = db_int(stmt, 7);
}

/* Steps with one layer, as two keys can have, are one entry. */
static int read_list(struct db *db, const char *sql, int64_t all, int64_t until_ns,
		     struct build_cache_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, all);
	db_bind_int(stmt, 2, until_ns);
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		read_entry(stmt, &ret->items[ret->nr++]);
	}
	return got;
}

static const char list_sql[] =
	"SELECT b.chain_id, max(b.what), max(b.held), l.content_bytes, ifnull(l.own_bytes, -1),"
	" min(b.created_ns), max(b.used_ns), sum(b.uses)"
	" FROM build_step b JOIN layer l ON l.chain_id = b.chain_id"
	" WHERE (b.held OR ?1) AND b.used_ns < ?2"
	" GROUP BY b.chain_id ORDER BY max(b.used_ns) DESC, b.chain_id";

int build_cache_list(struct store *store, struct build_cache_list *ret, struct error *err)
{
	return read_list(store->db, list_sql, 1, INT64_MAX, ret, err);
}

/* What did not go after all, because something needs it, gives nothing back. */
static void count_freed(struct build_cache_list *list, const struct orphan_list *orphans)
{
	for (size_t i = 0; i < list->nr; i++) {
		struct build_cache_entry *entry = &list->items[i];
		bool freed = false;

		for (size_t n = 0; n < orphans->nr && !freed; n++)
			freed = digest_equal(&orphans->items[n].chain_id, &entry->chain_id);
		if (!freed)
			entry->content_bytes = entry->own_bytes = 0;
	}
}

int build_cache_prune(struct store *store, bool all, int64_t until_ns, struct build_cache_list *ret,
		      struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_orphan_list struct orphan_list orphans = { 0 };
	auto_build_cache_list struct build_cache_list list = { 0 };
	uint64_t txid;

	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    read_list(store->db, list_sql, all, until_ns, &list, err) < 0 ||
		    db_exec(store->db, err,
			    "DELETE FROM build_step WHERE (held OR ?1) AND used_ns < ?2", "ii",
			    (int64_t)all, until_ns) < 0 ||
		    recover_mark_orphans(store->db, txid, &orphans, err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	crash_point("cache-pruned");
	if (orphans.nr && journal_fulfil(store->db, store->pool, txid, NULL, NULL, err) < 0)
		return -1;
	if (gc_blobs(&store->root, store->db, err) < 0)
		return -1;
	count_freed(&list, &orphans);
	*ret = list;
	list = (struct build_cache_list){ 0 };
	return 0;
}
