/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/wfs.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/isal.h"
#include "ext4w/group.h"
#include "ext4w/itable.h"

#define SUPER_OFFSET 1024u
#define DESC_BYTES   64u
#define BLOCK_DESCS  (BLOCK_BYTES / DESC_BYTES)
#define KEEP_GROUPS  256u	/* with bitmaps from layer to layer: 4 MiB */
#define MAX_GROUPS   (1u << 17) /* 16 TiB: 8 MiB of descriptors */

_Static_assert(sizeof(struct ext4_group_desc) == DESC_BYTES, "a descriptor of 64 bytes");
_Static_assert(sizeof(struct ext2_super_block) == 1024, "a superblock of 1024 bytes");

/* A bit of a feature word, as tune2fs names it. */
struct feature {
	uint32_t bit;
	const char *name;
	bool needed;
};

static const struct feature compat[] = {
	{ EXT3_FEATURE_COMPAT_HAS_JOURNAL, "has_journal", false },
	{ EXT2_FEATURE_COMPAT_EXT_ATTR, "ext_attr", true },
	{ EXT2_FEATURE_COMPAT_RESIZE_INODE, "resize_inode", false },
	{ EXT2_FEATURE_COMPAT_DIR_INDEX, "dir_index", false },
	{ 0 },
};

static const struct feature incompat[] = {
	{ EXT2_FEATURE_INCOMPAT_FILETYPE, "filetype", true },
	{ EXT3_FEATURE_INCOMPAT_EXTENTS, "extent", true },
	{ EXT4_FEATURE_INCOMPAT_64BIT, "64bit", true },
	{ EXT4_FEATURE_INCOMPAT_FLEX_BG, "flex_bg", false },
	{ EXT4_FEATURE_INCOMPAT_CSUM_SEED, "metadata_csum_seed", false },
	{ 0 },
};

static const struct feature ro_compat[] = {
	{ EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER, "sparse_super", true },
	{ EXT2_FEATURE_RO_COMPAT_LARGE_FILE, "large_file", true },
	{ EXT4_FEATURE_RO_COMPAT_HUGE_FILE, "huge_file", true },
	{ EXT4_FEATURE_RO_COMPAT_DIR_NLINK, "dir_nlink", false },
	{ EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE, "extra_isize", true },
	{ EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, "metadata_csum", true },
	{ 0 },
};

uint32_t wfs_crc(uint32_t seed, const void *data, size_t len)
{
	return isal_crc32c(seed, data, len);
}

uint32_t wfs_inode_seed(const struct wfs *fs, uint32_t number, uint32_t generation)
{
	uint32_t words[2] = { htole32(number), generation };

	return wfs_crc(fs->csum_seed, words, sizeof(words));
}

/* ---- what is accepted ---- */

static int check_features(const char *word, uint32_t found, const struct feature *known,
			  struct error *err)
{
	uint32_t unknown = found;

	for (; known->bit; known++) {
		if (known->needed && !(found & known->bit))
			return err_set(err, ERR_UNSUPPORTED, "it lacks the feature %s",
				       known->name);
		unknown &= ~known->bit;
	}
	if (unknown)
		return err_set(err, ERR_UNSUPPORTED, "%s features 0x%x", word, unknown);
	return 0;
}

static int check_state(const struct ext2_super_block *super, struct error *err)
{
	uint32_t crc = wfs_crc(UINT32_MAX, super, offsetof(struct ext2_super_block, s_checksum));

	if (le16toh(super->s_magic) != EXT2_SUPER_MAGIC)
		return err_set(err, ERR_UNSUPPORTED, "no ext4");
	if (le32toh(super->s_feature_incompat) & EXT3_FEATURE_INCOMPAT_RECOVER)
		return err_set(err, ERR_UNSUPPORTED, "its journal is not empty");
	if (check_features("compatible", le32toh(super->s_feature_compat), compat, err) < 0 ||
	    check_features("incompatible", le32toh(super->s_feature_incompat), incompat, err) < 0 ||
	    check_features("read-only", le32toh(super->s_feature_ro_compat), ro_compat, err) < 0)
		return -1;
	if (super->s_checksum_type != EXT2_CRC32C_CHKSUM || le32toh(super->s_checksum) != crc)
		return err_set(err, ERR_CORRUPT, "the superblock has a wrong checksum");
	if (!(le16toh(super->s_state) & EXT2_VALID_FS) || le16toh(super->s_state) & EXT2_ERROR_FS ||
	    super->s_last_orphan || super->s_error_count)
		return err_set(err, ERR_UNSUPPORTED, "it is not clean");
	if (super->s_def_hash_version > EXT2_HASH_TEA)
		return err_set(err, ERR_UNSUPPORTED, "hash version %u", super->s_def_hash_version);
	return 0;
}

