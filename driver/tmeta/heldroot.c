/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/heldroot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "tmeta/block.h"
#include "tmeta/format.h"

/* The map is that of the last commit: a block that came to be after it is free there. */
static int is_counted(struct block_reader *blocks, const struct disk_super *super, uint64_t block,
		      bool *ret, struct error *err)
{
	uint64_t index_block = le64toh(super->meta_sm_root.bitmap_root);
	uint64_t bitmap_block, place = block % BITMAP_BLOCKS;
	const struct disk_bitmap *bitmap;
	const struct disk_index *index;
	const void *data;

	if (block >= le64toh(super->meta_sm_root.nr_blocks) || block >= META_MAX_BLOCKS)
		return err_set(err, ERR_CORRUPT, "metadata snapshot beyond the metadata's end");
	if (block_read_index(blocks, index_block, &data, err) < 0)
		return -1;
	index = data;
	bitmap_block = le64toh(index->entries[block / BITMAP_BLOCKS].bitmap_block);
	if (block_read_bitmap(blocks, bitmap_block, &data, err) < 0)
		return -1;
	bitmap = data;
	*ret = bitmap->counts[place / 4] >> (place % 4 * 2) & 3;
	return 0;
}

/* Returns 1 with the superblock as it should be, 0 when it is right. */
static int look(const char *path, uint8_t ret_super[META_BLOCK_BYTES], struct error *err)
{
	auto_block_reader struct block_reader *blocks = NULL;
	struct disk_super super;
	const void *data;
	bool counted = false;

	if (block_reader_open(path, &blocks, err) < 0 ||
	    block_read_super(blocks, SUPER_BLOCK, &data, err) < 0)
		return -1;
	memcpy(&super, data, sizeof(super));
	memcpy(ret_super, data, META_BLOCK_BYTES);
	if (le64toh(super.magic) != SUPER_MAGIC || !super.held_root)
		return 0;
	if (is_counted(blocks, &super, le64toh(super.held_root), &counted, err) < 0)
		return -1;
	if (counted)
		return 0;
	super.held_root = 0;
	memcpy(ret_super, &super, sizeof(super));
	block_seal_super(ret_super);
	return 1;
}

int heldroot_undo(const char *path, bool *ret_undone, struct error *err)
{
	uint8_t super[META_BLOCK_BYTES];
	auto_fd int fd = -1;
	struct error why;
	int torn = look(path, super, &why);

	*ret_undone = false;
	if (torn < 0)
		log_debug("%s", why.text);
	if (torn <= 0)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open metadata '%s'", path);
	if (io_pwrite(fd, super, sizeof(super), SUPER_BLOCK * META_BLOCK_BYTES, err) < 0)
		return err_add(err, "metadata '%s'", path);
	/* The kernel reads metadata past the page cache. */
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync metadata '%s'", path);
	*ret_undone = true;
	return 0;
}
