/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instruction that makes a layer: from the cache, or done in the stage's
 * working volume, which is snapshot after it (layer/capture).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/path.h"
#include "build/builder.h"
#include "build/history.h"
#include "build/remember.h"
#include "layer/capture.h"
#include "layer/diff.h"
#include "layer/tree_fs.h"
#include "layer/work_tree.h"
#include "oci/config.h"
#include "store.h"

#define KEYS_MAX 4

struct keys {
	struct digest items[KEYS_MAX];
	unsigned nr;
	struct digest last; /* of all, also of those that nobody had to ask for */
};

/* The stage's image ends with this layer from now on. */
static void push_layer(struct stage *stage, const struct layer_row *row,
		       const struct layer_step *step, const struct keys *keys)
{
	struct image_history *entry;

	stage->diff_ids = xrealloc(stage->diff_ids, (stage->nr_layers + 1) * sizeof(row->diff_id));
	stage->diff_ids[stage->nr_layers++] = row->diff_id;
	stage->chain = row->chain_id;
	stage->content_bytes += row->content_bytes;
	stage->has_created = true;
	stage->created_ns = row->created_ns;
	stage_add_history(stage, step->created_by);
	entry = &stage->history[stage->nr_history - 1];
	entry->empty_layer = false;
	if (!step->stays_here)
		entry->step_key = keys->last;
}

void stage_key(const struct stage *stage, const struct stage_key *key, struct digest *ret)
{
	const struct builder *builder = stage->builder;
	auto_free char *operation = NULL;
	struct cache_input input = {
		.parent = &stage->chain,
		.env = key->env,
		.contents = key->contents,
		.nr_contents = key->nr_contents,
		.mounts = key->mounts,
		.nr_mounts = key->nr_mounts,
	};

	if (builder->has_epoch)
		json_array_append_new(key->operation, json_integer(builder->epoch));
	operation = json_dumps(key->operation, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(key->operation);
	input.operation = operation;
	cache_key(&input, ret);
}

/* Returns 1 with the layer of one of the keys, which are in ret then up to that; else 0 and all. */
static int look_up(struct stage *stage, const struct layer_step *step, struct keys *ret,
		   struct layer_row *row, struct error *err)
{
	const struct build_options *options = stage->builder->options;
	int found = 0;

	while (ret->nr < KEYS_MAX) {
		struct digest *key = &ret->items[ret->nr];
		int got = step->key(stage, step->ctx, ret->nr, key, err);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		ret->nr++;
		ret->last = *key;
		if (options->no_cache || found)
			continue;
		found = build_cache_find(stage->builder->store, key, row, &ret->last, err);
		if (found < 0 || (found > 0 && digest_is_set(&ret->last)))
			return found;
		ret->last = *key;
	}
	return found;
}

/*
 * The same in the images of --cache-from, none of which needs a device. What they say is believed
 * for this build only: nothing of it is remembered.
 */
static int look_elsewhere(struct stage *stage, const struct keys *keys, struct layer_row *row,
			  struct error *err)
{
	const struct builder *builder = stage->builder;
	const struct cachefrom_step *step;
	int got;

	if (builder->options->no_cache)
		return 0;
	step = cachefrom_find(&builder->elsewhere, &keys->last, &stage->chain, &stage->platform);
	if (!step)
		return 0;
	got = rows_layer_get(builder->store->db, &step->chain, row, err);
	/* That of the row is when it came here. */
	if (got > 0 && step->has_created)
		row->created_ns = step->created_ns;
	return got;
}

static int remember(struct stage *stage, const struct keys *keys, const struct digest *chain_id,
		    const char *what, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	struct store *store = stage->builder->store;

	if (db_begin(&tx, store->db, err) < 0)
		return -1;
	for (unsigned i = 0; i < keys->nr; i++)
		if (build_cache_put(store, &keys->items[i], &keys->last, chain_id, what, err) < 0)
			return -1;
	return db_commit(&tx, err);
}

int stage_open_tree(struct stage *stage, struct error *err)
{
	return stage->tree ? 0 : tree_fs_new(stage->work.mount_fd, &stage->tree, err);
}

int stage_open_blocks(struct stage *stage, struct work_tree *ret, struct error *err)
{
	tree_fs_free(take_ptr(stage->tree));
	work_unmount(&stage->work);
	return work_tree_open(&stage->work, ret, err);
}

int stage_close_blocks(struct stage *stage, struct work_tree *tree, struct error *err)
{
	bool direct = tree->direct;

	if (direct && work_tree_flush(tree, err) < 0)
		return -1;
	work_tree_close(tree);
	return direct ? work_mount(&stage->work, err) : 0;
}

static int drop_work(struct stage *stage, struct error *err)
{
	tree_fs_free(take_ptr(stage->tree));
	stage->work.discard = true;
	return work_drop(&stage->work, err);
}

/* A mounted working volume with what the stage has so far, which stays while we live. */
static int open_work(struct stage *stage, struct error *err)
{
	struct store *store = stage->builder->store;
	auto_layer_row struct layer_row row = { 0 };
	struct volume_pool *pool;
	int got = 1;

	if (stage->work.id && digest_equal(&stage->work.chain, &stage->chain))
		return 0;
	if (store_pool(store, &pool, err) < 0 || store_session(store, err) < 0)
		return -1;
	if (digest_is_set(&stage->chain))
		got = rows_layer_take(store->db, store->session, &stage->chain, &row, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "layer %s was removed during the build: build again",
			       stage->chain.text);
	if (got < 0 || drop_work(stage, err) < 0)
		return -1;
	return work_open(&stage->work, &stage->chain, err);
}

/* Nothing that the step wrote is younger than SOURCE_DATE_EPOCH. */
static int clamp_times(struct stage *stage, struct error *err)
{
	const struct timespec epoch = { .tv_sec = stage->builder->epoch };
	const struct timespec times[2] = { epoch, epoch };
	struct store *store = stage->builder->store;
	auto_change_list struct change_list changes = { 0 };
	struct diff_args diff = { .pool = store->pool };
	int64_t parent = work_thin_of_chain(store, &stage->chain, err);
	uint32_t id;

	if (parent < 0 || work_snapshot(&stage->work, false, &id, err) < 0)
		return -1;
	diff.parent_id = (uint32_t)parent;
	diff.child_id = id;
	if (diff_volumes(&diff, &changes, err) < 0)
		return -1;
	for (size_t i = changes.nr; i-- > 0;) {
		const struct change *change = &changes.items[i];
		const char *name = path_base(change->path);
		auto_free char *dir = xasprintf("%.*s", (int)(name - change->path), change->path);
		auto_fd int fd = -1;
		struct stat st;

		if (change->kind == CHANGE_DELETED)
			continue;
		fd = path_open_in_root(stage->work.mount_fd, dir, O_PATH | O_DIRECTORY, 0, err);
		if (fd < 0)
			return -1;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec > epoch.tv_sec &&
		    utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "set the time of '/%s'", change->path);
	}
	return work_delete(store, id, err);
}

