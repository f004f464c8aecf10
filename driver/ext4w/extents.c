/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/extents.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "ext4w/group.h"

#define ENTRY_BYTES   12u /* of a header, an extent, an index */
#define INODE_ENTRIES 4u
#define NODE_ENTRIES  340u /* with the checksum in the last four bytes */
#define MAX_DEPTH     5u

_Static_assert((NODE_ENTRIES + 1) * ENTRY_BYTES + 4 == BLOCK_BYTES, "a node fills its block");

void extent_list_done(struct extent_list *list)
{
	free(list->items);
	*list = (struct extent_list){ 0 };
}

static void append(struct extent_list *list, struct extent extent)
{
	if (list->nr == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 4;
		list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
	}
	list->items[list->nr++] = extent;
}

void extent_list_add(struct extent_list *list, uint32_t logical, uint64_t physical, uint32_t nr)
{
	struct extent *last = list->nr ? &list->items[list->nr - 1] : NULL;

	if (last && last->logical + last->nr == logical && last->physical + last->nr == physical &&
	    last->nr < EXT_INIT_MAX_LEN) {
		uint32_t room = (uint32_t)EXT_INIT_MAX_LEN - last->nr;
		uint32_t part = nr < room ? nr : room;

		last->nr += part;
		logical += part;
		physical += part;
		nr -= part;
	}
	while (nr) {
		uint32_t part = nr < EXT_INIT_MAX_LEN ? nr : (uint32_t)EXT_INIT_MAX_LEN;

		append(list, (struct extent){ logical, part, physical });
		logical += part;
		physical += part;
		nr -= part;
	}
}

uint64_t extent_list_blocks(const struct extent_list *list)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < list->nr; i++)
		nr += list->items[i].nr;
	return nr;
}

/* ---- writing ---- */

static void fill_header(void *node, size_t nr, size_t max, uint32_t depth)
{
	struct ext3_extent_header *header = node;

	*header = (struct ext3_extent_header){
		.eh_magic = htole16(EXT3_EXT_MAGIC),
		.eh_entries = htole16((uint16_t)nr),
		.eh_max = htole16((uint16_t)max),
		.eh_depth = htole16((uint16_t)depth),
	};
}

/* Depth 0: extents; above: an index of the nodes below, of which list has one extent each. */
static void fill_node(void *node, const struct extent *items, size_t nr, size_t max, uint32_t depth)
{
	struct ext3_extent *extents = EXT_FIRST_EXTENT(node);
	struct ext3_extent_idx *index = EXT_FIRST_INDEX(node);

	fill_header(node, nr, max, depth);
	for (size_t i = 0; i < nr; i++) {
		uint64_t at = items[i].physical;

		if (depth)
			index[i] = (struct ext3_extent_idx){
				.ei_block = htole32(items[i].logical),
				.ei_leaf = htole32((uint32_t)at),
				.ei_leaf_hi = htole16((uint16_t)(at >> 32)),
			};
		else
			extents[i] = (struct ext3_extent){
				.ee_block = htole32(items[i].logical),
				.ee_len = htole16((uint16_t)items[i].nr),
				.ee_start_hi = htole16((uint16_t)(at >> 32)),
				.ee_start = htole32((uint32_t)at),
			};
	}
}

static uint32_t node_csum(const struct wfs *fs, const struct inode *inode, const uint8_t *node)
{
	return wfs_crc(wfs_inode_seed(fs, inode->number, inode->disk.i_generation), node,
		       BLOCK_BYTES - sizeof(uint32_t));
}

/* One level: a node for each NODE_ENTRIES of items; *ret has an extent for each node. */
static int write_level(struct wfs *fs, const struct inode *inode, const struct extent_list *items,
		       uint32_t depth, struct extent_list *ret, struct error *err)
{
	auto_free uint8_t *node = xmalloc(BLOCK_BYTES);

	for (size_t i = 0; i < items->nr; i += NODE_ENTRIES) {
		size_t nr = items->nr - i < NODE_ENTRIES ? items->nr - i : NODE_ENTRIES;
		uint64_t block;
		uint32_t crc;

		if (group_take_blocks(fs, 1, &block, err) < 0)
			return -1;
		memset(node, 0, BLOCK_BYTES);
		fill_node(node, &items->items[i], nr, NODE_ENTRIES, depth);
		crc = htole32(node_csum(fs, inode, node));
		memcpy(node + BLOCK_BYTES - sizeof(crc), &crc, sizeof(crc));
		if (blockio_write(fs->io, block, 1, node, err) < 0)
			return -1;
		append(ret, (struct extent){ items->items[i].logical, 1, block });
	}
	return 0;
}

