/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_file.h"

#include <endian.h>
#include <ext2fs/ext3_extents.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fs/ext4_xattr.h"

#define DEPTH_MAX     5u /* Linux fs/ext4/extents.c: EXT4_MAX_EXTENT_DEPTH */
#define LOGICAL_END   (UINT64_C(1) << 32)
#define DIRECT_BLOCKS 12u
#define BLOCK_NUMBERS (EXT4_BLOCK_BYTES / 4)
#define NUMBERS_BYTES (EXT2_N_BLOCKS * 4u) /* what the inode has room for */

/* A walk over one inode's map. */
struct walk {
	struct ext4_image *image;
	const struct ext4_inode *inode;
	struct ext4_map *map;
};

static int bad_map(const struct walk *walk, struct error *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "inode %u: %s", walk->inode->number, what);
}

static int add_run(struct walk *walk, uint64_t logical, uint64_t physical, uint64_t nr,
		   struct error *err)
{
	struct ext4_map *map = walk->map;
	uint64_t nr_blocks = ext4_image_nr_blocks(walk->image);
	struct ext4_run *last = map->nr ? &map->runs[map->nr - 1] : NULL;

	if (!physical || physical >= nr_blocks || nr > nr_blocks - physical)
		return bad_map(walk, err, "data beyond the file system");
	/* A sound map has each block once, so this also bounds the memory. */
	map->nr_blocks += nr;
	if (map->nr_blocks > nr_blocks)
		return bad_map(walk, err, "more data than the file system has");
	if (last && last->logical + last->nr == logical && last->physical + last->nr == physical) {
		last->nr += nr;
		return 0;
	}
	if (map->nr == map->cap) {
		map->cap = map->cap ? map->cap * 2 : 8;
		map->runs = xrealloc(map->runs, map->cap * sizeof(*map->runs));
	}
	map->runs[map->nr++] = (struct ext4_run){ logical, physical, nr };
	return 0;
}

/* ---- extents ---- */

static int read_extents(struct walk *walk, const uint8_t *node, uint64_t first, uint64_t end,
			struct error *err)
{
	const struct ext3_extent_header *head = (const void *)node;
	const struct ext3_extent *extents = (const void *)(node + sizeof(*head));

	for (unsigned i = 0; i < le16toh(head->eh_entries); i++) {
		uint64_t logical = le32toh(extents[i].ee_block);
		uint64_t physical = le32toh(extents[i].ee_start) |
				    (uint64_t)le16toh(extents[i].ee_start_hi) << 32;
		uint64_t nr = le16toh(extents[i].ee_len);
		bool written = nr <= EXT_INIT_MAX_LEN;

		if (!written)
			nr -= EXT_INIT_MAX_LEN;
		if (!nr || logical < first || logical + nr > end)
			return bad_map(walk, err, "extents out of order");
		if (written && add_run(walk, logical, physical, nr, err) < 0)
			return -1;
		first = logical + nr;
	}
	return 0;
}

static int check_node(struct walk *walk, const uint8_t *node, size_t bytes, int depth,
		      struct error *err)
{
	const struct ext3_extent_header *head = (const void *)node;
	unsigned max = (unsigned)((bytes - sizeof(*head)) / sizeof(struct ext3_extent));

	if (le16toh(head->eh_magic) != EXT3_EXT_MAGIC || le16toh(head->eh_max) > max ||
	    le16toh(head->eh_entries) > le16toh(head->eh_max) ||
	    le16toh(head->eh_depth) > DEPTH_MAX ||
	    (depth >= 0 && le16toh(head->eh_depth) != depth) || (depth >= 0 && !head->eh_entries))
		return bad_map(walk, err, "bad node of extents");
	return 0;
}

static int verify_node(struct walk *walk, const uint8_t *node, struct error *err)
{
	const struct ext3_extent_header *head = (const void *)node;
	size_t tail = sizeof(*head) + le16toh(head->eh_max) * sizeof(struct ext3_extent);
	uint32_t found;

	if (!ext4_has_csum(walk->image))
		return 0;
	if (tail + sizeof(found) > EXT4_BLOCK_BYTES)
		return bad_map(walk, err, "bad node of extents");
	memcpy(&found, node + tail, sizeof(found));
	if (le32toh(found) != ext4_crc(ext4_inode_seed(walk->image, walk->inode), node, tail))
		return bad_map(walk, err, "wrong checksum of extents");
	return 0;
}

/*
 * A node's keys lie in [first, end), and those of its siblings elsewhere; since
 * every node but the root has a key, no node can be met twice.
 */
