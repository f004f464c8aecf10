/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_image.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/isal.h"

#define NR_SLOTS      256u
#define SUPER_OFFSET  1024u
#define GROUP_BLOCKS  32768u /* a bitmap of one block */
#define READS_ALLOWED 16u    /* blocks, for each that there is */
#define READS_SPARE   1024u

#define COMPAT_KNOWN                                                          \
	(EXT2_FEATURE_COMPAT_DIR_PREALLOC | EXT3_FEATURE_COMPAT_HAS_JOURNAL | \
	 EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |    \
	 EXT2_FEATURE_COMPAT_DIR_INDEX | EXT4_FEATURE_COMPAT_SPARSE_SUPER2)
#define RO_COMPAT_KNOWN                                                            \
	(EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | \
	 EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |      \
	 EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |   \
	 EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)
#define INCOMPAT_KNOWN                                                     \
	(EXT2_FEATURE_INCOMPAT_FILETYPE | EXT2_FEATURE_INCOMPAT_META_BG |  \
	 EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT |     \
	 EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_CSUM_SEED | \
	 EXT4_FEATURE_INCOMPAT_LARGEDIR | EXT4_FEATURE_INCOMPAT_INLINE_DATA)

struct ext4_image {
	int fd;
	ext2_filsys fs;
	uint64_t nr_blocks;
	uint64_t nr_read;
	uint32_t nr_groups;
	bool has_csum;
	uint64_t slot_block[NR_SLOTS]; /* number of the block held, plus one; 0 is none */
	uint8_t *slots;		       /* NR_SLOTS blocks */
};

/* Files that refuse O_DIRECT (tmpfs, some network file systems) are read plainly. */
static int open_direct(const char *path, struct error *err)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	return fd < 0 ? err_sys(err, errno, "open '%s'", path) : fd;
}

static int check_features(const struct ext2_super_block *super, struct error *err)
{
	uint32_t incompat = le32toh(super->s_feature_incompat);
	uint32_t unknown = incompat & ~(uint32_t)INCOMPAT_KNOWN;

	if (unknown & EXT3_FEATURE_INCOMPAT_RECOVER)
		return err_set(err, ERR_UNSUPPORTED, "its journal is not empty");
	if (unknown)
		return err_set(err, ERR_UNSUPPORTED, "incompatible features 0x%x", unknown);
	unknown = le32toh(super->s_feature_ro_compat) & ~(uint32_t)RO_COMPAT_KNOWN;
	if (unknown)
		return err_set(err, ERR_UNSUPPORTED, "read-only features 0x%x", unknown);
	unknown = le32toh(super->s_feature_compat) & ~(uint32_t)COMPAT_KNOWN;
	if (unknown)
		return err_set(err, ERR_UNSUPPORTED, "compatible features 0x%x", unknown);
	if (le16toh(super->s_state) & EXT2_ERROR_FS)
		return err_set(err, ERR_CORRUPT, "it is marked as damaged");
	return 0;
}