static int check_geometry(struct wfs *fs, struct error *err)
{
	const struct ext2_super_block *super = &fs->super;
	uint64_t blocks =
		le32toh(super->s_blocks_count) | (uint64_t)le32toh(super->s_blocks_count_hi) << 32;
	uint32_t group_inodes = le32toh(super->s_inodes_per_group);
	uint64_t groups = (blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS;

	if (le32toh(super->s_log_block_size) != 2 || le32toh(super->s_log_cluster_size) != 2 ||
	    le32toh(super->s_rev_level) != 1 || le16toh(super->s_inode_size) != INODE_BYTES ||
	    le32toh(super->s_blocks_per_group) != GROUP_BLOCKS ||
	    le16toh(super->s_desc_size) != DESC_BYTES ||
	    le16toh(super->s_want_extra_isize) > EXTRA_BYTES)
		return err_set(err, ERR_UNSUPPORTED, "sizes of blocks or inodes that are not ours");
	if (groups > MAX_GROUPS)
		return err_set(err, ERR_UNSUPPORTED, "larger than 16 TiB");
	if (blocks < 16 || blocks > blockio_nr_blocks(fs->io) ||
	    le32toh(super->s_first_data_block) != 0 || !group_inodes ||
	    group_inodes % BLOCK_INODES || group_inodes > BLOCK_BYTES * 8 ||
	    groups * group_inodes != le32toh(super->s_inodes_count) ||
	    le32toh(super->s_first_ino) < EXT2_GOOD_OLD_FIRST_INO ||
	    le32toh(super->s_first_ino) > group_inodes ||
	    le32toh(super->s_overhead_clusters) > blocks)
		return err_set(err, ERR_CORRUPT, "impossible numbers in the superblock");
	fs->nr_blocks = blocks;
	fs->nr_groups = (uint32_t)groups;
	fs->group_inodes = group_inodes;
	return 0;
}

static void learn(struct wfs *fs)
{
	const struct ext2_super_block *super = &fs->super;

	fs->nr_inodes = le32toh(super->s_inodes_count);
	fs->first_inode = le32toh(super->s_first_ino);
	fs->free_inodes = le32toh(super->s_free_inodes_count);
	fs->free_blocks = le32toh(super->s_free_blocks_count) |
			  (uint64_t)le32toh(super->s_free_blocks_hi) << 32;
	if (le32toh(super->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_CSUM_SEED)
		fs->csum_seed = le32toh(super->s_checksum_seed);
	else
		fs->csum_seed = wfs_crc(UINT32_MAX, super->s_uuid, sizeof(super->s_uuid));
	fs->has_index = le32toh(super->s_feature_compat) & EXT2_FEATURE_COMPAT_DIR_INDEX;
	fs->has_dir_nlink = le32toh(super->s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_DIR_NLINK;
	/* Where characters were signed or not is part of the hash. */
	fs->hash_version = super->s_def_hash_version;
	if (le32toh(super->s_flags) & EXT2_FLAGS_UNSIGNED_HASH)
		fs->hash_version += EXT2_HASH_LEGACY_UNSIGNED - EXT2_HASH_LEGACY;
}

/* ---- group descriptors ---- */

uint64_t wfs_block_bitmap(const struct wfs *fs, uint32_t group)
{
	const struct ext4_group_desc *desc = &fs->descs[group];

	return le32toh(desc->bg_block_bitmap) | (uint64_t)le32toh(desc->bg_block_bitmap_hi) << 32;
}

uint64_t wfs_inode_bitmap(const struct wfs *fs, uint32_t group)
{
	const struct ext4_group_desc *desc = &fs->descs[group];

	return le32toh(desc->bg_inode_bitmap) | (uint64_t)le32toh(desc->bg_inode_bitmap_hi) << 32;
}

uint64_t wfs_inode_table(const struct wfs *fs, uint32_t group)
{
	const struct ext4_group_desc *desc = &fs->descs[group];

	return le32toh(desc->bg_inode_table) | (uint64_t)le32toh(desc->bg_inode_table_hi) << 32;
}

void wfs_desc_changed(struct wfs *fs, uint32_t group)
{
	fs->desc_dirty[group / BLOCK_DESCS] = true;
}

static uint16_t desc_csum(const struct wfs *fs, uint32_t group)
{
	struct ext4_group_desc desc = fs->descs[group];
	uint32_t number = htole32(group);
	uint32_t crc = wfs_crc(fs->csum_seed, &number, sizeof(number));

	desc.bg_checksum = 0;
	return htole16((uint16_t)wfs_crc(crc, &desc, sizeof(desc)));
}

static int check_desc(struct wfs *fs, uint32_t group, struct error *err)
{
	const struct ext4_group_desc *desc = &fs->descs[group];
	uint32_t table_blocks = fs->group_inodes / BLOCK_INODES;
	uint32_t unused = le16toh(desc->bg_itable_unused);

	if (desc->bg_checksum != desc_csum(fs, group))
		return err_set(err, ERR_CORRUPT, "group %u has a wrong checksum", group);
	if (!wfs_block_bitmap(fs, group) || wfs_block_bitmap(fs, group) >= fs->nr_blocks ||
	    !wfs_inode_bitmap(fs, group) || wfs_inode_bitmap(fs, group) >= fs->nr_blocks ||
	    !wfs_inode_table(fs, group) || wfs_inode_table(fs, group) >= fs->nr_blocks ||
	    table_blocks > fs->nr_blocks - wfs_inode_table(fs, group) ||
	    unused > fs->group_inodes || le16toh(desc->bg_free_blocks_count) > GROUP_BLOCKS ||
	    le16toh(desc->bg_free_inodes_count) > fs->group_inodes)
		return err_set(err, ERR_CORRUPT, "impossible numbers in group %u", group);
	if (le16toh(desc->bg_flags) & EXT2_BG_INODE_UNINIT)
		unused = fs->group_inodes;
	fs->groups[group].table_init =
		(fs->group_inodes - unused + BLOCK_INODES - 1) / BLOCK_INODES;
	return 0;
}

static int read_descs(struct wfs *fs, struct error *err)
{
	fs->nr_desc_blocks = (fs->nr_groups + BLOCK_DESCS - 1) / BLOCK_DESCS;
	fs->descs = xcalloc(fs->nr_desc_blocks, BLOCK_BYTES);
	fs->desc_dirty = xcalloc(fs->nr_desc_blocks, sizeof(*fs->desc_dirty));
	fs->groups = xcalloc(fs->nr_groups, sizeof(*fs->groups));
	if (blockio_read(fs->io, 1, fs->nr_desc_blocks, fs->descs, err) < 0)
		return -1;
	for (uint32_t group = 0; group < fs->nr_groups; group++)
		if (check_desc(fs, group, err) < 0)
			return -1;
	return 0;
}

static int open_fs(struct wfs *fs, const char *path, struct error *err)
{
	uint8_t block[BLOCK_BYTES];

	if (blockio_open(path, &fs->io, err) < 0 || blockio_read(fs->io, 0, 1, block, err) < 0)
		return -1;
	memcpy(&fs->super, block + SUPER_OFFSET, sizeof(fs->super));
	if (check_state(&fs->super, err) < 0 || check_geometry(fs, err) < 0)
		return -1;
	learn(fs);
	if (read_descs(fs, err) < 0)
		return -1;
	fs->itable = itable_new();
	wfs_begin(fs);
	return 0;
}

int wfs_open(const char *path, struct wfs **ret, struct error *err)
{
	auto_wfs struct wfs *fs = xcalloc(1, sizeof(*fs));

	if (open_fs(fs, path, err) < 0)
		return err_add(err, "file system on %s", path);
	*ret = take_ptr(fs);
	return 0;
}

static void forget_bitmaps(struct group *group)
{
	free(take_ptr(group->blocks));
	free(take_ptr(group->old_blocks));
	free(take_ptr(group->inodes));
	free(take_ptr(group->old_inodes));
}

void wfs_free(struct wfs *fs)
{
	if (!fs)
		return;
	for (uint32_t i = 0; fs->groups && i < fs->nr_groups; i++)
		forget_bitmaps(&fs->groups[i]);
	itable_free(fs->itable);
	free(fs->groups);
	free(fs->descs);
	free(fs->desc_dirty);
	blockio_free(fs->io);
	free(fs);
}

/* ---- layers ---- */

void wfs_begin(struct wfs *fs)
{
	struct timespec now;
	uint32_t loaded = 0;

	for (uint32_t i = 0; i < fs->nr_groups; i++) {
		struct group *group = &fs->groups[i];

		loaded += group->blocks || group->inodes;
		if (loaded > KEEP_GROUPS)
			forget_bitmaps(group);
		if (group->blocks)
			memcpy(group->old_blocks, group->blocks, BLOCK_BYTES);
		if (group->inodes)
			memcpy(group->old_inodes, group->inodes, BLOCK_BYTES);
	}
	/* Chunks that the last layer began stay as they are; `at` is behind them. */
	fs->blocks.next = fs->blocks.end = 0;
	fs->inodes.next = fs->inodes.end = 0;
	fs->freed = false;
	clock_gettime(CLOCK_REALTIME, &now);
	fs->now_seconds = now.tv_sec;
	fs->now_nanoseconds = (uint32_t)now.tv_nsec;
}

static int write_descs(struct wfs *fs, struct error *err)
{
	for (uint32_t i = 0; i < fs->nr_desc_blocks; i++) {
		const struct ext4_group_desc *first = &fs->descs[i * BLOCK_DESCS];

		if (!fs->desc_dirty[i])
			continue;
		for (uint32_t group = i * BLOCK_DESCS;
		     group < fs->nr_groups && group < (i + 1) * BLOCK_DESCS; group++)
			fs->descs[group].bg_checksum = desc_csum(fs, group);
		if (blockio_write(fs->io, 1 + i, 1, first, err) < 0)
			return -1;
		fs->desc_dirty[i] = false;
	}
	return 0;
}

/* Of the first block only the superblock is ours: in front of it is the label. */
static int write_super(struct wfs *fs, struct error *err)
{
	uint8_t block[BLOCK_BYTES];
	struct ext2_super_block *super = &fs->super;

	super->s_free_blocks_count = htole32((uint32_t)fs->free_blocks);
	super->s_free_blocks_hi = htole32((uint32_t)(fs->free_blocks >> 32));
	super->s_free_inodes_count = htole32(fs->free_inodes);
	super->s_checksum =
		htole32(wfs_crc(UINT32_MAX, super, offsetof(struct ext2_super_block, s_checksum)));
	if (blockio_read(fs->io, 0, 1, block, err) < 0)
		return -1;
	memcpy(block + SUPER_OFFSET, super, sizeof(*super));
	return blockio_write(fs->io, 0, 1, block, err);
}

int wfs_write(struct wfs *fs, struct error *err)
{
	if (itable_write(fs, err) < 0 || blockio_drain(fs->io, err) < 0)
		return -1;
	crash_point("blocks-of-inodes");
	if (group_write_all(fs, err) < 0 || write_descs(fs, err) < 0 || write_super(fs, err) < 0)
		return -1;
	return 0;
}

/* Whole chunks that hold nothing now, and held something when the layer began. */
static void discard_in_group(struct wfs *fs, uint32_t number)
{
	const struct group *group = &fs->groups[number];
	const uint16_t *used = (const void *)group->blocks;
	const uint16_t *old = (const void *)group->old_blocks;
	const uint32_t nr_chunks = GROUP_BLOCKS / CHUNK_BLOCKS;
	uint32_t end;

	for (uint32_t at = 0; at < nr_chunks; at = end + 1) {
		for (end = at; end < nr_chunks && !used[end] && old[end]; end++)
			;
		if (end > at)
			blockio_discard(fs->io, (uint64_t)number * GROUP_BLOCKS + at * CHUNK_BLOCKS,
					(uint64_t)(end - at) * CHUNK_BLOCKS);
	}
}

void wfs_discard_freed(struct wfs *fs)
{
	for (uint32_t i = 0; i < fs->nr_groups; i++)
		if (fs->groups[i].blocks)
			discard_in_group(fs, i);
}
