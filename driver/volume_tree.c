/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "base/tree_writer.h"
#include "ext4w/ext4w.h"
#include "volume_private.h"

#define CHECK_DEADLINE_MS (60 * 60 * 1000)

int volume_tree_open(struct volume *volume, struct tree_writer **ret, struct error *err)
{
	const struct fs_kind *fs = volume->pool->fs;

	if (fs != &fs_ext4)
		return err_set(err, ERR_UNSUPPORTED, "%s is written by the kernel", fs->name);
	if (ext4w_open(volume->node, ret, err) < 0)
		return err_add(err, "volume %" PRIu32, volume->id);
	return 0;
}

void volume_tree_free(struct tree_writer *tree)
{
	ext4w_free(tree);
}

int volume_tree_flush(struct tree_writer *tree, struct error *err)
{
	return ext4w_flush(tree, err);
}

int volume_tree_check(const struct volume *volume, struct error *err)
{
	const char *const argv[] = { "e2fsck", "-fn", volume->node, NULL };
	auto_buf struct buf said = { 0 };
	int status = proc_run(argv, CHECK_DEADLINE_MS, &said, err);

	/* A signal to us may have ended it, too. */
	if (status > 0 && cancel_check(err) < 0)
		return -1;
	if (status > 0)
		err_set(err, ERR_CORRUPT, "e2fsck finds errors: %.800s", said.len ? said.data : "");
	return status ? err_add(err, "volume %" PRIu32, volume->id) : 0;
}

void volume_tree_sum(struct tree_writer *tree)
{
	ext4w_sum(tree);
}

struct blocksums *volume_tree_take_sums(const struct volume *volume, struct tree_writer *tree)
{
	uint64_t label = volume->pool->fs->label_offset(volume->pool->config->volume_bytes);
	struct blocksums *sums = ext4w_take_sums(tree);

	if (sums)
		blocksums_drop(sums, label / BLOCKSUMS_BLOCK_BYTES, 1);
	return sums;
}

struct volume_tree_room volume_tree_room(const struct tree_writer *tree)
{
	struct ext4w_room room = ext4w_room(tree);

	return (struct volume_tree_room){
		.nr_bytes = room.nr_bytes,
		.free_bytes = room.free_bytes,
		.nr_inodes = room.nr_inodes,
		.free_inodes = room.free_inodes,
	};
}