/* Everything that decides how much memory the library takes. */
static int check_geometry(const struct ext2_super_block *super, uint64_t device_bytes,
			  struct ext4_image *image, struct error *err)
{
	bool wide = le32toh(super->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT;
	uint64_t blocks = le32toh(super->s_blocks_count);
	uint32_t group_inodes = le32toh(super->s_inodes_per_group);
	uint64_t groups;

	if (wide)
		blocks |= (uint64_t)le32toh(super->s_blocks_count_hi) << 32;
	if (le32toh(super->s_log_block_size) != 2 || le32toh(super->s_rev_level) != 1 ||
	    le16toh(super->s_inode_size) != EXT4_INODE_BYTES ||
	    le32toh(super->s_blocks_per_group) != GROUP_BLOCKS ||
	    le16toh(super->s_desc_size) != (wide ? 64 : le16toh(super->s_desc_size)))
		return err_set(err, ERR_UNSUPPORTED, "sizes of blocks or inodes that are not ours");
	groups = (blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS;
	if (blocks < 16 || blocks > device_bytes / EXT4_BLOCK_BYTES ||
	    le32toh(super->s_first_data_block) != 0 || !group_inodes ||
	    group_inodes % EXT4_BLOCK_INODES || group_inodes > EXT4_BLOCK_BYTES * 8 ||
	    groups * group_inodes != le32toh(super->s_inodes_count))
		return err_set(err, ERR_CORRUPT, "impossible numbers in the superblock");
	image->nr_blocks = blocks;
	image->nr_groups = (uint32_t)groups;
	return 0;
}

static int read_super(struct ext4_image *image, struct error *err)
{
	off_t end = lseek(image->fd, 0, SEEK_END);
	const struct ext2_super_block *super = (const void *)(image->slots + SUPER_OFFSET);

	if (end < 0)
		return err_sys(err, errno, "measure the device");
	if (end < (off_t)(16 * EXT4_BLOCK_BYTES))
		return err_set(err, ERR_UNSUPPORTED, "too small for ext4");
	if (io_pread(image->fd, image->slots, EXT4_BLOCK_BYTES, 0, err) < 0)
		return -1;
	if (le16toh(super->s_magic) != EXT2_SUPER_MAGIC)
		return err_set(err, ERR_UNSUPPORTED, "no ext4");
	if (check_features(super, err) < 0)
		return -1;
	return check_geometry(super, (uint64_t)end, image, err);
}

static int open_image(struct ext4_image *image, const char *path, struct error *err)
{
	struct stat st;
	long failed;

	image->fd = open_direct(path, err);
	if (image->fd < 0)
		return -1;
	if (fstat(image->fd, &st) < 0)
		return err_sys(err, errno, "look at the device");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED, "neither a block device nor a file");
	image->slots = aligned_alloc(EXT4_BLOCK_BYTES, NR_SLOTS * EXT4_BLOCK_BYTES);
	if (!image->slots)
		return err_sys(err, ENOMEM, "read a file system");
	if (read_super(image, err) < 0)
		return -1;
	/* The superblock's checksum, and the group descriptors wherever they are. */
	failed = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &image->fs);
	if (failed)
		return err_set(err, ERR_CORRUPT, "libext2fs refuses it (%ld)", failed);
	if (image->fs->group_desc_count != image->nr_groups)
		return err_set(err, ERR_CORRUPT, "it has changed while it was opened");
	image->has_csum = ext2fs_has_feature_metadata_csum(image->fs->super);
	image->nr_read = 1 + image->fs->desc_blocks;
	return 0;
}

int ext4_image_open(const char *path, struct ext4_image **ret, struct error *err)
{
	auto_ext4_image struct ext4_image *image = xcalloc(1, sizeof(*image));

	if (open_image(image, path, err) < 0)
		return err_add(err, "file system on %s", path);
	*ret = take_ptr(image);
	return 0;
}

void ext4_image_close(struct ext4_image *image)
{
	if (!image)
		return;
	if (image->fs)
		ext2fs_free(image->fs); /* without writing anything */
	if (image->fd >= 0)
		close(image->fd);
	free(image->slots);
	free(image);
}

uint64_t ext4_image_nr_blocks(const struct ext4_image *image)
{
	return image->nr_blocks;
}

uint32_t ext4_image_nr_inodes(const struct ext4_image *image)
{
	return image->fs->super->s_inodes_count;
}

uint32_t ext4_image_nr_groups(const struct ext4_image *image)
{
	return image->nr_groups;
}

uint32_t ext4_image_group_inodes(const struct ext4_image *image)
{
	return image->fs->super->s_inodes_per_group;
}

bool ext4_image_has_inline_data(const struct ext4_image *image)
{
	return ext2fs_has_feature_inline_data(image->fs->super);
}

uint64_t ext4_image_nr_read(const struct ext4_image *image)
{
	return image->nr_read;
}

/* ---- blocks ---- */

static uint8_t *slot_of(struct ext4_image *image, uint64_t block)
{
	return image->slots + block % NR_SLOTS * EXT4_BLOCK_BYTES;
}

int ext4_read_block(struct ext4_image *image, uint64_t block, void *ret, struct error *err)
{
	uint8_t *slot = slot_of(image, block);
	uint64_t *held = &image->slot_block[block % NR_SLOTS];

	if (block >= image->nr_blocks)
		return err_set(err, ERR_CORRUPT, "block %ju is beyond the file system's %ju",
			       (uintmax_t)block, (uintmax_t)image->nr_blocks);
	if (*held != block + 1) {
		if (image->nr_read > image->nr_blocks * READS_ALLOWED + READS_SPARE)
			return err_set(err, ERR_CORRUPT, "its structure never ends");
		*held = 0;
		image->nr_read++;
		if (io_pread(image->fd, slot, EXT4_BLOCK_BYTES, block * EXT4_BLOCK_BYTES, err) < 0)
			return err_add(err, "read block %ju", (uintmax_t)block);
		*held = block + 1;
	}
	memcpy(ret, slot, EXT4_BLOCK_BYTES);
	return 0;
}

