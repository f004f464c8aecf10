/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_owner.h"

#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define BLOCK_BYTES  4096u
#define BACKUP_SUPER 32768u /* the first one, with blocks of this size */
#define DEPTH_MAX    2048u  /* PATH_MAX in one-letter names */
#define OPEN_FLAGS   (EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS)
#define SCAN_BLOCKS  16

/* One thing that is known of a block. */
struct claim {
	size_t index;
	const char *what;
	uint32_t inode;
};

/* A name that leads to an inode that somebody asks for, or to a directory. */
struct name {
	uint32_t inode;
	uint32_t parent;
	char *text;
};

struct search {
	ext2_filsys fs;
	const uint64_t *blocks;
	size_t nr_blocks;
	struct claim *claims;
	size_t nr_claims, cap_claims;
	bool *claimed; /* for each block */
	bool *wanted;  /* for each inode number: needs a name */
	uint32_t *dirs;
	size_t nr_dirs, cap_dirs;
	struct name *names; /* sorted by inode, once all are there */
	size_t nr_names, cap_names;
	struct ext2_inode_large inode; /* the one that is looked at */
	uint32_t number;
};

static void search_done(struct search *search)
{
	for (size_t i = 0; i < search->nr_names; i++)
		free(search->names[i].text);
	free(search->names);
	free(search->claims);
	free(search->claimed);
	free(search->wanted);
	free(search->dirs);
	if (search->fs)
		ext2fs_free(search->fs);
}
#define auto_search __attribute__((cleanup(search_done)))

static void claim(struct search *search, size_t index, const char *what, uint32_t inode)
{
	if (search->nr_claims == search->cap_claims) {
		search->cap_claims = search->cap_claims ? search->cap_claims * 2 : 64;
		search->claims =
			xrealloc(search->claims, search->cap_claims * sizeof(*search->claims));
	}
	search->claims[search->nr_claims++] = (struct claim){ index, what, inode };
	search->claimed[index] = true;
	if (inode && inode <= search->fs->super->s_inodes_count)
		search->wanted[inode] = true;
}

/* The first of the blocks that is not below this number. */
static size_t lower_bound(const struct search *search, uint64_t block)
{
	size_t low = 0, high = search->nr_blocks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->blocks[middle] < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void claim_range(struct search *search, uint64_t first, uint64_t nr, const char *what)
{
	for (size_t i = lower_bound(search, first);
	     first && i < search->nr_blocks && search->blocks[i] < first + nr; i++)
		claim(search, i, what, 0);
}

/* ---- what belongs to the file system itself ---- */

static void claim_table(struct search *search, uint32_t group)
{
	ext2_filsys fs = search->fs;
	uint64_t first = ext2fs_inode_table_loc(fs, group);
	uint32_t per_block = BLOCK_BYTES / EXT2_INODE_SIZE(fs->super);

	for (size_t i = lower_bound(search, first);
	     i < search->nr_blocks && search->blocks[i] < first + fs->inode_blocks_per_group; i++) {
		uint32_t inode = group * fs->super->s_inodes_per_group +
				 (uint32_t)(search->blocks[i] - first) * per_block + 1;

		claim(search, i, "inode table", 0);
		for (uint32_t k = 0; k < per_block; k++)
			claim(search, i, "inode of", inode + k);
	}
}

static void claim_metadata(struct search *search)
{
	ext2_filsys fs = search->fs;

	for (uint32_t group = 0; group < fs->group_desc_count; group++) {
		blk64_t super, old_desc, new_desc;

		ext2fs_super_and_bgd_loc2(fs, group, &super, &old_desc, &new_desc, NULL);
		if (group == 0 && search->nr_blocks && search->blocks[0] == 0)
			claim(search, 0, "superblock and label", 0);
		claim_range(search, super, 1, "superblock");
		claim_range(search, old_desc, fs->desc_blocks + fs->super->s_reserved_gdt_blocks,
			    "group descriptors");
		claim_range(search, new_desc, 1, "group descriptors");
		claim_range(search, ext2fs_block_bitmap_loc(fs, group), 1, "block bitmap");
		claim_range(search, ext2fs_inode_bitmap_loc(fs, group), 1, "inode bitmap");
		claim_table(search, group);
	}
}

/* ---- what belongs to an inode ---- */

static const char *what_of(const struct search *search, bool is_content)
{
	if (search->number == EXT2_JOURNAL_INO)
		return "journal";
	if (!is_content)
		return "block map of";
	if (S_ISDIR(search->inode.i_mode))
		return "directory";
	return S_ISLNK(search->inode.i_mode) ? "target of" : "content of";
}

static int claim_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref_block,
		       int ref_offset, void *ctx)
{
	struct search *search = ctx;
	size_t i = lower_bound(search, *block);

	(void)fs;
	(void)ref_block;
	(void)ref_offset;
	if (i < search->nr_blocks && search->blocks[i] == *block)
		claim(search, i, what_of(search, count >= 0),
		      search->number < EXT2_GOOD_OLD_FIRST_INO && search->number != EXT2_ROOT_INO
			      ? 0
			      : search->number);
	return 0;
}

