/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/path.h"
#include "db/journal.h"
#include "layer/diff.h"
#include "layer/label.h"
#include "layer/seal.h"
#include "layer/separate.h"
#include "layer/space.h"
#include "layer/tar_emit.h"
#include "layer/tree_remove.h"
#include "layer/work.h"
#include "oci/config.h"
#include "store.h"
#include "volume.h"

/* After what is left out, and then what is shared, the last finds neither. */
#define PASSES_MAX 3

struct capture {
	const struct capture_args *args;
	int root_fd; /* of args, until that has more than the snapshot */
	uint32_t parent_thin;
	struct hasher *hasher;
	struct strlist left_out;
	struct strlist shared; /* names in the layer of inodes that have others below it */
	bool taken;	       /* the snapshot is a layer now */
};

static int hash(void *ctx, const void *data, size_t len, struct error *err)
{
	struct capture *capture = ctx;

	(void)err;
	hasher_add(capture->hasher, data, len);
	return 0;
}

static void note_left_out(void *ctx, const char *path)
{
	struct capture *capture = ctx;

	strlist_add(&capture->left_out, path);
}

static void note_shared(void *ctx, const char *path)
{
	struct capture *capture = ctx;

	strlist_add(&capture->shared, path);
}

/* The digest of its tar and what that holds. */
static int emit(struct capture *capture, const struct change_list *changes, struct layer_row *row,
		struct error *err)
{
	const struct capture_args *args = capture->args;
	auto_hasher struct hasher *hasher = hasher_new();
	auto_volume struct volume *volume = NULL;
	auto_fd int fd = -1;
	struct tar_emit_args emit_args = {
		.root_fd = capture->root_fd,
		.changes = changes,
		.write = hash,
		.ctx = capture,
		.left_out = note_left_out,
		.shared = note_shared,
	};
	struct tar_emit_result result;

	capture->hasher = hasher;
	if (capture->root_fd < 0) {
		if (volume_activate_to_read(args->store->pool, args->id, args->size_bytes, &volume,
					    err) < 0 ||
		    volume_mount(volume, VOLUME_MOUNT_VIEW, &fd, err) < 0)
			return -1;
		emit_args.root_fd = fd;
	}
	if (tar_emit(&emit_args, &result, err) < 0)
		return -1;
	hasher_end(hasher, &row->diff_id);
	row->tar_bytes = (int64_t)result.tar_bytes;
	row->content_bytes = (int64_t)result.content_bytes;
	return 0;
}

/* The folder keeps its times. */
static int remove_path(int root_fd, const char *path, struct error *err)
{
	const char *name = path_base(path);
	auto_free char *dir = xasprintf("%.*s", (int)(name - path), path);
	auto_fd int fd = path_open_in_root(root_fd, dir, O_RDONLY | O_DIRECTORY, 0, err);
	struct timespec times[2];
	struct stat st;

	/* What was in a folder of such a name is gone with it. */
	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at '/%s'", dir);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (unlinkat(fd, name, 0) < 0 && errno != ENOENT &&
	    (errno != EISDIR || tree_remove(fd, name, err) < 0))
		return err_sys(err, errno, "remove '/%s'", path);
	return futimens(fd, times) < 0 ? err_sys(err, errno, "set the times of '/%s'", dir) : 0;
}

/* The snapshot gets to be what its tar says. */
static int purge(struct capture *capture, const struct change_list *changes, struct error *err)
{
	const struct capture_args *args = capture->args;
	auto_volume struct volume *volume = NULL;
	auto_fd int fd = -1;
	struct space space = { .pool = args->store->pool };
	struct separate_args shared = {
		.root = &args->store->root,
		.changes = changes,
		.names = &capture->shared,
		.space = &space,
	};

	if (volume_activate_sized(args->store->pool, args->id, args->size_bytes, VOLUME_READ_WRITE,
				  &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_WRITE, &fd, err) < 0)
		return -1;
	for (size_t i = 0; i < capture->left_out.nr; i++)
		if (remove_path(fd, capture->left_out.items[i], err) < 0)
			return -1;
	space.mount_fd = shared.tree_fd = fd;
	if (!capture->left_out.nr && separate_links(&shared, err) < 0)
		return -1;
	if (args->purged)
		*args->purged = true;
	capture->root_fd = -1;
	strlist_done(&capture->left_out);
	strlist_done(&capture->shared);
	return space_flush(fd, err);
}