static bool has_blocks(const struct ext4_image *image, uint64_t first, uint32_t nr)
{
	for (uint64_t block = first; block < first + nr; block++)
		if (image->slot_block[block % NR_SLOTS] != block + 1)
			return false;
	return true;
}

void ext4_fetch_blocks(struct ext4_image *image, uint64_t first, uint32_t nr)
{
	struct error err;

	if (has_blocks(image, first, nr))
		return;
	while (nr) {
		/* Slots of neighbours are neighbours, up to the last slot. */
		uint32_t part = NR_SLOTS - (uint32_t)(first % NR_SLOTS);

		part = part < nr ? part : nr;
		if (first >= image->nr_blocks || part > image->nr_blocks - first)
			return;
		memset(&image->slot_block[first % NR_SLOTS], 0, part * sizeof(uint64_t));
		if (io_pread(image->fd, slot_of(image, first), (size_t)part * EXT4_BLOCK_BYTES,
			     first * EXT4_BLOCK_BYTES, &err) < 0)
			return;
		for (uint32_t i = 0; i < part; i++)
			image->slot_block[first % NR_SLOTS + i] = first + i + 1;
		image->nr_read += part;
		first += part;
		nr -= part;
	}
}

/* ---- checksums ---- */

uint32_t ext4_crc(uint32_t seed, const void *data, size_t len)
{
	return isal_crc32c(seed, data, len);
}

bool ext4_has_csum(const struct ext4_image *image)
{
	return image->has_csum;
}

uint32_t ext4_csum_seed(const struct ext4_image *image)
{
	return image->fs->csum_seed;
}

uint32_t ext4_inode_seed(const struct ext4_image *image, const struct ext4_inode *inode)
{
	uint32_t number = htole32(inode->number);
	uint32_t generation = inode->disk.fields.i_generation;

	return ext4_crc(ext4_crc(image->fs->csum_seed, &number, sizeof(number)), &generation,
			sizeof(generation));
}

static bool has_field(const struct ext4_inode *inode, size_t end)
{
	return ext4_inode_body(inode) >= end;
}

#define HAS_FIELD(inode, field) \
	has_field(inode,        \
		  offsetof(struct ext2_inode_large, field) + sizeof((inode)->disk.fields.field))

static int verify_inode(const struct ext4_image *image, const struct ext4_inode *inode,
			struct error *err)
{
	const struct ext2_inode_large *disk = &inode->disk.fields;
	struct ext4_inode copy = *inode;
	uint32_t crc, found = le16toh(disk->i_checksum_lo);
	uint32_t mask = 0xffff;

	if (ext4_inode_body(inode) % 4 || ext4_inode_body(inode) > EXT4_INODE_BYTES)
		return err_set(err, ERR_CORRUPT, "inode %u: impossible size", inode->number);
	if (!image->has_csum)
		return 0;
	copy.disk.fields.i_checksum_lo = 0;
	if (HAS_FIELD(inode, i_checksum_hi)) {
		copy.disk.fields.i_checksum_hi = 0;
		found |= (uint32_t)le16toh(disk->i_checksum_hi) << 16;
		mask = UINT32_MAX;
	}
	crc = ext4_crc(ext4_inode_seed(image, inode), &copy.disk, EXT4_INODE_BYTES);
	if ((crc & mask) != found)
		return err_set(err, ERR_CORRUPT, "inode %u: wrong checksum", inode->number);
	return 0;
}

/* ---- inodes ---- */

int ext4_table(struct ext4_image *image, uint32_t group, uint64_t *ret_block, uint32_t *ret_used,
	       struct error *err)
{
	uint32_t nr = ext4_image_group_inodes(image);
	uint64_t block = ext2fs_inode_table_loc(image->fs, group);
	uint32_t used = nr;

	if (ext2fs_has_group_desc_csum(image->fs)) {
		uint32_t unused = ext2fs_bg_itable_unused(image->fs, group);

		if (!ext2fs_group_desc_csum_verify(image->fs, group))
			return err_set(err, ERR_CORRUPT, "group %u: wrong checksum", group);
		if (unused > nr)
			return err_set(err, ERR_CORRUPT, "group %u: more unused inodes than inodes",
				       group);
		used = ext2fs_bg_flags_test(image->fs, group, EXT2_BG_INODE_UNINIT) ? 0
										    : nr - unused;
	}
	if (block >= image->nr_blocks || image->nr_blocks - block < nr / EXT4_BLOCK_INODES)
		return err_set(err, ERR_CORRUPT, "group %u: inode table beyond the file system",
			       group);
	*ret_block = block;
	*ret_used = used;
	return 0;
}

