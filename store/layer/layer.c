/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: the working volume is recorded with its session and dies with
 * it; a layer's row exists from the journal's first step on but is invisible
 * until its snapshot is complete and the pool has moved on (db/journal). A kill
 * at any point leaves whole layers and garbage that recovery knows.
 */
#include "layer/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "blob/blob.h"
#include "db/journal.h"
#include "layer/deflate.h"
#include "layer/inflate.h"
#include "layer/label.h"
#include "layer/seal.h"
#include "layer/space.h"
#include "layer/tar_apply.h"
#include "layer/work.h"
#include "layer/work_tree.h"
#include "oci/config.h"
#include "store.h"
#include "volume.h"

/* Another process may be unpacking the very layer: an hour for a large one. */
#define CHAIN_WAIT_MS (INT64_C(3600) * 1000)

struct layer_builder {
	struct store *store;
	struct volume_pool *pool;
	struct work work;
	struct work_tree tree;
	struct seal *seal; /* of the last layer, or NULL: read while the next is unpacked */
};

int layer_builder_new(struct store *store, struct layer_builder **ret, struct error *err)
{
	auto_layer_builder struct layer_builder *builder = xcalloc(1, sizeof(*builder));

	builder->store = store;
	builder->work = WORK_NONE(store);
	if (store_pool(store, &builder->pool, err) < 0 || store_session(store, err) < 0)
		return -1;
	*ret = take_ptr(builder);
	return 0;
}

static int drop_work(struct layer_builder *builder, struct error *err)
{
	work_tree_close(&builder->tree);
	return work_drop(&builder->work, err);
}

int layer_builder_end(struct layer_builder *builder, struct error *err)
{
	auto_seal struct seal *seal = take_ptr(builder->seal);

	return seal_wait(seal, err) < 0 ? -1 : seal_publish(seal, err);
}

void layer_builder_free(struct layer_builder *builder)
{
	struct error err;

	if (!builder)
		return;
	/* What is whole may be kept, although something else failed. */
	if (layer_builder_end(builder, &err) < 0)
		log_debug("%s", err.text);
	if (drop_work(builder, &err) < 0) /* the end of the session tries again */
		log_debug("working volume: %s", err.text);
	free(builder);
}

/* A working volume with the content of chain, and its tree writer. */
static int ensure_work(struct layer_builder *builder, const struct digest *chain, struct error *err)
{
	if (builder->work.id && digest_equal(&builder->work.chain, chain))
		return 0;
	if (drop_work(builder, err) < 0 || work_open_unmounted(&builder->work, chain, err) < 0)
		return -1;
	return work_tree_open(&builder->work, &builder->tree, err);
}

/*
 * Keeps the bytes as they came, and those of a plain tar compressed: a volume does not tell in
 * which order and with which headers they were written.
 */
struct keeper {
	struct store *store;
	struct blob_writer *writer;
	struct deflate *deflate; /* NULL: they came compressed */
	bool decided;
};

static void keeper_done(struct keeper *keeper)
{
	deflate_free(keeper->deflate);
	blob_writer_free(keeper->writer);
}
#define auto_keeper __attribute__((cleanup(keeper_done)))

static int write_kept(void *ctx, const void *data, size_t len, struct error *err)
{
	return blob_write(ctx, data, len, err);
}

static int begin_keeping(struct keeper *keeper, const void *head, size_t len, struct error *err)
{
	struct store *store = keeper->store;

	keeper->decided = true;
	if (store->options.drop_blobs)
		return 0;
	if (blob_begin(&store->root, store->session, &keeper->writer, err) < 0)
		return -1;
	if (inflate_detect(head, len) == INFLATE_PLAIN)
		keeper->deflate = deflate_new(write_kept, keeper->writer);
	return 0;
}

static int keep(void *ctx, const void *data, size_t len, struct error *err)
{
	struct keeper *keeper = ctx;

	if (!keeper->decided && begin_keeping(keeper, data, len, err) < 0)
		return -1;
	if (!keeper->writer)
		return 0;
	return keeper->deflate ? deflate_add(keeper->deflate, data, len, err)
			       : blob_write(keeper->writer, data, len, err);
}

/* After everything has come. */
static int end_keeping(struct keeper *keeper, const struct digest *came, struct digest *ret,
		       struct error *err)
{
	if (!keeper->writer)
		return 0;
	if (keeper->deflate)
		return deflate_end(keeper->deflate, ret, err);
	*ret = *came;
	return 0;
}

