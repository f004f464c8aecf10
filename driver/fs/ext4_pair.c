/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "fs/ext4_xattr.h"

#define FETCH_BLOCKS 16u
#define FIRST_INODE  11u /* those below, but for the root, are the file system's own */

/* Neighbouring pool blocks come as one range, so that a search among ranges is short. */
static void take_ranges(const struct ext4_changes_args *args, struct ext4_ranges *ret)
{
	ret->items = xcalloc(args->nr_ranges + 1, sizeof(*ret->items));
	for (size_t i = 0; i < args->nr_ranges; i++) {
		const struct ext4_changes_range *range = &args->ranges[i];
		uint64_t first = range->start_bytes / EXT4_BLOCK_BYTES;
		uint64_t end = (range->start_bytes + range->len_bytes + EXT4_BLOCK_BYTES - 1) /
			       EXT4_BLOCK_BYTES;
		struct ext4_range *last = ret->nr ? &ret->items[ret->nr - 1] : NULL;

		if (last && last->first_block + last->nr_blocks >= first)
			last->nr_blocks = end - last->first_block;
		else
			ret->items[ret->nr++] = (struct ext4_range){ first, end - first };
	}
}

int ext4_pair_open(const struct ext4_changes_args *args, struct ext4_pair *ret, struct error *err)
{
	if (ext4_image_open(args->parent, &ret->parent, err) < 0 ||
	    ext4_image_open(args->child, &ret->child, err) < 0)
		return -1;
	if (ext4_image_group_inodes(ret->parent) != ext4_image_group_inodes(ret->child) ||
	    ext4_csum_seed(ret->parent) != ext4_csum_seed(ret->child))
		return err_set(err, ERR_UNSUPPORTED, "the two file systems are not of one family");
	take_ranges(args, &ret->ranges);
	return 0;
}

void ext4_pair_done(struct ext4_pair *pair)
{
	ext4_image_close(pair->parent);
	ext4_image_close(pair->child);
	free(pair->ranges.items);
	ext4_inodes_done(&pair->inodes);
	*pair = (struct ext4_pair){ 0 };
}

/* ---- are two inodes the same? ---- */

static bool same_time(const struct ext4_inode *a, const struct ext4_inode *b)
{
	uint32_t a_nanoseconds, b_nanoseconds;
	int64_t a_seconds = ext4_inode_mtime(a, &a_nanoseconds);
	int64_t b_seconds = ext4_inode_mtime(b, &b_nanoseconds);

	return a_seconds == b_seconds &&
	       (a_nanoseconds == b_nanoseconds || !a_nanoseconds || !b_nanoseconds);
}

int ext4_pair_differ(struct ext4_pair *pair, const struct ext4_inode *parent,
		     const struct ext4_inode *child, struct error *err)
{
	struct ext4_side a = { pair->parent, parent };
	struct ext4_side b = { pair->child, child };
	uint16_t mode = ext4_inode_mode(child);

	if (ext4_inode_mode(parent) != mode || ext4_inode_uid(parent) != ext4_inode_uid(child) ||
	    ext4_inode_gid(parent) != ext4_inode_gid(child))
		return 1;
	if (!S_ISDIR(mode) &&
	    (ext4_inode_size(parent) != ext4_inode_size(child) || !same_time(parent, child)))
		return 1;
	/* The device number, in one of two forms. */
	if ((S_ISCHR(mode) || S_ISBLK(mode)) &&
	    memcmp(parent->disk.fields.i_block, child->disk.fields.i_block, 8) != 0)
		return 1;
	if (S_ISREG(mode) || S_ISLNK(mode)) {
		int differs = ext4_content_differs(&a, &b, &pair->ranges, err);

		if (differs)
			return differs;
	}
	return ext4_xattrs_differ(pair->parent, parent, pair->child, child, err);
}

/* ---- which inodes changed? ---- */

static bool is_in_place(const struct ext4_inode *parent, const struct ext4_inode *child)
{
	return parent->disk.fields.i_generation == child->disk.fields.i_generation &&
	       (ext4_inode_mode(parent) & S_IFMT) == (ext4_inode_mode(child) & S_IFMT);
}

