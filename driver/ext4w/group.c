/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/group.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define CHUNK_INODES (CHUNK_BLOCKS * BLOCK_INODES)

/* Bitmaps have the lowest bit of each byte first. */
static bool get_bit(const uint8_t *bits, uint32_t at)
{
	return bits[at / 8] & 1u << at % 8;
}

static void set_bits(uint8_t *bits, uint32_t at, uint32_t nr)
{
	for (; nr && at % 8; at++, nr--)
		bits[at / 8] |= (uint8_t)(1u << at % 8);
	memset(bits + at / 8, 0xff, nr / 8);
	for (at += nr / 8 * 8, nr %= 8; nr; at++, nr--)
		bits[at / 8] |= (uint8_t)(1u << at % 8);
}

static void clear_bit(uint8_t *bits, uint32_t at)
{
	bits[at / 8] &= (uint8_t) ~(1u << at % 8);
}

/* ---- loading ---- */

static uint32_t nr_group_blocks(const struct wfs *fs, uint32_t group)
{
	uint64_t left = fs->nr_blocks - (uint64_t)group * GROUP_BLOCKS;

	return left < GROUP_BLOCKS ? (uint32_t)left : GROUP_BLOCKS;
}

static bool is_power_of(uint32_t number, uint32_t base)
{
	while (number && number % base == 0)
		number /= base;
	return number == 1;
}

/* sparse_super: copies of the superblock and the descriptors are in these groups. */
static bool has_super(uint32_t group)
{
	return group <= 1 || is_power_of(group, 3) || is_power_of(group, 5) ||
	       is_power_of(group, 7);
}

/* Only the part of a range that lies in the group. */
static void set_range(const struct wfs *fs, uint8_t *bits, uint32_t group, uint64_t first,
		      uint64_t nr)
{
	uint64_t start = (uint64_t)group * GROUP_BLOCKS;
	uint64_t end = start + nr_group_blocks(fs, group);

	if (first >= start && first < end) {
		nr = nr < end - first ? nr : end - first;
		set_bits(bits, (uint32_t)(first - start), (uint32_t)nr);
	}
}

/* A bitmap that was never written has nothing but the group's own structures. */
static void init_blocks(const struct wfs *fs, uint32_t group, uint8_t *bits)
{
	uint32_t nr = nr_group_blocks(fs, group);

	memset(bits, 0, BLOCK_BYTES);
	if (has_super(group))
		set_range(fs, bits, group, (uint64_t)group * GROUP_BLOCKS,
			  1 + fs->nr_desc_blocks + le16toh(fs->super.s_reserved_gdt_blocks));
	set_range(fs, bits, group, wfs_block_bitmap(fs, group), 1);
	set_range(fs, bits, group, wfs_inode_bitmap(fs, group), 1);
	set_range(fs, bits, group, wfs_inode_table(fs, group), fs->group_inodes / BLOCK_INODES);
	set_bits(bits, nr, GROUP_BLOCKS - nr);
}

static int verify_csum(const struct wfs *fs, uint32_t group, const char *what, const uint8_t *bits,
		       size_t len, uint16_t lo, uint16_t hi, struct error *err)
{
	uint32_t crc = wfs_crc(fs->csum_seed, bits, len);

	if (crc == (le16toh(lo) | (uint32_t)le16toh(hi) << 16))
		return 0;
	return err_set(err, ERR_CORRUPT, "the %s bitmap of group %u has a wrong checksum", what,
		       group);
}

static int load_blocks(struct wfs *fs, uint32_t number, struct error *err)
{
	const struct ext4_group_desc *desc = &fs->descs[number];
	auto_free uint8_t *bits = xmalloc(BLOCK_BYTES);
	struct group *group = &fs->groups[number];

	if (group->blocks)
		return 0;
	if (le16toh(desc->bg_flags) & EXT2_BG_BLOCK_UNINIT)
		init_blocks(fs, number, bits);
	else if (blockio_read(fs->io, wfs_block_bitmap(fs, number), 1, bits, err) < 0 ||
		 verify_csum(fs, number, "block", bits, BLOCK_BYTES, desc->bg_block_bitmap_csum_lo,
			     desc->bg_block_bitmap_csum_hi, err) < 0)
		return -1;
	group->old_blocks = xmalloc(BLOCK_BYTES);
	memcpy(group->old_blocks, bits, BLOCK_BYTES);
	group->blocks = take_ptr(bits);
	return 0;
}

