/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/itable.h"

#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/pages.h"

#define MIN_SECONDS INT64_C(-0x80000000)
#define MAX_SECONDS INT64_C(0x37fffffff)

#define NR_SLOTS 256u /* 16 MiB: the inodes of 65,536 files */

/* A chunk of the device, or as much of it as lies in inode tables that were touched. */
struct slot {
	uint64_t chunk; /* number plus one; 0: free */
	uint16_t valid; /* a bit for each block */
	uint16_t dirty;
	uint8_t *data;
};

struct itable {
	struct slot slots[NR_SLOTS];
};

struct itable *itable_new(void)
{
	return xcalloc(1, sizeof(struct itable));
}

void itable_free(struct itable *table)
{
	if (!table)
		return;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		free(table->slots[i].data);
	free(table);
}

/* ---- blocks of tables ---- */

static int write_slot(struct wfs *fs, struct slot *slot, struct error *err)
{
	uint64_t first = (slot->chunk - 1) * CHUNK_BLOCKS;

	for (unsigned int i = 0; i < CHUNK_BLOCKS; i++)
		if (slot->dirty & 1u << i &&
		    blockio_write(fs->io, first + i, 1, slot->data + i * BLOCK_BYTES, err) < 0)
			return -1;
	slot->dirty = 0;
	return 0;
}

static int take_slot(struct wfs *fs, uint64_t chunk, struct slot **ret, struct error *err)
{
	struct slot *slot = &fs->itable->slots[chunk % NR_SLOTS];

	*ret = slot;
	if (slot->chunk == chunk + 1)
		return 0;
	if (slot->dirty && write_slot(fs, slot, err) < 0)
		return -1;
	if (!slot->data) {
		slot->data = xmalloc(CHUNK_BLOCKS * BLOCK_BYTES);
		pages_touch(slot->data, CHUNK_BLOCKS * BLOCK_BYTES);
	}
	slot->chunk = chunk + 1;
	slot->valid = 0;
	return 0;
}

/* The part of one chunk that lies in one group's table: blocks [first, end) of the table. */
struct part {
	uint32_t group;
	uint32_t first;
	uint32_t end;
	struct slot *slot;
	unsigned int shift; /* of `first` in the slot */
};

static int find_part(struct wfs *fs, uint32_t group, uint32_t at, struct part *ret,
		     struct error *err)
{
	uint64_t table = wfs_inode_table(fs, group);
	uint32_t nr = fs->group_inodes / BLOCK_INODES;
	uint64_t chunk = (table + at) / CHUNK_BLOCKS;
	uint64_t first = chunk * CHUNK_BLOCKS, end = first + CHUNK_BLOCKS;

	first = first < table ? table : first;
	end = end > table + nr ? table + nr : end;
	ret->group = group;
	ret->first = (uint32_t)(first - table);
	ret->end = (uint32_t)(end - table);
	ret->shift = (unsigned int)(first % CHUNK_BLOCKS);
	return take_slot(fs, chunk, &ret->slot, err);
}

static uint16_t part_mask(const struct part *part)
{
	return (uint16_t)(((1u << (part->end - part->first)) - 1) << part->shift);
}

/* A block that is in use at all was written as a whole: by mkfs, the kernel and here. */
static int load_part(struct wfs *fs, const struct part *part, struct error *err)
{
	const struct group *group = &fs->groups[part->group];
	uint8_t *data = part->slot->data + (size_t)part->shift * BLOCK_BYTES;
	uint32_t nr = part->end - part->first, on_disk = 0;

	if (group->table_init > part->first)
		on_disk = group->table_init < part->end ? group->table_init - part->first : nr;
	if (on_disk && blockio_read(fs->io, wfs_inode_table(fs, part->group) + part->first, on_disk,
				    data, err) < 0)
		return -1;
	memset(data + (size_t)on_disk * BLOCK_BYTES, 0, (size_t)(nr - on_disk) * BLOCK_BYTES);
	part->slot->valid |= part_mask(part);
	return 0;
}

static int get_part(struct wfs *fs, uint32_t group, uint32_t at, bool change, struct part *ret,
		    struct error *err)
{
	if (find_part(fs, group, at, ret, err) < 0)
		return -1;
	if (!(ret->slot->valid & part_mask(ret)) && load_part(fs, ret, err) < 0)
		return -1;
	if (!change)
		return 0;
	ret->slot->dirty |= part_mask(ret);
	if (fs->groups[group].table_init < ret->end) {
		fs->groups[group].table_init = ret->end;
		fs->groups[group].inodes_dirty = true;
	}
	return 0;
}

/* Zeros in front of block `at` of a table, where nothing was written yet. */
static int init_table(struct wfs *fs, uint32_t group, uint32_t at, struct error *err)
{
	struct part part;

	while (fs->groups[group].table_init < at)
		if (get_part(fs, group, fs->groups[group].table_init, true, &part, err) < 0)
			return -1;
	return 0;
}