static int check_digests(const struct layer_source *source, const struct stream_result *found,
			 struct error *err)
{
	if (digest_is_set(&source->blob) && !digest_equal(&source->blob, &found->blob))
		return err_set(err, ERR_CORRUPT,
			       "filesystem layer verification failed for digest %s (got %s)",
			       source->blob.text, found->blob.text);
	if (digest_is_set(&source->diff_id) && !digest_equal(&source->diff_id, &found->diff_id))
		return err_set(err, ERR_CORRUPT,
			       "invalid diffID for layer %zu: expected \"%s\", got \"%s\"",
			       source->index, source->diff_id.text, found->diff_id.text);
	return 0;
}

/*
 * What cannot be unpacked may be something else than was asked for: that is then the error.
 * Downloaded bytes are told from a broken image so.
 */
static int explain_damage(struct stream *stream, const struct layer_source *source,
			  struct error *err)
{
	struct stream_result found = { 0 };
	struct error unknown;

	if (err->kind != ERR_CORRUPT || !digest_is_set(&source->blob) ||
	    stream_verify(stream, &found.blob, &unknown) < 0)
		return -1;
	found.diff_id = source->diff_id;
	return check_digests(source, &found, err);
}

static int unpack(struct layer_builder *builder, const struct layer_source *source,
		  struct keeper *keeper, struct tar_apply_result *ret, struct error *err)
{
	auto_stream struct stream *stream = NULL;
	struct stream_options options = {
		.read = source->read,
		.read_ctx = source->read_ctx,
		.tee = keep,
		.tee_ctx = keeper,
		.kinds = INFLATE_ALL_KINDS,
	};
	char item[13];
	struct space space = { .pool = builder->pool, .mount_fd = builder->work.mount_fd };
	struct tar_apply_args args = {
		.tree = builder->tree.tree,
		.take_space = space_take,
		.take_space_ctx = &space,
		.base = !digest_is_set(&source->parent),
		.progress = source->progress,
		.progress_item = item,
		.progress_total = source->total_bytes,
	};

	snprintf(item, sizeof(item), "%.12s",
		 digest_is_set(&source->diff_id) ? digest_hex(&source->diff_id) : "import");
	if (stream_open(&options, &stream, err) < 0)
		return -1;
	args.stream = stream;
	if (tar_apply(&args, ret, err) < 0) {
		work_tree_explain(&builder->tree, err);
		err_add(err, "failed to register layer %zu", source->index);
		explain_damage(stream, source, err);
		return -1;
	}
	if (check_digests(source, &ret->stream, err) < 0)
		return -1;
	crash_point("layer-unpacked");
	return 0;
}

/* What the journal's second step does for a new layer. */
struct birth {
	struct layer_builder *builder;
	struct layer_row *row;
	uint32_t parent_thin;
};

/* Whose blocks it shares from now on. */
static int set_origin(struct db *db, uint32_t id, uint32_t origin, struct error *err)
{
	return db_exec(db, err, "UPDATE thin SET origin = ?2 WHERE id = ?1", "ii", (int64_t)id,
		       (int64_t)origin);
}