static void look_at_inode(struct search *search)
{
	struct ext2_inode *inode = (struct ext2_inode *)&search->inode;
	blk64_t xattrs = ext2fs_file_acl_block(search->fs, inode);
	size_t i;

	if (S_ISDIR(inode->i_mode)) {
		if (search->nr_dirs == search->cap_dirs) {
			search->cap_dirs = search->cap_dirs ? search->cap_dirs * 2 : 256;
			search->dirs =
				xrealloc(search->dirs, search->cap_dirs * sizeof(*search->dirs));
		}
		search->dirs[search->nr_dirs++] = search->number;
	}
	i = xattrs ? lower_bound(search, xattrs) : search->nr_blocks;
	if (i < search->nr_blocks && search->blocks[i] == xattrs)
		claim(search, i, "attributes of", search->number);
	if (ext2fs_inode_has_valid_blocks2(search->fs, inode))
		ext2fs_block_iterate3(search->fs, search->number, BLOCK_FLAG_READ_ONLY, NULL,
				      claim_block, search);
}

/* Inodes that cannot be read are passed over; the count bounds what a library may do with them. */
static int scan_inodes(struct search *search, struct error *err)
{
	uint64_t tries = UINT64_C(2) * search->fs->super->s_inodes_count + 1000;
	ext2_inode_scan scan;
	errcode_t failed = ext2fs_open_inode_scan(search->fs, SCAN_BLOCKS, &scan);

	if (failed)
		return err_set(err, ERR_CORRUPT, "the inodes cannot be read: %s",
			       error_message(failed));
	while (tries--) {
		failed = ext2fs_get_next_inode_full(scan, &search->number,
						    (struct ext2_inode *)&search->inode,
						    sizeof(search->inode));
		if (!failed && !search->number)
			break;
		if (failed || !search->inode.i_links_count || search->inode.i_dtime)
			continue;
		look_at_inode(search);
	}
	ext2fs_close_inode_scan(scan);
	return 0;
}

/* ---- names ---- */

static int note_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
		     int blocksize, char *buf, void *ctx)
{
	struct search *search = ctx;
	int len = ext2fs_dirent_name_len(dirent);
	bool is_dir = ext2fs_dirent_file_type(dirent) == EXT2_FT_DIR;

	(void)offset;
	(void)blocksize;
	(void)buf;
	if (entry != DIRENT_OTHER_FILE || !dirent->inode ||
	    dirent->inode > search->fs->super->s_inodes_count ||
	    (!is_dir && !search->wanted[dirent->inode]))
		return 0;
	if (search->nr_names == search->cap_names) {
		search->cap_names = search->cap_names ? search->cap_names * 2 : 256;
		search->names = xrealloc(search->names, search->cap_names * sizeof(*search->names));
	}
	search->names[search->nr_names++] =
		(struct name){ dirent->inode, dir, xasprintf("%.*s", len, dirent->name) };
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	uint32_t x = ((const struct name *)a)->inode, y = ((const struct name *)b)->inode;

	return x < y ? -1 : x > y;
}