static int find_inode(struct wfs *fs, uint32_t number, bool change, uint8_t **ret,
		      struct error *err)
{
	uint32_t group = (number - 1) / fs->group_inodes;
	uint32_t at = (number - 1) % fs->group_inodes;
	struct part part;

	if (!number || number > fs->nr_inodes)
		return err_set(err, ERR_CORRUPT, "inode %u is beyond the file system", number);
	if (!change && at / BLOCK_INODES >= fs->groups[group].table_init)
		return err_set(err, ERR_CORRUPT, "inode %u was never used", number);
	if (init_table(fs, group, at / BLOCK_INODES, err) < 0 ||
	    get_part(fs, group, at / BLOCK_INODES, change, &part, err) < 0)
		return -1;
	*ret = part.slot->data + (size_t)part.shift * BLOCK_BYTES +
	       (size_t)(at - part.first * BLOCK_INODES) * INODE_BYTES;
	return 0;
}

/* By rising block numbers, so that neighbours become one write. */
int itable_write(struct wfs *fs, struct error *err)
{
	struct itable *table = fs->itable;
	uint64_t last = 0;

	for (;;) {
		struct slot *next = NULL;

		for (unsigned int i = 0; i < NR_SLOTS; i++) {
			struct slot *slot = &table->slots[i];

			if (slot->dirty && slot->chunk > last &&
			    (!next || slot->chunk < next->chunk))
				next = slot;
		}
		if (!next)
			return 0;
		last = next->chunk;
		if (write_slot(fs, next, err) < 0)
			return -1;
	}
}

/* ---- inodes ---- */

static uint32_t inode_csum(const struct wfs *fs, const struct inode *inode)
{
	struct inode copy = *inode;

	copy.disk.i_checksum_lo = 0;
	copy.disk.i_checksum_hi = 0;
	return wfs_crc(wfs_inode_seed(fs, inode->number, inode->disk.i_generation), copy.bytes,
		       INODE_BYTES);
}

int inode_read(struct wfs *fs, uint32_t number, struct inode *ret, struct error *err)
{
	uint8_t *data;
	uint32_t crc;

	if (find_inode(fs, number, false, &data, err) < 0)
		return -1;
	ret->number = number;
	memcpy(ret->bytes, data, INODE_BYTES);
	crc = le16toh(ret->disk.i_checksum_lo) | (uint32_t)le16toh(ret->disk.i_checksum_hi) << 16;
	if (!ret->disk.i_links_count)
		return err_set(err, ERR_CORRUPT, "inode %u has a name but is not in use", number);
	if (inode_body(ret) < offsetof(struct ext2_inode_large, i_projid) || inode_body(ret) % 4 ||
	    inode_body(ret) > INODE_BYTES)
		return err_set(err, ERR_UNSUPPORTED, "inode %u has a size that is not ours",
			       number);
	if (crc != inode_csum(fs, ret))
		return err_set(err, ERR_CORRUPT, "inode %u has a wrong checksum", number);
	return 0;
}

/*
 * Two more bits of seconds, and nanoseconds, are in a word of their own. As the kernel has it, the
 * first and the last second have no fractions.
 */
static void set_time(uint32_t *low, uint32_t *extra, int64_t seconds, uint32_t nanoseconds)
{
	uint32_t epoch = (uint32_t)((seconds - (int32_t)seconds) >> 32) & EXT4_EPOCH_MASK;

	if (seconds == MIN_SECONDS || seconds == MAX_SECONDS)
		nanoseconds = 0;
	*low = htole32((uint32_t)seconds);
	*extra = htole32(epoch | nanoseconds << EXT4_EPOCH_BITS);
}

int inode_write(struct wfs *fs, struct inode *inode, struct error *err)
{
	struct ext2_inode_large *disk = &inode->disk;
	uint8_t *data;
	uint32_t crc;

	set_time(&disk->i_ctime, &disk->i_ctime_extra, fs->now_seconds, fs->now_nanoseconds);
	crc = inode_csum(fs, inode);
	disk->i_checksum_lo = htole16((uint16_t)crc);
	disk->i_checksum_hi = htole16((uint16_t)(crc >> 16));
	if (find_inode(fs, inode->number, true, &data, err) < 0)
		return -1;
	memcpy(data, inode->bytes, INODE_BYTES);
	return 0;
}

int inode_erase(struct wfs *fs, uint32_t number, struct error *err)
{
	uint8_t *data;

	if (find_inode(fs, number, true, &data, err) < 0)
		return -1;
	memset(data, 0, INODE_BYTES);
	return 0;
}

void inode_init(const struct wfs *fs, uint32_t number, mode_t mode, struct inode *ret)
{
	struct ext2_inode_large *disk = &ret->disk;

	memset(ret, 0, sizeof(*ret));
	ret->number = number;
	disk->i_extra_isize = htole16(EXTRA_BYTES);
	set_time(&disk->i_crtime, &disk->i_crtime_extra, fs->now_seconds, fs->now_nanoseconds);
	inode_set_mode(ret, mode);
	inode_set_links(ret, 1);
	if (S_ISREG(mode) || S_ISDIR(mode)) {
		struct ext3_extent_header *header = (void *)disk->i_block;

		inode_set_flag(ret, EXT4_EXTENTS_FL, true);
		header->eh_magic = htole16(EXT3_EXT_MAGIC);
		header->eh_max = htole16(4);
	}
}