static int load_inodes(struct wfs *fs, uint32_t number, struct error *err)
{
	const struct ext4_group_desc *desc = &fs->descs[number];
	auto_free uint8_t *bits = xmalloc(BLOCK_BYTES);
	struct group *group = &fs->groups[number];

	if (group->inodes)
		return 0;
	if (le16toh(desc->bg_flags) & EXT2_BG_INODE_UNINIT) {
		memset(bits, 0, BLOCK_BYTES);
		set_bits(bits, fs->group_inodes, BLOCK_BYTES * 8 - fs->group_inodes);
	} else if (blockio_read(fs->io, wfs_inode_bitmap(fs, number), 1, bits, err) < 0 ||
		   verify_csum(fs, number, "inode", bits, fs->group_inodes / 8,
			       desc->bg_inode_bitmap_csum_lo, desc->bg_inode_bitmap_csum_hi,
			       err) < 0) {
		return -1;
	}
	group->old_inodes = xmalloc(BLOCK_BYTES);
	memcpy(group->old_inodes, bits, BLOCK_BYTES);
	group->inodes = take_ptr(bits);
	return 0;
}

/* ---- finding a window ---- */

static bool is_free(const uint8_t *used, const uint8_t *old, uint32_t at, uint32_t unit)
{
	if (unit == 1)
		return !get_bit(used, at) && !get_bit(old, at);
	for (uint32_t byte = at / 8; byte < (at + unit) / 8; byte++)
		if (used[byte] | old[byte])
			return false;
	return true;
}

/* From bit `at` on: the next `unit` free bits at a multiple of it, and those that follow. */
static bool find_free(const uint8_t *used, const uint8_t *old, uint32_t at, uint32_t end,
		      uint32_t unit, uint32_t *ret_first, uint32_t *ret_end)
{
	while (at + unit <= end && !is_free(used, old, at, unit))
		at += unit;
	*ret_first = at;
	while (at + unit <= end && is_free(used, old, at, unit))
		at += unit;
	*ret_end = at;
	return *ret_end > *ret_first;
}

static int look_for_blocks(struct wfs *fs, uint32_t number, uint32_t at, struct error *err)
{
	struct window *window = &fs->blocks;
	uint32_t unit = window->any ? 1 : CHUNK_BLOCKS;
	uint64_t start = (uint64_t)number * GROUP_BLOCKS;
	uint32_t first, end;

	if (le16toh(fs->descs[number].bg_free_blocks_count) < unit)
		return 0;
	if (load_blocks(fs, number, err) < 0)
		return -1;
	if (!find_free(fs->groups[number].blocks, fs->groups[number].old_blocks, at, GROUP_BLOCKS,
		       unit, &first, &end))
		return 0;
	window->next = start + first;
	window->end = start + end;
	window->at = end;
	return 1;
}

/* Whole chunks of the device: the inode table need not begin with one. */
static int look_for_inodes(struct wfs *fs, uint32_t number, uint32_t at, struct error *err)
{
	struct window *window = &fs->inodes;
	uint32_t unit = window->any ? 1 : CHUNK_INODES;
	uint32_t skew = (uint32_t)(wfs_inode_table(fs, number) % CHUNK_BLOCKS);
	uint32_t lead = skew ? (CHUNK_BLOCKS - skew) * BLOCK_INODES : 0;
	uint32_t first, end;

	if (le16toh(fs->descs[number].bg_free_inodes_count) < unit)
		return 0;
	if (load_inodes(fs, number, err) < 0)
		return -1;
	if (window->any)
		lead = number == 0 ? fs->first_inode - 1 : 0;
	at = at < lead ? lead : at;
	if (!find_free(fs->groups[number].inodes, fs->groups[number].old_inodes, at,
		       fs->group_inodes, unit, &first, &end))
		return 0;
	window->next = (uint64_t)number * fs->group_inodes + first + 1;
	window->end = (uint64_t)number * fs->group_inodes + end + 1;
	window->at = end;
	return 1;
}

