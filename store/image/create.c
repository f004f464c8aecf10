/* SPDX-License-Identifier: Apache-2.0 */
#include "image/create.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/rows_image.h"
#include "image/image.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "store.h"

static int put_names(struct store *store, const struct digest *image, const struct reference *refs,
		     size_t nr_refs, struct error *err)
{
	struct digest moved_from;

	for (size_t i = 0; i < nr_refs; i++)
		if (image_set_tag(store, &refs[i], image, &moved_from, err) < 0)
			return -1;
	return 0;
}

static int put_rows(struct store *store, const struct image_create *args,
		    const struct digest *chain_ids, const struct digest *id, struct error *err)
{
	const struct image_config *config = args->config;
	auto_tx struct db_tx tx = { 0 };
	const struct image_row row = {
		.id = *id,
		.parent = args->parent,
		.has_created = config->has_created,
		.created_ns = config->created_ns,
		.size_bytes = args->size_bytes,
		.architecture = config->architecture,
		.os = config->os,
		.chain_ids = chain_ids,
		.nr_layers = config->nr_layers,
	};

	if (db_begin(&tx, store->db, err) < 0 || rows_image_put(store->db, &row, err) < 0)
		return -1;
	if (put_names(store, id, args->refs, args->nr_refs, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

/* Returns 1 when the image is there and has all the names. */
static int is_there(struct store *store, const struct image_create *args, const struct digest *id,
		    struct error *err)
{
	auto_image struct image image = { 0 };

	if (image_find(store, id->text, &image, NULL, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	for (size_t i = 0; i < args->nr_refs; i++) {
		auto_free char *key = reference_key(&args->refs[i]);
		bool found = false;

		for (size_t n = 0; n < image.nr_refs && !found; n++)
			found = image_ref_is(&image.refs[n], key);
		if (!found)
			return 0;
	}
	return 1;
}

static int write_image(struct store *store, const struct image_create *args, const struct buf *text,
		       struct digest *ret, struct error *err)
{
	const struct image_config *config = args->config;
	auto_blob_writer struct blob_writer *document = NULL;
	auto_free struct digest *chain_ids = xcalloc(config->nr_layers + 1, sizeof(*chain_ids));
	auto_root_lock struct root *held = NULL;
	struct volume_pool *pool;

	for (size_t i = 0; i < config->nr_layers; i++)
		chain_id_next(i ? &chain_ids[i - 1] : NULL, &config->diff_ids[i], &chain_ids[i]);
	if (store_pool(store, &pool, err) < 0 || store_session(store, err) < 0 ||
	    blob_prepare(&store->root, store->session, text->data, text->len, &document, ret, err) <
		    0 ||
	    store_lock_pool(store, &held, err) < 0 || gc_announce(store->db, ret, err) < 0 ||
	    blob_publish(document, err) < 0)
		return -1;
	crash_point("image-published");
	return put_rows(store, args, chain_ids, ret, err);
}

int image_create(struct store *store, const struct image_create *args, struct digest *ret,
		 struct error *err)
{
	auto_buf struct buf text = { 0 };
	int there;

	image_config_write(args->config, &text);
	digest_of(text.data, text.len, ret);
	there = is_there(store, args, ret, err);
	if (there)
		return there < 0 ? -1 : 0;
	return write_image(store, args, &text, ret, err);
}

int image_set_names(struct store *store, const struct digest *image, const struct reference *refs,
		    size_t nr_refs, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, store->db, err) < 0 || put_names(store, image, refs, nr_refs, err) < 0)
		return -1;
	return db_commit(&tx, err);
}
