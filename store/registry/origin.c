/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: the layers are pinned by this session, and the config is in memory. What was
 * pushed is remembered in one transaction, after the registry has it.
 */
#include "registry/origin.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "blob/blob.h"
#include "db/rows.h"
#include "layer/layer.h"
#include "layer/layer_tar.h"
#include "limits.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "registry/keep.h"
#include "store.h"

void origin_image_done(struct origin_image *image)
{
	buf_done(&image->config);
	buf_done(&image->manifest);
	free(image->layers);
	remote_blob_free_list(image->blobs, image->nr_blobs);
	*image = (struct origin_image){ 0 };
}

struct local {
	struct origin origin;
	struct store *store;
	const struct reference *ref;
	struct digest *chain_ids; /* of the image got last */
};

static struct local *local_of(struct origin *self)
{
	return (struct local *)self; /* its first member */
}

/* ---- names ---- */

static int list_tags(struct local *local, struct strlist *ret, bool *ret_known, struct error *err)
{
	auto_free char *repository = reference_familiar_name(local->ref);
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(local->store->db,
		       "SELECT tag FROM reference WHERE repository = ?1 ORDER BY tag IS NULL, tag",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, repository);
	*ret_known = false;
	while ((got = db_step(stmt, err)) > 0) {
		*ret_known = true;
		if (!db_is_null(stmt, 0))
			strlist_add(ret, db_text(stmt, 0));
	}
	return got;
}

static int no_image(struct local *local, struct error *err)
{
	auto_free char *name = reference_familiar_name(local->ref);

	return err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s",
		       name);
}

static int get_tags(struct origin *self, struct strlist *ret, struct error *err)
{
	struct local *local = local_of(self);
	bool known;

	if (list_tags(local, ret, &known, err) < 0)
		return -1;
	return ret->nr ? 0 : no_image(local, err);
}

static int find_image(struct local *local, const char *tag, struct digest *ret, struct error *err)
{
	auto_free char *repository = reference_familiar_name(local->ref);
	auto_stmt struct db_stmt *stmt = NULL;
	auto_strlist struct strlist tags = { 0 };
	bool known;
	int got;

	if (db_prepare(local->store->db,
		       "SELECT image FROM reference WHERE repository = ?1 AND tag = ?2", &stmt,
		       err) < 0)
		return -1;
	db_bind_text(stmt, 1, repository);
	db_bind_text(stmt, 2, tag);
	got = db_step(stmt, err);
	if (got > 0)
		db_digest(stmt, 0, ret);
	if (got)
		return got < 0 ? -1 : 0;
	if (list_tags(local, &tags, &known, err) < 0)
		return -1;
	return known ? err_set(err, ERR_NOT_FOUND, "tag does not exist: %s:%s", repository, tag)
		     : no_image(local, err);
}

/* ---- layers ---- */

static int add_blobs(struct local *local, const struct digest *diff_id, struct origin_image *ret,
		     struct error *err)
{
	auto_free struct remote_blob *list = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < ret->nr_blobs; i++)
		if (digest_equal(&ret->blobs[i].diff_id, diff_id))
			return 0;
	if (rows_remote_list(local->store->db, diff_id, &list, &nr, err) < 0)
		return -1;
	ret->blobs = xrealloc(ret->blobs, (ret->nr_blobs + nr + 1) * sizeof(*ret->blobs));
	for (size_t i = 0; i < nr; i++)
		ret->blobs[ret->nr_blobs++] = list[i];
	return 0;
}

static int take_layer(struct local *local, const struct digest *chain_id, struct origin_layer *ret,
		      struct error *err)
{
	struct store *store = local->store;
	auto_layer_blob struct layer_blob blob = { .fd = -1 };
	auto_layer_row struct layer_row row = { 0 };
	int got = rows_layer_take(store->db, store->session, chain_id, &row, err);

	if (got == 0)
		err_set(err, ERR_NOT_FOUND, "it is not in the catalogue: run 'veneer check'");
	if (got <= 0)
		return -1;
	got = layer_blob_open(store, &row, &blob, err);
	if (got < 0)
		return -1;
	*ret = (struct origin_layer){
		.chain_id = *chain_id,
		.diff_id = row.diff_id,
		.tar_bytes = (uint64_t)row.tar_bytes,
	};
	if (got) {
		ret->blob = blob.digest;
		ret->blob_bytes = blob.size;
		ret->blob_kind = blob.kind;
	}
	return 0;
}