static int write_label(const struct capture *capture, const struct layer_row *row,
		       struct error *err)
{
	const struct capture_args *args = capture->args;
	auto_volume struct volume *volume = NULL;
	char label[VOLUME_LABEL_BYTES];

	label_encode(row, label);
	if (volume_activate_sized(args->store->pool, args->id, args->size_bytes, VOLUME_READ_WRITE,
				  &volume, err) < 0)
		return -1;
	return volume_write_label(volume, label, err);
}

static int find_size(const struct capture *capture, struct layer_row *row, struct error *err)
{
	struct volume_delta delta;

	if (volume_delta(capture->args->store->pool, capture->parent_thin, row->thin_id, &delta,
			 err) < 0)
		return -1;
	row->own_bytes = (int64_t)delta.own_bytes;
	return 0;
}

/* Under the lock: 'work' becomes 'layer'. */
static int adopt(struct capture *capture, const struct layer_row *row, struct error *err)
{
	struct store *store = capture->args->store;
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, store->db, err) < 0 ||
	    journal_adopt(store->db, row->thin_id, "layer", capture->parent_thin, err) < 0 ||
	    rows_layer_put(store->db, row, err) < 0 ||
	    rows_pin(store->db, store->session, &row->chain_id, err) < 0 || db_commit(&tx, err) < 0)
		return -1;
	capture->taken = true;
	return 0;
}

/* Two processes may have made the same layer: the second finds the first one's under the lock. */
static int publish(struct capture *capture, struct layer_row *row, struct layer_row *ret,
		   struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct store *store = capture->args->store;
	auto_seal struct seal *seal = NULL;
	int got;

	if (write_label(capture, row, err) < 0 || find_size(capture, row, err) < 0 ||
	    seal_start(store, row, NULL, &seal, err) < 0 || seal_wait(seal, err) < 0)
		return -1;
	crash_point("capture-labelled");
	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	got = rows_layer_take(store->db, store->session, &row->chain_id, ret, err);
	if (got)
		return got;
	if (adopt(capture, row, err) < 0 || seal_publish(seal, err) < 0)
		return -1;
	crash_point("capture-adopted");
	*ret = *row;
	row->created_by = NULL;
	return 1;
}

static int run(struct capture *capture, struct layer_row *ret, struct error *err)
{
	const struct capture_args *args = capture->args;
	auto_change_list struct change_list changes = { 0 };
	auto_layer_row struct layer_row row = {
		.parent = args->parent,
		.thin_id = args->id,
		.created_ns = rows_now_ns(),
		.created_by = xstrdup(args->created_by ? args->created_by : ""),
	};
	struct diff_args diff = {
		.pool = args->store->pool,
		.child_id = args->id,
		.child_bytes = args->size_bytes,
	};
	int64_t parent = work_thin_of_chain(args->store, &args->parent, err);
	int got;

	if (parent < 0)
		return -1;
	diff.parent_id = capture->parent_thin = (uint32_t)parent;
	for (int i = 0; i < PASSES_MAX; i++) {
		change_list_done(&changes);
		if (diff_volumes(&diff, &changes, err) < 0)
			return -1;
		if (args->skip_empty && !changes.nr)
			return 0;
		if (emit(capture, &changes, &row, err) < 0)
			return -1;
		if (!capture->left_out.nr && !capture->shared.nr)
			break;
		if (purge(capture, &changes, err) < 0)
			return -1;
	}
	chain_id_next(&args->parent, &row.diff_id, &row.chain_id);
	got = rows_layer_take(args->store->db, args->store->session, &row.chain_id, ret, err);
	return got ? got : publish(capture, &row, ret, err);
}

int capture_layer(const struct capture_args *args, struct layer_row *ret, struct error *err)
{
	struct capture capture = { .args = args, .root_fd = args->root_fd };
	int result = run(&capture, ret, err);
	struct error why;

	strlist_done(&capture.left_out);
	strlist_done(&capture.shared);

	/* The end of the session tries again. */
	if (!capture.taken && work_delete(args->store, args->id, &why) < 0)
		log_debug("volume %u: %s", args->id, why.text);
	return result < 0 ? err_add(err, "make a layer") : result;
}
