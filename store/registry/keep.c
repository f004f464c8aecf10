/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/keep.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "store.h"

int keep_has_image(struct store *store, const struct digest *id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, "SELECT 1 FROM image WHERE id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, id->text);
	return db_step(stmt, err);
}

static int is_named(struct db *db, const char *name, const struct digest *id, bool *ret,
		    struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, "SELECT 1 FROM reference WHERE name = ?1 AND image = ?2", &stmt, err) <
	    0)
		return -1;
	db_bind_text(stmt, 1, name);
	db_bind_text(stmt, 2, id->text);
	got = db_step(stmt, err);
	*ret = got > 0;
	return got < 0 ? -1 : 0;
}

static int put_name(struct db *db, const struct reference *ref, const struct digest *id,
		    bool *ret_news, struct error *err)
{
	auto_free char *key = reference_key(ref);
	auto_free char *repository = reference_familiar_name(ref);
	bool by_digest = digest_is_set(&ref->digest), named;
	struct digest moved_from;
	const struct reference_row row = {
		.name = key,
		.repository = repository,
		.tag = by_digest ? NULL : ref->tag,
		.digest = by_digest ? ref->digest.text : NULL,
	};

	if (is_named(db, key, id, &named, err) < 0)
		return -1;
	*ret_news = !named;
	return named ? 0 : rows_reference_set(db, &row, id, &moved_from, err);
}

static int put_digest(struct db *db, const struct reference *ref, const struct digest *digest,
		      const struct digest *id, bool *ret_news, struct error *err)
{
	struct reference by_digest = *ref;

	by_digest.tag = NULL;
	by_digest.digest = *digest;
	return put_name(db, &by_digest, id, ret_news, err);
}

/* @replace: of the manifest */
static int put_remote(struct db *db, const struct digest *id, const struct buf *manifest,
		      bool replace, const struct remote_blob *blobs, size_t nr, struct error *err)
{
	for (size_t i = 0; i < nr; i++)
		if (rows_remote_put(db, &blobs[i], err) < 0)
			return -1;
	return rows_manifest_put(db, id, manifest, replace, err);
}

/* What the registry has of the image, for a push. */
static int put_origin(struct db *db, const struct keep_args *args, struct error *err)
{
	const struct manifest *manifest = args->manifest;
	auto_free struct remote_blob *blobs = xcalloc(manifest->nr_layers + 1, sizeof(*blobs));
	auto_free char *repository = reference_canonical_name(args->ref);
	size_t nr = 0;

	for (size_t i = 0; i < manifest->nr_layers; i++) {
		const struct descriptor *desc = &manifest->layers[i];

		if (media_kind(desc->media_type) == MEDIA_FOREIGN_LAYER)
			continue;
		blobs[nr++] = (struct remote_blob){
			.diff_id = args->diff_ids[i],
			.digest = desc->digest,
			.size_bytes = desc->size_bytes,
			.media_type = desc->media_type,
			.repository = repository,
		};
	}
	return put_remote(db, args->id, args->manifest_bytes, true, blobs, nr, err);
}

static int put_names(struct db *db, const struct keep_args *args, bool *ret_news, struct error *err)
{
	bool fresh = false;

	if (put_name(db, args->ref, args->id, ret_news, err) < 0)
		return -1;
	if (!digest_is_set(&args->ref->digest) &&
	    put_digest(db, args->ref, args->digest, args->id, &fresh, err) < 0)
		return -1;
	return *ret_news || fresh ? put_origin(db, args, err) : 0;
}

static int put_rows(struct store *store, const struct keep_args *args, bool *ret_news,
		    struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, store->db, err) < 0)
		return -1;
	if (args->config) {
		const struct image_row row = {
			.id = *args->id,
			.has_created = args->config->has_created,
			.created_ns = args->config->created_ns,
			.size_bytes = args->size_bytes,
			.architecture = args->config->architecture,
			.os = args->config->os,
			.chain_ids = args->chain_ids,
			.nr_layers = args->config->nr_layers,
		};

		if (rows_image_put(store->db, &row, err) < 0)
			return -1;
	}
	if (put_names(store->db, args, ret_news, err) < 0 ||
	    rows_image_pulled(store->db, args->id, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

int keep_image(struct store *store, const struct keep_args *args, bool *ret_news, struct error *err)
{
	auto_blob_writer struct blob_writer *document = NULL;
	auto_root_lock struct root *held = NULL;
	struct digest id;

	if (!args->config)
		return put_rows(store, args, ret_news, err);
	crash_point("pull-layers");
	if (blob_prepare(&store->root, store->session, args->config_bytes->data,
			 args->config_bytes->len, &document, &id, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0 || gc_announce(store->db, args->id, err) < 0 ||
	    blob_publish(document, err) < 0)
		return -1;
	crash_point("pull-published");
	return put_rows(store, args, ret_news, err);
}

int keep_pushed(struct store *store, const struct keep_pushed *pushed, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	bool unused;
	int got;

	if (db_begin(&tx, store->db, err) < 0)
		return -1;
	got = keep_has_image(store, pushed->id, err);
	if (got <= 0)
		return got;
	if (put_digest(store->db, pushed->ref, pushed->digest, pushed->id, &unused, err) < 0 ||
	    put_remote(store->db, pushed->id, pushed->manifest_bytes, false, pushed->blobs,
		       pushed->nr_blobs, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

void keep_finished(struct store *store, const struct reference *ref, const struct digest *chain_id)
{
	auto_free char *name = reference_familiar(ref);
	auto_free char *what = xasprintf("pull %s", name);
	struct error err;

	/* The keys of build steps are digests too, of something else. */
	if (db_exec(store->db, &err,
		    "INSERT OR IGNORE INTO build_step"
		    " (key, chain_id, held, what, created_ns, used_ns)"
		    " SELECT ?1, ?1, 1, ?2, ?3, ?3"
		    " WHERE NOT EXISTS (SELECT 1 FROM image_layer WHERE chain_id = ?1)",
		    "dsi", chain_id, what, rows_now_ns()) < 0)
		log_debug("layers of '%s': %s", name, err.text);
}