/* The snapshot exists: the working volume goes on, and the layer's size is known for ever. */
static int after_snapshot(void *ctx, struct error *err)
{
	struct birth *birth = ctx;
	struct layer_builder *builder = birth->builder;
	struct db *db = builder->store->db;
	struct volume_delta delta;
	auto_tx struct db_tx tx = { 0 };

	if (volume_thaw(builder->work.volume, err) < 0 ||
	    volume_delta(builder->pool, birth->parent_thin, birth->row->thin_id, &delta, err) < 0)
		return -1;
	birth->row->own_bytes = (int64_t)delta.own_bytes;
	if (db_begin(&tx, db, err) < 0 ||
	    rows_layer_set_own(db, birth->row->thin_id, birth->row->own_bytes, err) < 0 ||
	    set_origin(db, birth->row->thin_id, birth->parent_thin, err) < 0 ||
	    set_origin(db, builder->work.id, birth->row->thin_id, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

static int intend_layer(struct store *store, uint32_t work_id, struct layer_row *row,
			uint64_t *ret_txid, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, store->db, err) < 0 || journal_next_txid(store->db, ret_txid, err) < 0 ||
	    journal_intend_create(store->db, *ret_txid, "layer", work_id, 0, &row->thin_id, err) <
		    0 ||
	    rows_layer_put(store->db, row, err) < 0 ||
	    rows_pin(store->db, store->session, &row->chain_id, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

/* The boundary: the working volume as it stands becomes the layer of row. */
static int commit_layer(struct layer_builder *builder, struct layer_row *row, bool trim,
			struct keeper *keeper, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct birth birth = { .builder = builder, .row = row };
	struct store *store = builder->store;
	char label[VOLUME_LABEL_BYTES];
	int64_t parent_thin;
	uint64_t txid;

	/* The bulk of the writing, without the lock. */
	if (work_tree_flush(&builder->tree, err) < 0)
		return err_add(err, "layer %s", row->diff_id.text);
	if (keeper->writer && blob_finish(keeper->writer, &row->blob, err) < 0)
		return -1;
	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	parent_thin = work_thin_of_chain(store, &row->parent, err);
	/* The row before the blob: undoing the row finds the blob. */
	if (parent_thin < 0 || intend_layer(store, builder->work.id, row, &txid, err) < 0 ||
	    (keeper->writer && blob_publish(keeper->writer, err) < 0))
		return -1;
	birth.parent_thin = (uint32_t)parent_thin;
	label_encode(row, label);
	crash_point("layer-intended");
	if (volume_write_label(builder->work.volume, label, err) < 0 ||
	    volume_freeze(builder->work.volume, builder->work.mount_fd, trim, err) < 0)
		return -1; /* the pool is unchanged: the next lock holder undoes the intent */
	crash_point("layer-frozen");
	if (journal_fulfil(store->db, builder->pool, txid, after_snapshot, &birth, err) < 0)
		return -1;
	builder->work.chain = row->chain_id;
	return 0;
}

static int lock_chain(struct store *store, const struct digest *chain_id, struct error *err)
{
	auto_free char *name = xasprintf("chains/%s", digest_hex(chain_id));

	return root_lock_file(&store->root, name, CHAIN_WAIT_MS, err);
}

static void unlock_chain(struct store *store, const struct digest *chain_id)
{
	auto_free char *name = xasprintf("chains/%s", digest_hex(chain_id));

	unlinkat(store->root.fd, name, 0);
}

static int unpack_and_commit(struct layer_builder *builder, const struct layer_source *source,
			     struct layer_row *ret, struct error *err)
{
	auto_keeper struct keeper keeper = { .store = builder->store };
	auto_layer_row struct layer_row row = { 0 };
	struct tar_apply_result applied;

	if (ensure_work(builder, &source->parent, err) < 0 ||
	    unpack(builder, source, &keeper, &applied, err) < 0)
		return -1;
	row.parent = source->parent;
	row.diff_id = applied.stream.diff_id;
	chain_id_next(&source->parent, &row.diff_id, &row.chain_id);
	row.tar_bytes = (int64_t)applied.stream.tar_bytes;
	row.content_bytes = (int64_t)applied.content_bytes;
	row.own_bytes = ROW_SIZE_UNKNOWN;
	if (end_keeping(&keeper, &applied.stream.blob, &row.blob, err) < 0)
		return -1;
	row.created_ns = rows_now_ns();
	row.created_by = xstrdup(source->created_by ? source->created_by : "");
	if (!digest_is_set(&source->diff_id)) {
		/* Only now is it known which layer this is; the store may have it. */
		int got = rows_layer_take(builder->store->db, builder->store->session,
					  &row.chain_id, ret, err);

		builder->work.discard = got > 0;
		if (got)
			return got < 0 ? -1 : drop_work(builder, err);
	}
	if (layer_builder_end(builder, err) < 0 ||
	    commit_layer(builder, &row, applied.removed, &keeper, err) < 0 ||
	    seal_start(builder->store, &row, &builder->seal, err) < 0)
		return -1;
	*ret = row;
	row.created_by = NULL;
	return 0;
}

static int add(struct layer_builder *builder, const struct layer_source *source,
	       struct layer_row *ret, struct error *err)
{
	struct store *store = builder->store;
	struct digest chain_id;
	auto_fd int chain_fd = -1;
	int got;

	if (!digest_is_set(&source->diff_id))
		return unpack_and_commit(builder, source, ret, err);
	chain_id_next(&source->parent, &source->diff_id, &chain_id);
	got = rows_layer_take(store->db, store->session, &chain_id, ret, err);
	if (got)
		return got < 0 ? -1 : 0;
	chain_fd = lock_chain(store, &chain_id, err);
	if (chain_fd < 0)
		return err_add(err, "layer %s", chain_id.text);
	got = rows_layer_take(store->db, store->session, &chain_id, ret, err);
	if (got == 0)
		got = unpack_and_commit(builder, source, ret, err);
	unlock_chain(store, &chain_id);
	return got < 0 ? -1 : 0;
}

int layer_add(struct layer_builder *builder, const struct layer_source *source,
	      struct layer_row *ret, struct error *err)
{
	int result = add(builder, source, ret, err);

	builder->work.discard = result < 0;
	return result;
}