mode_t inode_mode(const struct inode *inode)
{
	return le16toh(inode->disk.i_mode);
}

void inode_set_mode(struct inode *inode, mode_t mode)
{
	inode->disk.i_mode = htole16((uint16_t)mode);
}

uint32_t inode_owner(const struct inode *inode)
{
	return le16toh(inode->disk.i_uid) | (uint32_t)le16toh(inode->disk.i_uid_high) << 16;
}

uint32_t inode_owner_group(const struct inode *inode)
{
	return le16toh(inode->disk.i_gid) | (uint32_t)le16toh(inode->disk.i_gid_high) << 16;
}

void inode_set_owner(struct inode *inode, uint32_t uid, uint32_t gid)
{
	inode->disk.i_uid = htole16((uint16_t)uid);
	inode->disk.i_uid_high = htole16((uint16_t)(uid >> 16));
	inode->disk.i_gid = htole16((uint16_t)gid);
	inode->disk.i_gid_high = htole16((uint16_t)(gid >> 16));
}

uint64_t inode_size(const struct inode *inode)
{
	return le32toh(inode->disk.i_size) | (uint64_t)le32toh(inode->disk.i_size_high) << 32;
}

void inode_set_size(struct inode *inode, uint64_t size)
{
	inode->disk.i_size = htole32((uint32_t)size);
	inode->disk.i_size_high = htole32((uint32_t)(size >> 32));
}

uint32_t inode_links(const struct inode *inode)
{
	return le16toh(inode->disk.i_links_count);
}

void inode_set_links(struct inode *inode, uint32_t links)
{
	inode->disk.i_links_count = htole16((uint16_t)links);
}

uint64_t inode_xattr_block(const struct inode *inode)
{
	return le32toh(inode->disk.i_file_acl) |
	       (uint64_t)le16toh(inode->disk.osd2.linux2.l_i_file_acl_high) << 32;
}

void inode_set_xattr_block(struct inode *inode, uint64_t block)
{
	inode->disk.i_file_acl = htole32((uint32_t)block);
	inode->disk.osd2.linux2.l_i_file_acl_high = htole16((uint16_t)(block >> 32));
}

struct timespec inode_mtime(const struct inode *inode)
{
	uint32_t extra = le32toh(inode->disk.i_mtime_extra);
	int64_t seconds = (int32_t)le32toh(inode->disk.i_mtime);

	seconds += (int64_t)(extra & EXT4_EPOCH_MASK) << 32;
	return (struct timespec){ seconds, extra >> EXT4_EPOCH_BITS };
}

void inode_set_mtime(struct inode *inode, const struct timespec *mtime)
{
	set_time(&inode->disk.i_mtime, &inode->disk.i_mtime_extra, mtime->tv_sec,
		 (uint32_t)mtime->tv_nsec);
}

void inode_set_times(struct inode *inode, const struct timespec *atime,
		     const struct timespec *mtime)
{
	set_time(&inode->disk.i_atime, &inode->disk.i_atime_extra, atime->tv_sec,
		 (uint32_t)atime->tv_nsec);
	inode_set_mtime(inode, mtime);
}

/* On disk in units of 512 bytes; where 48 bits do not hold these, in blocks, and a flag says so. */
uint64_t inode_blocks(const struct inode *inode)
{
	uint64_t units = le32toh(inode->disk.i_blocks) |
			 (uint64_t)le16toh(inode->disk.osd2.linux2.l_i_blocks_hi) << 32;

	return inode_has_flag(inode, EXT4_HUGE_FILE_FL) ? units : units / (BLOCK_BYTES / 512);
}

/* A file has fewer than 2^33 blocks, so that 48 bits are enough. */
void inode_set_blocks(struct inode *inode, uint64_t nr)
{
	uint64_t units = nr * (BLOCK_BYTES / 512);

	inode_set_flag(inode, EXT4_HUGE_FILE_FL, false);
	inode->disk.i_blocks = htole32((uint32_t)units);
	inode->disk.osd2.linux2.l_i_blocks_hi = htole16((uint16_t)(units >> 32));
}

bool inode_has_flag(const struct inode *inode, uint32_t flag)
{
	return le32toh(inode->disk.i_flags) & flag;
}

void inode_set_flag(struct inode *inode, uint32_t flag, bool on)
{
	if (on)
		inode->disk.i_flags |= htole32(flag);
	else
		inode->disk.i_flags &= ~htole32(flag);
}

uint32_t inode_body(const struct inode *inode)
{
	return EXT2_GOOD_OLD_INODE_SIZE + le16toh(inode->disk.i_extra_isize);
}
