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
#include "base/cpus.h"
#include "base/crash.h"
#include "base/log.h"
#include "db/journal.h"
#include "layer/intake.h"
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

/*
 * A layer that is read and inflated before its turn holds some 10 MiB, and a load as a whole stays
 * below 64 (limits.h).
 */
#define AHEAD_LAYERS 2

struct layer_builder {
	struct store *store;
	struct volume_pool *pool;
	struct work work;
	struct work_tree tree;
	struct seal *seal; /* of the last layer, or NULL: read while the next is unpacked */
	/* What layer_plan() said; from `next` on nothing was begun. */
	const struct layer_source *plan;
	size_t nr_planned, next;
	struct intake *ahead[AHEAD_LAYERS]; /* in the order of the plan */
	size_t nr_ahead;
};

/* ---- ahead of their turn ---- */

void layer_plan(struct layer_builder *builder, const struct layer_source *sources, size_t nr)
{
	builder->plan = sources;
	builder->nr_planned = nr;
}

static struct intake *take_first(struct layer_builder *builder)
{
	struct intake *first = builder->ahead[0];

	builder->nr_ahead--;
	memmove(builder->ahead, builder->ahead + 1, builder->nr_ahead * sizeof(first));
	return first;
}

/* The intake of a layer that was begun before, or NULL. Others have made those before it. */
static struct intake *take_intake(struct layer_builder *builder, size_t index)
{
	while (builder->nr_ahead && intake_index(builder->ahead[0]) < index)
		intake_free(take_first(builder));
	return builder->nr_ahead && intake_index(builder->ahead[0]) == index ? take_first(builder)
									     : NULL;
}

static int begin_one(struct layer_builder *builder, const struct layer_source *source,
		     struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	struct digest chain_id;
	struct error why;
	int got;

	chain_id_next(&source->parent, &source->diff_id, &chain_id);
	got = rows_layer_get(builder->store->db, &chain_id, &row, err);
	if (got)
		return got < 0 ? -1 : 0;
	if (intake_open(builder->store, source, true, &builder->ahead[builder->nr_ahead], &why) < 0)
		log_debug("layer %zu is not read ahead: %s", source->index, why.text);
	else
		builder->nr_ahead++;
	return 0;
}

/* Layers of the plan from this one on, as far as CPUs and memory allow. */
static int begin_ahead(struct layer_builder *builder, size_t from, struct error *err)
{
	size_t max = cpus_usable() - 1;

	if (max > AHEAD_LAYERS)
		max = AHEAD_LAYERS;
	if (builder->next < from)
		builder->next = from;
	while (builder->next < builder->nr_planned && builder->nr_ahead < max)
		if (begin_one(builder, &builder->plan[builder->next++], err) < 0)
			return -1;
	return 0;
}

static void drop_ahead(struct layer_builder *builder)
{
	while (builder->nr_ahead)
		intake_free(take_first(builder));
}

/* ---- the builder ---- */

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
	drop_ahead(builder);
	/* What is whole may be kept, although something else failed. */
	if (layer_builder_end(builder, &err) < 0)
		log_debug("%s", err.text);
	if (drop_work(builder, &err) < 0) /* the end of the session tries again */
		log_debug("working volume: %s", err.text);
	free(builder);
}

/* ---- the working volume ---- */

/* A working volume with the content of chain, and its tree writer. */
static int ensure_work(struct layer_builder *builder, const struct digest *chain, struct error *err)
{
	if (builder->work.id && digest_equal(&builder->work.chain, chain))
		return 0;
	if (drop_work(builder, err) < 0 || work_open_unmounted(&builder->work, chain, err) < 0)
		return -1;
	if (work_tree_open(&builder->work, &builder->tree, err) < 0)
		return -1;
	work_tree_sum(&builder->tree);
	return 0;
}

static int unpack(struct layer_builder *builder, const struct layer_source *source,
		  struct intake *intake, struct tar_apply_result *ret, struct error *err)
{
	char item[13];
	struct space space = { .pool = builder->pool, .mount_fd = builder->work.mount_fd };
	struct tar_apply_args args = {
		.stream = intake_stream(intake),
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
	if (tar_apply(&args, ret, err) < 0) {
		work_tree_explain(&builder->tree, err);
		err_add(err, "failed to register layer %zu", source->index);
		intake_explain(intake, err);
		return -1;
	}
	if (intake_check(intake, &ret->stream, err) < 0)
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
	    journal_set_origin(db, birth->row->thin_id, birth->parent_thin, err) < 0 ||
	    journal_set_origin(db, builder->work.id, birth->row->thin_id, err) < 0)
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
			struct intake *intake, struct error *err)
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
	if (intake_finish_blob(intake, &row->blob, err) < 0)
		return -1;
	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	parent_thin = work_thin_of_chain(store, &row->parent, err);
	/* The row before the blob: undoing the row finds the blob. */
	if (parent_thin < 0 || intend_layer(store, builder->work.id, row, &txid, err) < 0 ||
	    intake_publish_blob(intake, err) < 0)
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
	auto_intake struct intake *intake = take_intake(builder, source->index);
	auto_layer_row struct layer_row row = { 0 };
	struct tar_apply_result applied;

	if (ensure_work(builder, &source->parent, err) < 0 ||
	    (!intake && intake_open(builder->store, source, false, &intake, err) < 0) ||
	    begin_ahead(builder, source->index + 1, err) < 0 ||
	    unpack(builder, source, intake, &applied, err) < 0)
		return -1;
	row.parent = source->parent;
	row.diff_id = applied.stream.diff_id;
	chain_id_next(&source->parent, &row.diff_id, &row.chain_id);
	row.tar_bytes = (int64_t)applied.stream.tar_bytes;
	row.content_bytes = (int64_t)applied.content_bytes;
	row.own_bytes = ROW_SIZE_UNKNOWN;
	if (intake_end(intake, &applied.stream, &row.blob, err) < 0)
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
	    commit_layer(builder, &row, applied.removed, intake, err) < 0 ||
	    seal_start(builder->store, &row, work_tree_take_sums(&builder->tree), &builder->seal,
		       err) < 0)
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
