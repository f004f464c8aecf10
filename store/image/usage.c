/* SPDX-License-Identifier: Apache-2.0 */
#include "image/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "db/rows.h"
#include "store.h"

void layer_list_done(struct layer_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].created_by);
	free(list->items);
	*list = (struct layer_list){ 0 };
}

/* Computed at commit; a crash just before may have left it open. */
static int ensure_own_bytes(struct store *store, struct layer_info *layer, uint32_t parent_thin,
			    struct error *err)
{
	struct volume_delta delta;

	if (layer->own_bytes != ROW_SIZE_UNKNOWN)
		return 0;
	if (volume_delta(store->pool, parent_thin, layer->thin_id, &delta, err) < 0 ||
	    rows_layer_set_own(store->db, layer->thin_id, (int64_t)delta.own_bytes, err) < 0)
		return err_add(err, "size of layer %s", layer->chain_id.text);
	layer->own_bytes = (int64_t)delta.own_bytes;
	return 0;
}

/* Parents before children: the depth of a layer counts its ancestors. */
static const char all_layers[] =
	"WITH RECURSIVE deep (chain_id, depth) AS ("
	"  SELECT chain_id, 0 FROM layer WHERE parent IS NULL"
	"  UNION ALL SELECT c.chain_id, d.depth + 1 FROM layer c JOIN deep d ON c.parent = d.chain_id"
	") "
	"SELECT l.chain_id, l.parent, l.diff_id, l.thin_id, l.created_by, l.created_ns,"
	" l.tar_bytes, l.content_bytes, ifnull(l.own_bytes, -1),"
	" (SELECT count(DISTINCT image) FROM image_layer i WHERE i.chain_id = l.chain_id),"
	" ifnull(p.thin_id, ?2)"
	" FROM layer l JOIN deep d ON d.chain_id = l.chain_id JOIN thin t ON t.id = l.thin_id"
	" LEFT JOIN layer p ON p.chain_id = l.parent"
	" WHERE t.state = 'live' AND (?1 IS NULL OR l.chain_id IN"
	"   (SELECT chain_id FROM image_layer WHERE image = ?1))"
	" ORDER BY d.depth, l.created_ns, l.chain_id";

static void read_layer(struct db_stmt *stmt, struct layer_info *ret)
{
	db_digest(stmt, 0, &ret->chain_id);
	db_digest(stmt, 1, &ret->parent);
	db_digest(stmt, 2, &ret->diff_id);
	ret->thin_id = (uint32_t)db_int(stmt, 3);
	ret->created_by = xstrdup(db_text(stmt, 4));
	ret->created_ns = db_int(stmt, 5);
	ret->tar_bytes = db_int(stmt, 6);
	ret->content_bytes = db_int(stmt, 7);
	ret->own_bytes = db_int(stmt, 8);
	ret->nr_images = db_int(stmt, 9);
}

static int read_layers(struct store *store, const struct image *image, int64_t template,
		       struct layer_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db, all_layers, &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, image ? image->id.text : NULL);
	db_bind_int(stmt, 2, template);
	while ((got = db_step(stmt, err)) > 0) {
		struct layer_info *layer;

		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		layer = &ret->items[ret->nr++];
		read_layer(stmt, layer);
		if (ensure_own_bytes(store, layer, (uint32_t)db_int(stmt, 10), err) < 0)
			return -1;
		layer->freed_bytes = layer->nr_images <= 1 ? layer->own_bytes : 0;
	}
	return got;
}

static void add_bytes(struct layer_list *list, const char *kind, int64_t bytes)
{
	if (strcmp(kind, "view") == 0)
		list->view_bytes += bytes;
	else if (strcmp(kind, "work") == 0)
		list->work_bytes += bytes;
	else if (strcmp(kind, "volume") == 0)
		list->volume_bytes += bytes;
	else
		list->container_bytes += bytes;
}

/*
 * What a deleted layer had and its init volume still has is the init's own now:
 * then it is compared with nothing, so that the sum stays the pool's.
 */
static uint32_t origin_of(struct store *store, struct db_stmt *thin, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, "SELECT 1 FROM thin WHERE id = ?1", &stmt, err) < 0)
		return 0;
	db_bind_int(stmt, 1, db_int(thin, 1));
	return db_step(stmt, err) > 0 ? (uint32_t)db_int(thin, 1) : 0;
}

static int add_rest(struct store *store, int64_t template, struct layer_list *ret,
		    struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct volume_delta delta;
	int got;

	if (volume_delta(store->pool, 0, (uint32_t) template, &delta, err) < 0)
		return -1;
	ret->template_bytes = (int64_t)delta.own_bytes;
	if (db_prepare(store->db,
		       "SELECT id, ifnull(origin, 0), kind FROM thin"
		       " WHERE kind IN ('view', 'work', 'init', 'container', 'volume')"
		       " AND state NOT IN ('creating', 'planned')",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		if (volume_delta(store->pool, origin_of(store, stmt, err),
				 (uint32_t)db_int(stmt, 0), &delta, err) < 0)
			return -1;
		add_bytes(ret, db_text(stmt, 2), (int64_t)delta.own_bytes);
	}
	return got;
}

int usage_layers(struct store *store, const struct image *image, struct layer_list *ret,
		 struct error *err)
{
	auto_root_lock struct root *held = NULL;
	int64_t template = rows_template(store->db, err);
	struct volume_pool *pool;

	if (template == 0 && store_existing_pool(store, &pool, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1; /* none is made for a list of nothing */
	if (template <0 || store_lock_pool(store, &held, err) < 0)
		return -1;
	template = rows_template(store->db, err);
	if (template <0 || read_layers(store, image, template, ret, err) < 0)
		return -1;
	return add_rest(store, template, ret, err);
}

static int usage_of(struct db_stmt *stmt, const struct image *image, struct image_usage *ret,
		    struct error *err)
{
	db_bind_text(stmt, 1, image->id.text);
	if (db_step(stmt, err) < 0)
		return -1;
	ret->size_bytes = image->size_bytes;
	ret->unique_bytes = db_int(stmt, 0);
	ret->shared_bytes = ret->size_bytes - ret->unique_bytes;
	ret->nr_containers = db_int(stmt, 1);
	return 0;
}

int usage_images(struct store *store, const struct image_list *list, struct image_usage *ret,
		 struct error *err)
{
	for (size_t i = 0; i < list->nr; i++) {
		auto_stmt struct db_stmt *stmt = NULL;

		if (db_prepare(store->db,
			       "SELECT (SELECT ifnull(sum(l.content_bytes), 0)"
			       "   FROM image_layer m JOIN layer l ON l.chain_id = m.chain_id"
			       "   WHERE m.image = ?1 AND NOT EXISTS (SELECT 1 FROM image_layer o"
			       "     WHERE o.chain_id = m.chain_id AND o.image <> ?1)),"
			       " (SELECT count(*) FROM view WHERE image = ?1)"
			       " + (SELECT count(*) FROM container WHERE image = ?1)",
			       &stmt, err) < 0 ||
		    usage_of(stmt, &list->items[i], &ret[i], err) < 0)
			return -1;
	}
	return 0;
}

int usage_total(struct store *store, int64_t *ret_bytes, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db,
		       "SELECT ifnull(sum(content_bytes), 0) FROM layer"
		       " WHERE chain_id IN (SELECT chain_id FROM image_layer)",
		       &stmt, err) < 0 ||
	    db_step(stmt, err) < 0)
		return -1;
	*ret_bytes = db_int(stmt, 0);
	return 0;
}