static int read_node(struct walk *walk, const uint8_t *node, uint64_t first, uint64_t end,
		     struct error *err)
{
	const struct ext3_extent_header *head = (const void *)node;
	const struct ext3_extent_idx *index = (const void *)(node + sizeof(*head));
	unsigned nr = le16toh(head->eh_entries), depth = le16toh(head->eh_depth);
	auto_free uint8_t *child = NULL;

	if (depth == 0)
		return read_extents(walk, node, first, end, err);
	child = xmalloc(EXT4_BLOCK_BYTES);
	for (unsigned i = 0; i < nr; i++) {
		uint64_t from = le32toh(index[i].ei_block);
		uint64_t to = i + 1 < nr ? le32toh(index[i + 1].ei_block) : end;
		uint64_t block = le32toh(index[i].ei_leaf) | (uint64_t)le16toh(index[i].ei_leaf_hi)
								     << 32;

		if (from < first || to <= from || to > end)
			return bad_map(walk, err, "extents out of order");
		if (ext4_read_block(walk->image, block, child, err) < 0 ||
		    check_node(walk, child, EXT4_BLOCK_BYTES, (int)depth - 1, err) < 0 ||
		    verify_node(walk, child, err) < 0 || read_node(walk, child, from, to, err) < 0)
			return -1;
		first = to;
	}
	return 0;
}

/* ---- indirect blocks ---- */

/* Returns the logical number behind what the block covers, or 0 on failure. */
static int read_indirect(struct walk *walk, uint32_t block, unsigned level, uint64_t *logical,
			 struct error *err)
{
	auto_free uint32_t *numbers = NULL;
	uint64_t covered = 1;

	for (unsigned i = 0; i < level; i++)
		covered *= BLOCK_NUMBERS;
	if (!block) {
		*logical += covered;
		return 0;
	}
	if (level == 0)
		return add_run(walk, (*logical)++, block, 1, err);
	numbers = xmalloc(EXT4_BLOCK_BYTES);
	if (ext4_read_block(walk->image, block, numbers, err) < 0)
		return -1;
	for (unsigned i = 0; i < BLOCK_NUMBERS; i++)
		if (read_indirect(walk, le32toh(numbers[i]), level - 1, logical, err) < 0)
			return -1;
	return 0;
}

static int read_block_list(struct walk *walk, struct error *err)
{
	const uint32_t *block = walk->inode->disk.fields.i_block;
	uint64_t logical = 0;

	for (unsigned i = 0; i < EXT2_N_BLOCKS; i++)
		if (read_indirect(walk, le32toh(block[i]),
				  i < DIRECT_BLOCKS ? 0 : i - DIRECT_BLOCKS + 1, &logical, err) < 0)
			return -1;
	return 0;
}

int ext4_map_read(struct ext4_image *image, const struct ext4_inode *inode, struct ext4_map *ret,
		  struct error *err)
{
	struct walk walk = { image, inode, ret };
	const uint8_t *root = (const uint8_t *)inode->disk.fields.i_block;

	if (!(ext4_inode_flags(inode) & EXT4_EXTENTS_FL))
		return read_block_list(&walk, err);
	if (check_node(&walk, root, NUMBERS_BYTES, -1, err) < 0)
		return -1;
	return read_node(&walk, root, 0, LOGICAL_END, err);
}

void ext4_map_done(struct ext4_map *map)
{
	free(map->runs);
	*map = (struct ext4_map){ 0 };
}

/* ---- inside the inode ---- */

bool ext4_inode_is_inline(const struct ext4_inode *inode)
{
	uint32_t flags = ext4_inode_flags(inode);

	if (flags & EXT4_INLINE_DATA_FL)
		return true;
	return S_ISLNK(ext4_inode_mode(inode)) && !(flags & EXT4_EXTENTS_FL) &&
	       ext4_inode_size(inode) < NUMBERS_BYTES;
}

int ext4_inline_content(const struct ext4_inode *inode, struct buf *ret, struct error *err)
{
	uint64_t size = ext4_inode_size(inode);
	size_t first = size < NUMBERS_BYTES ? (size_t)size : NUMBERS_BYTES;
	const void *rest = NULL;
	size_t len = 0;

	buf_reset(ret);
	buf_append(ret, inode->disk.fields.i_block, first);
	if (size <= NUMBERS_BYTES)
		return 0;
	if (ext4_inline_rest(inode, &rest, &len, err) < 0)
		return -1;
	if (len < size - first)
		return err_set(err, ERR_CORRUPT, "inode %u: %zu bytes of data inside, not %ju",
			       inode->number, first + len, (uintmax_t)size);
	buf_append(ret, rest, (size_t)size - first);
	return 0;
}

/* ---- comparing ---- */

