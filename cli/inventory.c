/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/view.h"
#include "store.h"
#include "volume.h"

static const char *const kinds[] = { "template", "layer",     "work",  "view",
				     "init",	 "container", "volume" };
static const char *const states[] = { "live", "creating", "deleting" };

/* A static text equal to what the catalogue says, so that nothing must be freed. */
static const char *known(const char *const *texts, size_t nr, const char *text)
{
	for (size_t i = 0; i < nr; i++)
		if (strcmp(texts[i], text) == 0)
			return texts[i];
	return "unknown";
}

static struct inventory_item *add(struct inventory *inventory, size_t *cap)
{
	if (inventory->nr == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		inventory->items = xrealloc(inventory->items, *cap * sizeof(*inventory->items));
	}
	inventory->items[inventory->nr] = (struct inventory_item){ 0 };
	return &inventory->items[inventory->nr++];
}

static char *name_of(struct db_stmt *stmt)
{
	if (!db_is_null(stmt, 3))
		return xstrdup(db_text(stmt, 3));
	if (!db_is_null(stmt, 4))
		return xasprintf("%s%s",
				 strcmp(db_text(stmt, 5), "attach") == 0 ? DEVLINK_DIR "/" : "",
				 db_text(stmt, 4));
	for (int column = 7; column <= 8; column++)
		if (!db_is_null(stmt, column))
			return xstrdup(db_text(stmt, column));
	return xstrdup(db_text(stmt, 6));
}

static int read_catalogue(struct store *store, struct inventory *ret, size_t *cap,
			  struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(
		    store->db,
		    "SELECT t.id, t.kind, t.state, l.chain_id, v.target, v.kind, s.command, c.name,"
		    " d.name"
		    " FROM thin t LEFT JOIN layer l ON l.thin_id = t.id"
		    " LEFT JOIN view v ON v.thin_id = t.id AND t.kind = 'view'"
		    " LEFT JOIN container c ON c.thin_id = t.id"
		    " LEFT JOIN volume d ON d.thin_id = t.id"
		    " LEFT JOIN session s ON s.id = t.session WHERE t.state <> 'planned'"
		    " ORDER BY t.id",
		    &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		struct inventory_item *item = add(ret, cap);

		item->thin_id = (uint32_t)db_int(stmt, 0);
		item->kind = known(kinds, sizeof(kinds) / sizeof(*kinds), db_text(stmt, 1));
		item->state = known(states, sizeof(states) / sizeof(*states), db_text(stmt, 2));
		item->name = name_of(stmt);
	}
	return got;
}

static int by_id(const void *a, const void *b)
{
	const struct inventory_item *x = a, *y = b;

	return x->thin_id < y->thin_id ? -1 : x->thin_id > y->thin_id;
}

/* Both sorted by id: mark what the pool has, add what only it has. */
static void merge_pool(struct inventory *inventory, size_t *cap, const uint32_t *ids, size_t nr)
{
	size_t known_nr = inventory->nr, at = 0;

	for (size_t i = 0; i < nr; i++) {
		while (at < known_nr && inventory->items[at].thin_id < ids[i])
			at++;
		if (at < known_nr && inventory->items[at].thin_id == ids[i]) {
			inventory->items[at].in_pool = true;
			continue;
		}
		*add(inventory, cap) = (struct inventory_item){
			.thin_id = ids[i],
			.in_pool = true,
			.kind = "unknown",
			.state = "unknown",
			.name = xstrdup(""),
		};
	}
	if (inventory->nr)
		qsort(inventory->items, inventory->nr, sizeof(*inventory->items), by_id);
}

int inventory_read(struct store *store, struct inventory *ret, struct error *err)
{
	struct volume_pool *pool;
	auto_free uint32_t *ids = NULL;
	size_t nr = 0, cap = 0;

	*ret = (struct inventory){ 0 };
	if (store_existing_pool(store, &pool, err) < 0 || volume_list(pool, &ids, &nr, err) < 0 ||
	    read_catalogue(store, ret, &cap, err) < 0)
		return -1;
	merge_pool(ret, &cap, ids, nr);
	return 0;
}

size_t inventory_count(const struct inventory *inventory, const char *kind)
{
	size_t nr = 0;

	for (size_t i = 0; i < inventory->nr; i++)
		nr += inventory->items[i].in_pool && strcmp(inventory->items[i].kind, kind) == 0;
	return nr;
}

void inventory_done(struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->nr; i++)
		free(inventory->items[i].name);
	free(inventory->items);
	*inventory = (struct inventory){ 0 };
}