static void read_names(struct search *search)
{
	for (size_t i = 0; i < search->nr_dirs; i++)
		ext2fs_dir_iterate2(search->fs, search->dirs[i], 0, NULL, note_name, search);
	if (search->nr_names)
		qsort(search->names, search->nr_names, sizeof(*search->names), by_inode);
}

/* Returns new: one of its paths, or NULL. */
static char *path_of(const struct search *search, uint32_t inode)
{
	char *path = NULL;

	if (inode == EXT2_ROOT_INO)
		return xstrdup("/");
	for (unsigned depth = 0; inode != EXT2_ROOT_INO; depth++) {
		struct name key = { .inode = inode };
		const struct name *name = search->nr_names
						  ? bsearch(&key, search->names, search->nr_names,
							    sizeof(key), by_inode)
						  : NULL;
		char *longer;

		if (!name || depth == DEPTH_MAX) {
			free(path);
			return NULL;
		}
		longer = xasprintf("/%s%s", name->text, path ? path : "");
		free(path);
		path = longer;
		inode = name->parent;
	}
	return path;
}

/* ---- the answer ---- */

static int open_fs(const char *device, ext2_filsys *ret, struct error *err)
{
	errcode_t failed = ext2fs_open2(device, NULL, OPEN_FLAGS, 0, 0, unix_io_manager, ret);

	if (failed)
		failed = ext2fs_open2(device, NULL, OPEN_FLAGS, BACKUP_SUPER, BLOCK_BYTES,
				      unix_io_manager, ret);
	if (failed)
		return err_set(err, ERR_CORRUPT, "the file system on %s cannot be read: %s", device,
			       error_message(failed));
	if ((*ret)->blocksize != BLOCK_BYTES || !EXT2_INODE_SIZE((*ret)->super) ||
	    EXT2_INODE_SIZE((*ret)->super) > BLOCK_BYTES)
		return err_set(err, ERR_UNSUPPORTED, "%s has blocks of %u bytes", device,
			       (*ret)->blocksize);
	return 0;
}

static int by_index(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int tell(struct search *search, ext4_owner_fn *found, void *ctx, struct error *err)
{
	if (search->nr_claims)
		qsort(search->claims, search->nr_claims, sizeof(*search->claims), by_index);
	for (size_t i = 0; i < search->nr_claims; i++) {
		const struct claim *one = &search->claims[i];
		auto_free char *path = one->inode ? path_of(search, one->inode) : NULL;
		struct ext4_owner owner = { one->what, one->inode, path };

		/* Of a table's inodes only those that are in use. */
		if (!path && one->inode && strcmp(one->what, "inode of") == 0)
			continue;
		if (found(ctx, one->index, &owner, err) < 0)
			return -1;
	}
	return 0;
}

/* What no inode has is free, or its inode is damaged. */
static void claim_rest(struct search *search)
{
	bool known = ext2fs_read_block_bitmap(search->fs) == 0;

	for (size_t i = 0; i < search->nr_blocks; i++) {
		uint64_t block = search->blocks[i];

		if (search->claimed[i])
			continue;
		if (block >= ext2fs_blocks_count(search->fs->super))
			claim(search, i, "behind the file system", 0);
		else if (known && !ext2fs_test_block_bitmap2(search->fs->block_map, block))
			claim(search, i, "free block", 0);
		else
			claim(search, i, "block without an owner", 0);
	}
}

int ext4_owners(const char *device, const uint64_t *blocks, size_t nr, ext4_owner_fn *found,
		void *ctx, struct error *err)
{
	auto_search struct search search = { .blocks = blocks, .nr_blocks = nr };

	if (open_fs(device, &search.fs, err) < 0)
		return -1;
	search.claimed = xcalloc(nr + 1, sizeof(*search.claimed));
	search.wanted =
		calloc((size_t)search.fs->super->s_inodes_count + 1, sizeof(*search.wanted));
	if (!search.wanted)
		return err_set(err, ERR_LIMIT, "no memory for the inodes of %s", device);
	claim_metadata(&search);
	if (scan_inodes(&search, err) < 0)
		return -1;
	claim_rest(&search);
	read_names(&search);
	return tell(&search, found, ctx, err);
}