int ext4_read_inode(struct ext4_image *image, uint32_t number, struct ext4_inode *ret,
		    struct error *err)
{
	uint32_t per_group = ext4_image_group_inodes(image);
	uint8_t data[EXT4_BLOCK_BYTES];
	uint32_t index, used;
	uint64_t table;

	if (!number || number > ext4_image_nr_inodes(image))
		return err_set(err, ERR_CORRUPT, "there is no inode %u", number);
	index = (number - 1) % per_group;
	if (ext4_table(image, (number - 1) / per_group, &table, &used, err) < 0)
		return -1;
	if (index >= used)
		return 0;
	if (ext4_read_block(image, table + index / EXT4_BLOCK_INODES, data, err) < 0)
		return -1;
	ret->number = number;
	memcpy(&ret->disk, data + index % EXT4_BLOCK_INODES * EXT4_INODE_BYTES, EXT4_INODE_BYTES);
	if (!ext4_inode_in_use(ret))
		return 0;
	return verify_inode(image, ret, err) < 0 ? -1 : 1;
}

bool ext4_inode_in_use(const struct ext4_inode *inode)
{
	return inode->disk.fields.i_links_count && inode->disk.fields.i_mode;
}

uint16_t ext4_inode_mode(const struct ext4_inode *inode)
{
	return le16toh(inode->disk.fields.i_mode);
}

uint32_t ext4_inode_uid(const struct ext4_inode *inode)
{
	return le16toh(inode->disk.fields.i_uid) |
	       (uint32_t)le16toh(inode->disk.fields.osd2.linux2.l_i_uid_high) << 16;
}

uint32_t ext4_inode_gid(const struct ext4_inode *inode)
{
	return le16toh(inode->disk.fields.i_gid) |
	       (uint32_t)le16toh(inode->disk.fields.osd2.linux2.l_i_gid_high) << 16;
}

uint64_t ext4_inode_size(const struct ext4_inode *inode)
{
	return le32toh(inode->disk.fields.i_size) |
	       (uint64_t)le32toh(inode->disk.fields.i_size_high) << 32;
}

uint32_t ext4_inode_links(const struct ext4_inode *inode)
{
	return le16toh(inode->disk.fields.i_links_count);
}

uint32_t ext4_inode_flags(const struct ext4_inode *inode)
{
	return le32toh(inode->disk.fields.i_flags);
}

uint64_t ext4_inode_xattr_block(const struct ext4_inode *inode)
{
	return le32toh(inode->disk.fields.i_file_acl) |
	       (uint64_t)le16toh(inode->disk.fields.osd2.linux2.l_i_file_acl_high) << 32;
}

/* The extra field has nanoseconds above two bits of epoch. */
static int64_t seconds_of(uint32_t low, uint32_t extra)
{
	return (int32_t)le32toh(low) + ((int64_t)(extra & 3) << 32);
}

int64_t ext4_inode_mtime(const struct ext4_inode *inode, uint32_t *ret_nanoseconds)
{
	uint32_t extra = 0;

	if (HAS_FIELD(inode, i_mtime_extra))
		extra = le32toh(inode->disk.fields.i_mtime_extra);
	*ret_nanoseconds = extra >> 2;
	return seconds_of(inode->disk.fields.i_mtime, extra);
}

int64_t ext4_inode_ctime(const struct ext4_inode *inode)
{
	uint32_t extra = 0;

	if (HAS_FIELD(inode, i_ctime_extra))
		extra = le32toh(inode->disk.fields.i_ctime_extra);
	return seconds_of(inode->disk.fields.i_ctime, extra);
}

int64_t ext4_inode_crtime(const struct ext4_inode *inode)
{
	if (!HAS_FIELD(inode, i_crtime_extra))
		return 0;
	return seconds_of(inode->disk.fields.i_crtime, le32toh(inode->disk.fields.i_crtime_extra));
}

uint32_t ext4_inode_body(const struct ext4_inode *inode)
{
	return EXT2_GOOD_OLD_INODE_SIZE + le16toh(inode->disk.fields.i_extra_isize);
}