bool ext4_ranges_have(const struct ext4_ranges *ranges, uint64_t block)
{
	size_t low = 0, high = ranges->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ext4_range *range = &ranges->items[middle];

		if (block < range->first_block)
			high = middle;
		else if (block - range->first_block >= range->nr_blocks)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* A place in a map that only moves forward. */
struct cursor {
	struct ext4_image *image;
	const struct ext4_map *map;
	size_t at;
};

/* Where the logical block is, 0 for a hole; and how many blocks from there on are alike. */
static uint64_t locate(struct cursor *cursor, uint64_t logical, uint64_t *ret_nr)
{
	const struct ext4_map *map = cursor->map;
	const struct ext4_run *run;

	while (cursor->at < map->nr &&
	       map->runs[cursor->at].logical + map->runs[cursor->at].nr <= logical)
		cursor->at++;
	if (cursor->at == map->nr) {
		*ret_nr = UINT64_MAX;
		return 0;
	}
	run = &map->runs[cursor->at];
	if (run->logical > logical) {
		*ret_nr = run->logical - logical;
		return 0;
	}
	*ret_nr = run->nr - (logical - run->logical);
	return run->physical + (logical - run->logical);
}

static int load(struct cursor *cursor, uint64_t physical, uint8_t *ret, struct error *err)
{
	if (physical)
		return ext4_read_block(cursor->image, physical, ret, err);
	memset(ret, 0, EXT4_BLOCK_BYTES);
	return 0;
}

static int maps_differ(struct cursor *a, struct cursor *b, uint64_t size,
		       const struct ext4_ranges *changed, struct error *err)
{
	auto_free uint8_t *left = xmalloc(EXT4_BLOCK_BYTES);
	auto_free uint8_t *right = xmalloc(EXT4_BLOCK_BYTES);
	uint64_t end = (size + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;

	for (uint64_t logical = 0; logical < end;) {
		uint64_t nr_a, nr_b;
		uint64_t at_a = locate(a, logical, &nr_a);
		uint64_t at_b = locate(b, logical, &nr_b);
		uint64_t rest = size - logical * EXT4_BLOCK_BYTES;
		size_t len = rest < EXT4_BLOCK_BYTES ? (size_t)rest : EXT4_BLOCK_BYTES;

		if (!at_a && !at_b) { /* a hole in both may be long */
			nr_a = nr_a < nr_b ? nr_a : nr_b;
			logical = nr_a > end - logical ? end : logical + nr_a;
			continue;
		}
		logical++;
		if (at_a == at_b && !ext4_ranges_have(changed, at_a))
			continue;
		if (load(a, at_a, left, err) < 0 || load(b, at_b, right, err) < 0)
			return -1;
		if (memcmp(left, right, len) != 0)
			return 1;
	}
	return 0;
}

/* All of it, where one of the two is small enough to lie inside its inode. */
static int small_content(const struct ext4_side *side, struct buf *ret, struct error *err)
{
	auto_ext4_map struct ext4_map map = { 0 };
	auto_free uint8_t *data = NULL;
	uint64_t size = ext4_inode_size(side->inode), nr;
	struct cursor cursor = { side->image, &map, 0 };

	if (ext4_inode_is_inline(side->inode))
		return ext4_inline_content(side->inode, ret, err);
	if (size > EXT4_BLOCK_BYTES)
		return err_set(err, ERR_CORRUPT, "inode %u: impossible size", side->inode->number);
	data = xmalloc(EXT4_BLOCK_BYTES);
	if (ext4_map_read(side->image, side->inode, &map, err) < 0 ||
	    load(&cursor, locate(&cursor, 0, &nr), data, err) < 0)
		return -1;
	buf_reset(ret);
	buf_append(ret, data, (size_t)size);
	return 0;
}

int ext4_content_differs(const struct ext4_side *a, const struct ext4_side *b,
			 const struct ext4_ranges *changed, struct error *err)
{
	auto_ext4_map struct ext4_map map_a = { 0 };
	auto_ext4_map struct ext4_map map_b = { 0 };
	struct cursor left = { a->image, &map_a, 0 };
	struct cursor right = { b->image, &map_b, 0 };

	if (ext4_inode_is_inline(a->inode) || ext4_inode_is_inline(b->inode)) {
		auto_buf struct buf one = { 0 };
		auto_buf struct buf two = { 0 };

		if (small_content(a, &one, err) < 0 || small_content(b, &two, err) < 0)
			return -1;
		return one.len != two.len || (one.len && memcmp(one.data, two.data, one.len) != 0);
	}
	if (ext4_map_read(a->image, a->inode, &map_a, err) < 0 ||
	    ext4_map_read(b->image, b->inode, &map_b, err) < 0)
		return -1;
	return maps_differ(&left, &right, ext4_inode_size(a->inode), changed, err);
}