/* Its bytes are others than in the parent. */
static int take_inode(struct ext4_pair *pair, uint32_t number, struct error *err)
{
	struct ext4_inode parent = { 0 }, child;
	struct ext4_known *known;
	int in_use = ext4_read_inode(pair->child, number, &child, err);
	int was_in_use = 0, differs;
	bool is_dir;

	if (in_use <= 0)
		return in_use;
	pair->nr_changed++;
	is_dir = S_ISDIR(ext4_inode_mode(&child));
	if (!is_dir && number <= ext4_image_nr_inodes(pair->parent)) {
		was_in_use = ext4_read_inode(pair->parent, number, &parent, err);
		if (was_in_use < 0)
			return -1;
	}
	if (was_in_use && is_in_place(&parent, &child)) {
		differs = ext4_pair_differ(pair, &parent, &child, err);
		if (differs <= 0)
			return differs;
	} else {
		was_in_use = 0;
	}
	known = ext4_inodes_add(&pair->inodes, number);
	known->flags = INODE_CHANGED | (is_dir ? INODE_IS_DIR : 0);
	/* A new file's names are all in directories that changed for them; an old one's need not. */
	if (was_in_use) {
		known->flags |= INODE_SOUGHT;
		known->names = (uint16_t)ext4_inode_links(&child);
		pair->nr_sought++;
	}
	return 0;
}

/* Of one group's table in one image. */
struct table {
	uint64_t block;
	uint32_t used; /* 0 where there is no such group */
};

static int compare_block(struct ext4_pair *pair, uint32_t group, uint32_t index,
			 const struct table *parent, const struct table *child, struct error *err)
{
	static const uint8_t unused[EXT4_INODE_BYTES];
	uint8_t old[EXT4_BLOCK_BYTES], new[EXT4_BLOCK_BYTES];
	uint32_t first = index * EXT4_BLOCK_INODES;
	uint32_t number = group * ext4_image_group_inodes(pair->child) + first + 1;

	if (ext4_read_block(pair->child, child->block + index, new, err) < 0 ||
	    (first < parent->used &&
	     ext4_read_block(pair->parent, parent->block + index, old, err) < 0))
		return -1;
	for (uint32_t i = 0; i < EXT4_BLOCK_INODES && first + i < child->used; i++, number++) {
		const uint8_t *was = first + i < parent->used ? old + i * EXT4_INODE_BYTES : unused;

		if (memcmp(was, new + i *EXT4_INODE_BYTES, EXT4_INODE_BYTES) == 0 ||
		    (number < FIRST_INODE && number != EXT4_ROOT_INODE))
			continue;
		if (take_inode(pair, number, err) < 0)
			return -1;
	}
	return 0;
}

static size_t first_range(const struct ext4_ranges *ranges, uint64_t block)
{
	size_t low = 0, high = ranges->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ext4_range *range = &ranges->items[middle];

		if (range->first_block + range->nr_blocks <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int scan_blocks(struct ext4_pair *pair, uint32_t group, uint64_t from, uint64_t to,
		       const struct table *parent, const struct table *child, struct error *err)
{
	for (uint64_t block = from; block < to; block++) {
		uint32_t index = (uint32_t)(block - child->block);
		uint32_t ahead = to - block < FETCH_BLOCKS ? (uint32_t)(to - block) : FETCH_BLOCKS;

		if ((block - from) % FETCH_BLOCKS == 0) {
			ext4_fetch_blocks(pair->child, block, ahead);
			if (index + ahead <= parent->used / EXT4_BLOCK_INODES)
				ext4_fetch_blocks(pair->parent, block, ahead);
		}
		if (cancel_check(err) < 0 ||
		    compare_block(pair, group, index, parent, child, err) < 0)
			return -1;
	}
	return 0;
}

static int scan_group(struct ext4_pair *pair, uint32_t group, struct error *err)
{
	struct table parent = { 0 }, child;
	uint64_t end;

	if (ext4_table(pair->child, group, &child.block, &child.used, err) < 0)
		return -1;
	if (group < ext4_image_nr_groups(pair->parent) &&
	    ext4_table(pair->parent, group, &parent.block, &parent.used, err) < 0)
		return -1;
	if (parent.used && parent.block != child.block)
		return err_set(err, ERR_UNSUPPORTED, "group %u has moved", group);
	end = child.block + (child.used + EXT4_BLOCK_INODES - 1) / EXT4_BLOCK_INODES;
	for (size_t i = first_range(&pair->ranges, child.block);
	     i < pair->ranges.nr && pair->ranges.items[i].first_block < end; i++) {
		const struct ext4_range *range = &pair->ranges.items[i];
		uint64_t from = range->first_block > child.block ? range->first_block : child.block;
		uint64_t to = range->first_block + range->nr_blocks;

		if (scan_blocks(pair, group, from, to < end ? to : end, &parent, &child, err) < 0)
			return -1;
	}
	return 0;
}

int ext4_pair_scan(struct ext4_pair *pair, struct error *err)
{
	for (uint32_t group = 0; group < ext4_image_nr_groups(pair->child); group++)
		if (scan_group(pair, group, err) < 0)
			return -1;
	return 0;
}