/* One round through the groups for whole chunks, then one for anything. */
static int find_window(struct wfs *fs, struct window *window,
		       int (*look)(struct wfs *fs, uint32_t group, uint32_t at, struct error *err),
		       struct error *err)
{
	for (;;) {
		/* The group that it begins in comes last once more, from its start. */
		for (uint32_t i = 0; i <= fs->nr_groups; i++) {
			int found = look(fs, window->group, window->at, err);

			if (found)
				return found;
			window->group = (window->group + 1) % fs->nr_groups;
			window->at = 0;
		}
		if (window->any)
			return 0;
		window->any = true;
	}
}

/* ---- blocks ---- */

static void count_blocks(struct wfs *fs, uint32_t group, int32_t change)
{
	struct ext4_group_desc *desc = &fs->descs[group];

	desc->bg_free_blocks_count =
		htole16((uint16_t)(le16toh(desc->bg_free_blocks_count) + change));
	fs->free_blocks += (uint64_t)(int64_t)change;
	fs->groups[group].blocks_dirty = true;
}

int group_take_blocks(struct wfs *fs, uint32_t want, uint64_t *ret_first, struct error *err)
{
	struct window *window = &fs->blocks;
	struct group *group;
	uint32_t at, nr;

	if (window->next == window->end) {
		int found = find_window(fs, window, look_for_blocks, err);

		if (found < 0)
			return -1;
		if (!found)
			return err_sys(err, ENOSPC, "no free block is left");
	}
	nr = window->end - window->next < want ? (uint32_t)(window->end - window->next) : want;
	group = &fs->groups[window->next / GROUP_BLOCKS];
	at = (uint32_t)(window->next % GROUP_BLOCKS);
	set_bits(group->blocks, at, nr);
	count_blocks(fs, (uint32_t)(window->next / GROUP_BLOCKS), -(int32_t)nr);
	*ret_first = window->next;
	window->next += nr;
	return (int)nr;
}

int group_free_blocks(struct wfs *fs, uint64_t first, uint64_t nr, struct error *err)
{
	for (; nr; first++, nr--) {
		uint32_t number = (uint32_t)(first / GROUP_BLOCKS);
		uint32_t at = (uint32_t)(first % GROUP_BLOCKS);

		if (first >= fs->nr_blocks)
			return err_set(err, ERR_CORRUPT, "block %ju is beyond the file system",
				       (uintmax_t)first);
		if (load_blocks(fs, number, err) < 0)
			return -1;
		if (!get_bit(fs->groups[number].blocks, at))
			return err_set(err, ERR_CORRUPT, "block %ju is used but marked as free",
				       (uintmax_t)first);
		clear_bit(fs->groups[number].blocks, at);
		count_blocks(fs, number, 1);
		fs->freed = true;
	}
	return 0;
}

int group_fill_chunk(struct wfs *fs, struct error *err)
{
	static const uint8_t zeros[BLOCK_BYTES];
	const struct window *window = &fs->blocks;

	for (uint64_t block = window->next; block < window->end && block % CHUNK_BLOCKS; block++)
		if (blockio_write(fs->io, block, 1, zeros, err) < 0)
			return -1;
	return 0;
}

/* ---- inodes ---- */

static void count_inodes(struct wfs *fs, uint32_t group, bool is_dir, int32_t change)
{
	struct ext4_group_desc *desc = &fs->descs[group];

	desc->bg_free_inodes_count =
		htole16((uint16_t)(le16toh(desc->bg_free_inodes_count) + change));
	if (is_dir)
		desc->bg_used_dirs_count =
			htole16((uint16_t)(le16toh(desc->bg_used_dirs_count) - change));
	fs->free_inodes += (uint32_t)change;
	fs->groups[group].inodes_dirty = true;
}