static int take_layers(struct local *local, const struct image_config *config,
		       struct origin_image *ret, struct error *err)
{
	struct digest chain = { 0 };

	ret->layers = xcalloc(config->nr_layers + 1, sizeof(*ret->layers));
	free(local->chain_ids);
	local->chain_ids = xcalloc(config->nr_layers + 1, sizeof(*local->chain_ids));
	for (; ret->nr_layers < config->nr_layers; ret->nr_layers++) {
		size_t i = ret->nr_layers;

		chain_id_next(&chain, &config->diff_ids[i], &chain);
		local->chain_ids[i] = chain;
		if (take_layer(local, &chain, &ret->layers[i], err) < 0)
			return err_add(err, "layer %zu (%s)", i, config->diff_ids[i].text);
		if (add_blobs(local, &config->diff_ids[i], ret, err) < 0)
			return -1;
	}
	return 0;
}

static int get_image(struct origin *self, const char *tag, struct origin_image *ret,
		     struct error *err)
{
	struct local *local = local_of(self);
	struct store *store = local->store;
	auto_image_config struct image_config config = { 0 };
	struct digest id;

	if (find_image(local, tag, &id, err) < 0 ||
	    blob_read(&store->root, &id, LIMIT_JSON_BYTES, &ret->config, err) < 0 ||
	    image_config_parse(ret->config.data, ret->config.len, &config, err) < 0 ||
	    take_layers(local, &config, ret, err) < 0 ||
	    rows_manifest_get(store->db, &id, &ret->manifest, err) < 0)
		return -1;
	return 0;
}

static int get_row(struct local *local, size_t layer, struct layer_row *ret, struct error *err)
{
	int got = rows_layer_get(local->store->db, &local->chain_ids[layer], ret, err);

	if (got == 0)
		err_set(err, ERR_CORRUPT, "layer %s has been removed while it was in use",
			local->chain_ids[layer].text);
	return got <= 0 ? -1 : 0;
}

static int open_blob(struct origin *self, size_t layer, struct error *err)
{
	struct local *local = local_of(self);
	auto_layer_blob struct layer_blob blob = { .fd = -1 };
	auto_layer_row struct layer_row row = { 0 };
	int got;

	if (get_row(local, layer, &row, err) < 0)
		return -1;
	got = layer_blob_open(local->store, &row, &blob, err);
	if (got == 0)
		err_set(err, ERR_CORRUPT, "blob %s is gone", row.blob.text);
	return got <= 0 ? -1 : take_fd(blob.fd);
}

static int write_tar(struct origin *self, size_t layer, origin_write_fn *write, void *ctx,
		     struct error *err)
{
	struct local *local = local_of(self);
	const struct layer_sink sink = { .write = write, .ctx = ctx };
	auto_layer_row struct layer_row row = { 0 };

	if (get_row(local, layer, &row, err) < 0)
		return -1;
	return layer_tar_write(local->store, &row, &sink, err);
}

static int keep(struct origin *self, const struct origin_pushed *pushed, struct error *err)
{
	struct local *local = local_of(self);
	const struct keep_pushed kept = {
		.ref = local->ref,
		.id = &pushed->id,
		.digest = &pushed->digest,
		.manifest_bytes = pushed->manifest,
		.blobs = pushed->blobs,
		.nr_blobs = pushed->nr_blobs,
	};

	return keep_pushed(local->store, &kept, err);
}

static void local_free(struct origin *self)
{
	free(local_of(self)->chain_ids);
	free(self);
}

int origin_open(struct store *store, const struct reference *ref, struct origin **ret,
		struct error *err)
{
	struct local *local;

	if (store_session(store, err) < 0)
		return -1;
	local = xcalloc(1, sizeof(*local));
	*local = (struct local){
		.origin = { .get_tags = get_tags,
			    .get_image = get_image,
			    .open_blob = open_blob,
			    .write_tar = write_tar,
			    .keep = keep,
			    .free = local_free },
		.store = store,
		.ref = ref,
	};
	*ret = &local->origin;
	return 0;
}
