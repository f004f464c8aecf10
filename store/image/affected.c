/* SPDX-License-Identifier: Apache-2.0 */
#include "image/affected.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "image/image.h"
#include "layer/seal.h"
#include "store.h"
#include "verity/list.h"

struct affected_image {
	struct strlist names;
	struct strlist chains; /* base first */
};

struct affected_layer {
	char *chain;
	struct verity_list list; /* without runs when there are none to go by */
};

int affected_chains(struct store *store, const struct digest *image, struct strlist *ret,
		    struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db,
		       image ? "SELECT chain_id FROM image_layer WHERE image = ?1 ORDER BY position"
			     : "SELECT chain_id FROM layer l JOIN thin t ON t.id = l.thin_id"
			       " WHERE t.state = 'live'",
		       &stmt, err) < 0)
		return -1;
	if (image)
		db_bind_text(stmt, 1, image->text);
	return db_texts(stmt, ret, err);
}

static int fill(struct affected *affected, struct store *store, struct error *err)
{
	auto_image_list struct image_list list = { 0 };

	if (image_list(store, &list, err) < 0)
		return -1;
	affected->images = xcalloc(list.nr + 1, sizeof(*affected->images));
	for (size_t i = 0; i < list.nr; i++) {
		struct affected_image *image = &affected->images[affected->nr_images++];
		const struct image *from = &list.items[i];

		for (size_t k = 0; k < from->nr_refs; k++)
			strlist_take(&image->names, image_ref_text(&from->refs[k]));
		if (!from->nr_refs)
			strlist_take(&image->names, xasprintf("%.12s", digest_hex(&from->id)));
		if (affected_chains(store, &from->id, &image->chains, err) < 0)
			return -1;
	}
	return 0;
}

static void open_list(struct store *store, const char *chain, struct verity_list *ret)
{
	auto_layer_row struct layer_row row = { 0 };
	struct verity_of of;
	struct digest id;
	struct error err;

	if (digest_parse(chain, &id, &err) < 0 || rows_layer_get(store->db, &id, &row, &err) <= 0)
		return;
	if (seal_of(store, &row, &of, &err) < 0)
		of.parent_unknown = true;
	if (verity_list_open(&store->root, &of, ret, &err) < 0) {
		log_debug("%s", err.text);
		return;
	}
	/* Of many layers only the runs stay. */
	close(take_fd(ret->fd));
}

static const struct verity_list *list_of(struct affected *affected, struct store *store,
					 const char *chain)
{
	struct affected_layer *layer;

	for (size_t i = 0; i < affected->nr_layers; i++) {
		if (strcmp(affected->layers[i].chain, chain) == 0)
			return &affected->layers[i].list;
	}
	affected->layers =
		xrealloc(affected->layers, (affected->nr_layers + 1) * sizeof(*affected->layers));
	layer = &affected->layers[affected->nr_layers++];
	*layer = (struct affected_layer){ xstrdup(chain), VERITY_LIST_NONE };
	open_list(store, chain, &layer->list);
	return &layer->list;
}

static bool shows(struct affected *affected, struct store *store,
		  const struct affected_image *image, const struct digest *layer,
		  uint64_t pool_block)
{
	size_t i = 0;

	while (i < image->chains.nr && strcmp(image->chains.items[i], layer->text) != 0)
		i++;
	if (i == image->chains.nr)
		return false;
	while (++i < image->chains.nr) {
		if (verity_list_find(list_of(affected, store, image->chains.items[i]), pool_block))
			return false;
	}
	return true;
}

int affected_images(struct affected *affected, struct store *store, const struct digest *layer,
		    uint64_t pool_block, struct strlist *ret, struct error *err)
{
	if (!affected->images && fill(affected, store, err) < 0)
		return -1;
	for (size_t i = 0; i < affected->nr_images; i++) {
		const struct affected_image *image = &affected->images[i];

		if (!shows(affected, store, image, layer, pool_block))
			continue;
		for (size_t k = 0; k < image->names.nr; k++)
			strlist_add(ret, image->names.items[k]);
	}
	return 0;
}

void affected_done(struct affected *affected)
{
	for (size_t i = 0; i < affected->nr_images; i++) {
		strlist_done(&affected->images[i].names);
		strlist_done(&affected->images[i].chains);
	}
	for (size_t i = 0; i < affected->nr_layers; i++) {
		free(affected->layers[i].chain);
		verity_list_done(&affected->layers[i].list);
	}
	free(affected->images);
	free(affected->layers);
	*affected = (struct affected){ 0 };
}