int group_take_inode(struct wfs *fs, bool is_dir, uint32_t *ret, struct error *err)
{
	struct window *window = &fs->inodes;
	uint32_t number, at;

	if (window->next == window->end) {
		int found = find_window(fs, window, look_for_inodes, err);

		if (found < 0)
			return -1;
		if (!found)
			return err_sys(err, ENOSPC, "no free inode is left");
	}
	number = (uint32_t)(window->next - 1) / fs->group_inodes;
	at = (uint32_t)(window->next - 1) % fs->group_inodes;
	set_bits(fs->groups[number].inodes, at, 1);
	count_inodes(fs, number, is_dir, -1);
	*ret = (uint32_t)window->next++;
	return 0;
}

int group_free_inode(struct wfs *fs, uint32_t number, bool is_dir, struct error *err)
{
	uint32_t group = (number - 1) / fs->group_inodes;
	uint32_t at = (number - 1) % fs->group_inodes;

	assert(number && number <= fs->nr_inodes);
	if (load_inodes(fs, group, err) < 0)
		return -1;
	if (!get_bit(fs->groups[group].inodes, at))
		return err_set(err, ERR_CORRUPT, "inode %u is used but marked as free", number);
	clear_bit(fs->groups[group].inodes, at);
	count_inodes(fs, group, is_dir, 1);
	fs->freed = true;
	return 0;
}

/* ---- writing ---- */

static int write_blocks(struct wfs *fs, uint32_t number, struct error *err)
{
	struct ext4_group_desc *desc = &fs->descs[number];
	struct group *group = &fs->groups[number];
	uint32_t crc = wfs_crc(fs->csum_seed, group->blocks, BLOCK_BYTES);

	desc->bg_flags &= (uint16_t)~htole16(EXT2_BG_BLOCK_UNINIT);
	desc->bg_block_bitmap_csum_lo = htole16((uint16_t)crc);
	desc->bg_block_bitmap_csum_hi = htole16((uint16_t)(crc >> 16));
	group->blocks_dirty = false;
	wfs_desc_changed(fs, number);
	return blockio_write(fs->io, wfs_block_bitmap(fs, number), 1, group->blocks, err);
}

static int write_inodes(struct wfs *fs, uint32_t number, struct error *err)
{
	struct ext4_group_desc *desc = &fs->descs[number];
	struct group *group = &fs->groups[number];
	uint32_t in_table = group->table_init * BLOCK_INODES;
	uint32_t crc;

	if (load_inodes(fs, number, err) < 0)
		return -1;
	crc = wfs_crc(fs->csum_seed, group->inodes, fs->group_inodes / 8);
	desc->bg_flags &= (uint16_t)~htole16(EXT2_BG_INODE_UNINIT);
	desc->bg_inode_bitmap_csum_lo = htole16((uint16_t)crc);
	desc->bg_inode_bitmap_csum_hi = htole16((uint16_t)(crc >> 16));
	/* Never fewer than before: what was behind the mark was not looked at. */
	desc->bg_itable_unused = htole16((uint16_t)(fs->group_inodes - in_table));
	group->inodes_dirty = false;
	wfs_desc_changed(fs, number);
	return blockio_write(fs->io, wfs_inode_bitmap(fs, number), 1, group->inodes, err);
}

/* Bitmaps of neighbouring groups lie side by side: one kind after the other. */
int group_write_all(struct wfs *fs, struct error *err)
{
	for (uint32_t i = 0; i < fs->nr_groups; i++)
		if (fs->groups[i].blocks_dirty && write_blocks(fs, i, err) < 0)
			return -1;
	for (uint32_t i = 0; i < fs->nr_groups; i++)
		if (fs->groups[i].inodes_dirty && write_inodes(fs, i, err) < 0)
			return -1;
	return 0;
}