/* The working volume as it stands becomes the stage's next layer. */
static int seal(struct stage *stage, const struct layer_step *step, struct layer_row *ret,
		struct error *err)
{
	bool purged = false;
	struct capture_args capture = {
		.purged = &purged,
		.store = stage->builder->store,
		.parent = stage->chain,
		.root_fd = stage->work.mount_fd,
		.created_by = step->created_by,
	};

	if (stage->builder->has_epoch && clamp_times(stage, err) < 0)
		return -1;
	if (work_snapshot(&stage->work, true, &capture.id, err) < 0 ||
	    capture_layer(&capture, ret, err) < 0)
		return -1;
	stage->work.chain = ret->chain_id;
	/* Else the next step would see what the layer has not. */
	return purged ? drop_work(stage, err) : 0;
}

int stage_add_layer(struct stage *stage, const struct layer_step *step, struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	struct keys keys = { 0 };
	int got = look_up(stage, step, &keys, &row, err), elsewhere = 0, changed = 0;

	if (got == 0)
		elsewhere = look_elsewhere(stage, &keys, &row, err);
	if (got < 0 || elsewhere < 0)
		return -1;
	if (elsewhere) {
		push_layer(stage, &row, step, &keys);
		return 1;
	}
	if (got == 0) {
		if (open_work(stage, err) < 0)
			return -1;
		changed = step->perform(stage, step->ctx, err);
		if (changed < 0 || seal(stage, step, &row, err) < 0)
			return -1;
		crash_point("build-sealed");
	}
	/*
	 * Found by a later key: the earlier ones will find it at once the next time. A layer that
	 * is not what its key says is nobody's, here and elsewhere.
	 */
	if (changed)
		keys.last = (struct digest){ 0 };
	else if ((got == 0 || keys.nr > 1) &&
		 remember(stage, &keys, &row.chain_id, step->what, err) < 0)
		return -1;
	push_layer(stage, &row, step, &keys);
	return got;
}
