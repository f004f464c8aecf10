/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/work_tree.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "layer/space.h"
#include "layer/tree_fs.h"
#include "layer/work.h"
#include "store.h"
#include "volume.h"

/* Returns 1, 0 when the kernel has to write this file system, -1. */
static int open_direct(struct work *work, struct tree_writer **ret, struct error *err)
{
	enum layer_writer wanted = work->store->options.writer;

	if (wanted == LAYER_WRITER_MOUNT)
		return 0;
	if (volume_tree_open(work->volume, ret, err) == 0)
		return 1;
	if (err->kind != ERR_UNSUPPORTED)
		return -1;
	if (wanted == LAYER_WRITER_DIRECT)
		log_warn("files are written through a mount: %s", err->text);
	else
		log_debug("not as blocks: %s", err->text);
	return 0;
}

int work_tree_open(struct work *work, struct work_tree *ret, struct error *err)
{
	bool mounted = work->mount_fd >= 0;
	int direct = mounted ? 0 : open_direct(work, &ret->tree, err);

	if (direct < 0)
		return -1;
	ret->work = work;
	ret->direct = direct > 0;
	log_debug("files are written %s", direct ? "as blocks" : "through a mount");
	if (direct)
		return 0;
	if (!mounted && work_mount(work, err) < 0)
		return -1;
	return tree_fs_new(work->mount_fd, &ret->tree, err);
}

void work_tree_close(struct work_tree *tree)
{
	if (tree->direct)
		volume_tree_free(tree->tree);
	else
		tree_fs_free(tree->tree);
	*tree = (struct work_tree){ 0 };
}

static int flush(const struct work_tree *tree, struct error *err)
{
	if (!tree->direct)
		return space_flush(tree->work->mount_fd, err);
	if (volume_tree_flush(tree->tree, err) < 0)
		return -1;
	return tree->work->store->options.fsck_layers ? volume_tree_check(tree->work->volume, err)
						      : 0;
}

int work_tree_flush(const struct work_tree *tree, struct error *err)
{
	if (flush(tree, err) == 0)
		return 0;
	volume_explain(tree->work->volume, err);
	return -1;
}

void work_tree_sum(const struct work_tree *tree)
{
	if (tree->direct)
		volume_tree_sum(tree->tree);
}

struct blocksums *work_tree_take_sums(const struct work_tree *tree)
{
	return tree->direct ? volume_tree_take_sums(tree->work->volume, tree->tree) : NULL;
}

void work_tree_explain(const struct work_tree *tree, struct error *err)
{
	if (err->sys_errno == EIO || err->sys_errno == EROFS) {
		volume_explain(tree->work->volume, err);
	} else if (err->sys_errno == ENOSPC && tree->direct) {
		struct volume_tree_room room = volume_tree_room(tree->tree);

		/* The device says so itself when the pool is full. */
		volume_explain(tree->work->volume, err);
		space_explain_room(room.nr_bytes, room.free_bytes, room.nr_inodes, room.free_inodes,
				   err);
	} else if (err->sys_errno == ENOSPC) {
		space_explain(tree->work->mount_fd, err);
	}
}