int extents_write(struct wfs *fs, struct inode *inode, const struct extent_list *list,
		  uint32_t *ret_nodes, struct error *err)
{
	auto_extent_list struct extent_list below = { 0 };
	const struct extent_list *level = list;
	uint32_t depth = 0;

	*ret_nodes = 0;
	while (level->nr > INODE_ENTRIES) {
		struct extent_list nodes = { 0 };

		if (write_level(fs, inode, level, depth, &nodes, err) < 0) {
			extent_list_done(&nodes);
			return -1;
		}
		*ret_nodes += (uint32_t)nodes.nr;
		extent_list_done(&below);
		below = nodes;
		level = &below;
		depth++;
	}
	memset(inode->disk.i_block, 0, sizeof(inode->disk.i_block));
	fill_node(inode->disk.i_block, level->items, level->nr, INODE_ENTRIES, depth);
	return 0;
}

/* ---- reading ---- */

struct reading {
	struct wfs *fs;
	const struct inode *inode;
	struct extent_list *extents;
	struct extent_list *nodes;
	uint64_t next; /* the lowest block of the file that may come */
	uint32_t nr_nodes;
};

static int broken(const struct reading *reading, struct error *err)
{
	return err_set(err, ERR_CORRUPT, "inode %u has impossible extents", reading->inode->number);
}

static int check_header(const struct reading *reading, const void *node, uint32_t depth,
			uint32_t max, uint32_t *ret_nr, struct error *err)
{
	const struct ext3_extent_header *header = node;

	*ret_nr = le16toh(header->eh_entries);
	if (le16toh(header->eh_magic) != EXT3_EXT_MAGIC || le16toh(header->eh_depth) != depth ||
	    *ret_nr > max || le16toh(header->eh_max) > max)
		return broken(reading, err);
	return 0;
}

static int read_leaf(struct reading *reading, const void *node, uint32_t nr, struct error *err)
{
	const struct ext3_extent *extents = EXT_FIRST_EXTENT(node);

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t logical = le32toh(extents[i].ee_block);
		uint32_t len = le16toh(extents[i].ee_len);
		uint64_t physical = le32toh(extents[i].ee_start) |
				    (uint64_t)le16toh(extents[i].ee_start_hi) << 32;

		if (len > EXT_INIT_MAX_LEN)
			len -= (uint32_t)EXT_INIT_MAX_LEN;
		if (!len || logical < reading->next || !physical ||
		    physical >= reading->fs->nr_blocks || len > reading->fs->nr_blocks - physical)
			return broken(reading, err);
		append(reading->extents, (struct extent){ logical, len, physical });
		reading->next = (uint64_t)logical + len;
	}
	return 0;
}

static int read_node(struct reading *reading, const void *node, uint32_t depth, uint32_t max,
		     struct error *err)
{
	const struct ext3_extent_idx *index = EXT_FIRST_INDEX(node);
	auto_free uint8_t *below = NULL;
	uint32_t nr, crc;

	if (check_header(reading, node, depth, max, &nr, err) < 0)
		return -1;
	if (!depth)
		return read_leaf(reading, node, nr, err);
	below = xmalloc(BLOCK_BYTES);
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t block = le32toh(index[i].ei_leaf) | (uint64_t)le16toh(index[i].ei_leaf_hi)
								     << 32;

		/* A tree that leads back into itself would have more nodes than the file blocks. */
		if (!block || block >= reading->fs->nr_blocks ||
		    ++reading->nr_nodes > inode_blocks(reading->inode))
			return broken(reading, err);
		if (blockio_read(reading->fs->io, block, 1, below, err) < 0)
			return -1;
		memcpy(&crc, below + BLOCK_BYTES - sizeof(crc), sizeof(crc));
		if (le32toh(crc) != node_csum(reading->fs, reading->inode, below))
			return broken(reading, err);
		if (reading->nodes)
			append(reading->nodes, (struct extent){ 0, 1, block });
		if (read_node(reading, below, depth - 1, NODE_ENTRIES, err) < 0)
			return -1;
	}
	return 0;
}

int extents_read(struct wfs *fs, const struct inode *inode, struct extent_list *ret,
		 struct extent_list *nodes, struct error *err)
{
	struct reading reading = { .fs = fs, .inode = inode, .extents = ret, .nodes = nodes };
	const struct ext3_extent_header *header = (const void *)inode->disk.i_block;
	uint32_t depth = le16toh(header->eh_depth);

	if (!inode_has_flag(inode, EXT4_EXTENTS_FL))
		return err_set(err, ERR_UNSUPPORTED, "inode %u does not map its blocks by extents",
			       inode->number);
	if (depth > MAX_DEPTH)
		return broken(&reading, err);
	return read_node(&reading, header, depth, INODE_ENTRIES, err);
}
