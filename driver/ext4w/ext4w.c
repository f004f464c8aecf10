/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/ext4w.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/pages.h"
#include "ext4w/group.h"
#include "ext4w/writer.h"

/* Entries of one layer above the base, whose names are remembered for whiteouts: some 40 MiB. */
#define MAX_NAMES  3000000u
#define HEAP_BYTES ((size_t)4 * 1024 * 1024) /* names, bitmaps and the like of a large layer */

/* ---- making entries ---- */

/* The entry that is no folder gets its name, and what was there goes away. */
static int add_name(struct writer *writer, const struct place *at, uint32_t number, mode_t type,
		    struct error *err)
{
	dir_add(writer->dirs, at->dir, at->name, at->len, number, dirs_type(type));
	if (!writer->belongs)
		return 0;
	return nameset_add(writer->belongs, at->dir->number, at->name, at->len, err) < 0 ? -1 : 0;
}

static int make_inode(struct writer *writer, const char *path, mode_t mode,
		      const struct tree_attr *attr, struct inode *ret, struct error *err)
{
	struct place at;
	uint32_t number;

	if (walk_make(writer, path, attr, &at, err) < 0 || unlink_place(writer, &at, err) < 0)
		return -1;
	if (group_take_inode(writer->fs, false, &number, err) < 0)
		return err_add(err, "create '%s'", path);
	inode_init(writer->fs, number, mode, ret);
	inode_set_owner(ret, attr->uid, attr->gid);
	inode_set_times(ret, &attr->atime, &attr->mtime);
	return add_name(writer, &at, number, mode, err);
}

static int finish_inode(struct writer *writer, const char *path, const struct tree_attr *attr,
			struct inode *inode, struct error *err)
{
	if (xattrs_set(writer->xattrs, inode, attr, path, err) < 0)
		return -1;
	return inode_write(writer->fs, inode, err);
}

static int op_open_file(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			uint64_t size, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct inode inode;

	if (make_inode(writer, path, S_IFREG | attr->mode, attr, &inode, err) < 0)
		return -1;
	return file_open(writer, &inode, path, attr, size, err);
}

static int op_write_file(struct tree_writer *tree, const void *data, size_t len, uint64_t offset,
			 struct error *err)
{
	return file_write(writer_of(tree), data, len, offset, err);
}

static int op_close_file(struct tree_writer *tree, struct error *err)
{
	return file_close(writer_of(tree), err);
}

static int op_make_symlink(struct tree_writer *tree, const char *path, const char *target,
			   const struct tree_attr *attr, struct error *err)
{
	struct writer *writer = writer_of(tree);
	size_t len = strlen(target);
	struct inode inode;

	if (len >= BLOCK_BYTES)
		return err_set(err, ERR_LIMIT, "create link '%s': the target is too long", path);
	if (make_inode(writer, path, S_IFLNK | 0777, attr, &inode, err) < 0)
		return -1;
	inode_set_size(&inode, len);
	if (len < FAST_SYMLINK)
		memcpy(inode.disk.i_block, target, len);
	else if (file_set_block(writer, &inode, target, len, err) < 0)
		return err_add(err, "create link '%s'", path);
	return finish_inode(writer, path, attr, &inode, err);
}

/* Small numbers in the form of old, others in the second word. */
static void set_device(struct inode *inode, dev_t dev)
{
	unsigned int high = major(dev), low = minor(dev);

	if (high < 256 && low < 256)
		inode->disk.i_block[0] = htole32(high << 8 | low);
	else
		inode->disk.i_block[1] = htole32((low & 0xff) | high << 8 | (low & ~0xffu) << 12);
}

static int op_make_node(struct tree_writer *tree, const char *path, mode_t type, dev_t dev,
			const struct tree_attr *attr, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct inode inode;

	if (dev != (uint32_t)dev)
		return err_set(err, ERR_CORRUPT, "'%s': impossible device number", path);
	if (make_inode(writer, path, type | attr->mode, attr, &inode, err) < 0)
		return -1;
	if (type != S_IFIFO)
		set_device(&inode, dev);
	return finish_inode(writer, path, attr, &inode, err);
}

/* ---- folders ---- */

static int change_dir(struct writer *writer, const char *path, uint32_t number,
		      const struct tree_attr *attr, struct error *err)
{
	struct inode inode;

	if (inode_read(writer->fs, number, &inode, err) < 0)
		return -1;
	inode_set_owner(&inode, attr->uid, attr->gid);
	inode_set_times(&inode, &attr->atime, &attr->mtime);
	if (xattrs_chmod(writer->xattrs, &inode, attr->mode, err) < 0)
		return -1;
	return finish_inode(writer, path, attr, &inode, err);
}

static int new_dir(struct writer *writer, const struct place *at, const struct tree_attr *attr,
		   struct error *err)
{
	struct inode inode;

	if (walk_add_dir(writer, at->dir, at->name, at->len, attr->mode, &inode, err) < 0)
		return err_add(err, "create folder '%s'", at->path);
	inode_set_owner(&inode, attr->uid, attr->gid);
	inode_set_times(&inode, &attr->atime, &attr->mtime);
	if (finish_inode(writer, at->path, attr, &inode, err) < 0)
		return -1;
	if (!writer->belongs)
		return 0;
	return nameset_add(writer->belongs, inode.number, "", 0, err) < 0 ? -1 : 0;
}

static int op_make_dir(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
		       struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir_entry *entry;
	struct place at;
	struct dir *dir;

	if (!*path) {
		if (dirs_get(writer->dirs, writer->root, &dir, err) < 0 ||
		    walk_belongs(writer, dir, err) < 0)
			return -1;
		return change_dir(writer, path, writer->root, attr, err);
	}
	if (walk_make(writer, path, attr, &at, err) < 0)
		return -1;
	entry = dir_find(writer->dirs, at.dir, at.name, at.len);
	if (entry && entry->type == EXT2_FT_DIR) {
		uint32_t number = entry->inode;

		if (dirs_get(writer->dirs, number, &dir, err) < 0 ||
		    walk_belongs(writer, dir, err) < 0)
			return -1;
		return change_dir(writer, path, number, attr, err);
	}
	if (unlink_place(writer, &at, err) < 0)
		return -1;
	return new_dir(writer, &at, attr, err);
}

/* ---- hard links ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A link's header repeats its target's attributes; where it does not, it is the later word. */
static int set_link_attr(struct writer *writer, const char *path, struct inode *inode,
			 const struct tree_attr *attr, struct error *err)
{
	mode_t mode = inode_mode(inode);
	bool other_owner = inode_owner(inode) != attr->uid || inode_owner_group(inode) != attr->gid;
	struct timespec mtime = inode_mtime(inode);

	if (other_owner) {
		inode_set_owner(inode, attr->uid, attr->gid);
		if (xattrs_drop_capability(writer->xattrs, inode, err) < 0)
			return -1;
	}
	if (!S_ISLNK(mode) && ((mode & 07777) != attr->mode || other_owner) &&
	    xattrs_chmod(writer->xattrs, inode, attr->mode, err) < 0)
		return -1;
	if (xattrs_set(writer->xattrs, inode, attr, path, err) < 0)
		return -1;
	if (!same_time(&mtime, &attr->mtime))
		inode_set_mtime(inode, &attr->mtime);
	return inode_write(writer->fs, inode, err);
}

/* Returns 0 and the entry that target names, or -1. */
static int find_target(struct writer *writer, const char *path, const char *target,
		       struct dir_entry *ret, struct error *err)
{
	struct dir_entry *entry = NULL;
	struct place from;
	int found = walk_find(writer, target, &from, err);

	if (found < 0)
		return -1;
	if (found)
		entry = dir_find(writer->dirs, from.dir, from.name, from.len);
	if (!entry)
		return err_set(err, ERR_CORRUPT, "hard link '%s': there is no '%s'", path, target);
	*ret = *entry;
	return 0;
}

/* The target is there under the new name already, which belongs to the layer now. */
static int link_again(struct writer *writer, const struct place *at, const struct tree_attr *attr,
		      uint32_t number, struct error *err)
{
	struct inode inode;

	if (writer->belongs &&
	    nameset_add(writer->belongs, at->dir->number, at->name, at->len, err) < 0)
		return -1;
	if (inode_read(writer->fs, number, &inode, err) < 0)
		return -1;
	return set_link_attr(writer, at->path, &inode, attr, err);
}

static int op_make_link(struct tree_writer *tree, const char *path, const char *target,
			const struct tree_attr *attr, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir_entry *entry, from;
	struct inode inode;
	struct place at;

	if (walk_make(writer, path, attr, &at, err) < 0 ||
	    find_target(writer, path, target, &from, err) < 0)
		return -1;
	entry = dir_find(writer->dirs, at.dir, at.name, at.len);
	if (entry && entry->inode == from.inode && from.type != EXT2_FT_DIR)
		return link_again(writer, &at, attr, from.inode, err);
	/* What gives way may have held the target. */
	if (unlink_place(writer, &at, err) < 0 || find_target(writer, path, target, &from, err) < 0)
		return -1;
	if (from.type == EXT2_FT_DIR)
		return err_set(err, ERR_CORRUPT, "hard link '%s': '%s' is a folder", path, target);
	if (inode_read(writer->fs, from.inode, &inode, err) < 0)
		return -1;
	if (inode_links(&inode) >= MAX_LINKS)
		return err_sys(err, EMLINK, "create hard link '%s'", path);
	inode_set_links(&inode, inode_links(&inode) + 1);
	if (add_name(writer, &at, inode.number, inode_mode(&inode), err) < 0)
		return -1;
	return set_link_attr(writer, path, &inode, attr, err);
}

/* ---- removing ---- */

static int op_opaque(struct tree_writer *tree, const char *path, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir *dir;
	int found;

	if (!writer->belongs)
		return 0;
	found = walk_find_dir(writer, path, strlen(path), &dir, err);
	if (found <= 0)
		return found;
	if (unlink_lower(writer, dir, err) < 0)
		return err_add(err, "clear '%s'", path);
	return 0;
}

static int op_whiteout(struct tree_writer *tree, const char *path, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir_entry *entry;
	struct place at;
	int found;

	if (!writer->belongs)
		return 0;
	found = walk_find(writer, path, &at, err);
	if (found <= 0)
		return found;
	entry = dir_find(writer->dirs, at.dir, at.name, at.len);
	if (!entry)
		return 0;
	/* This layer's folder stays, but not what lower layers have in it. */
	if (entry->type == EXT2_FT_DIR && nameset_has(writer->belongs, entry->inode, "", 0))
		return op_opaque(tree, path, err);
	if (entry->type != EXT2_FT_DIR &&
	    nameset_has(writer->belongs, at.dir->number, at.name, at.len))
		return 0;
	return unlink_place(writer, &at, err);
}

static int op_discard(struct tree_writer *tree, const char *path, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct place at;
	int found = walk_find(writer, path, &at, err);

	return found <= 0 ? found : unlink_place(writer, &at, err);
}

static int op_look(struct tree_writer *tree, const char *path, mode_t *ret_type, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir_entry *entry = NULL;
	struct inode inode;
	struct place at;
	int found = walk_find(writer, path, &at, err);

	*ret_type = 0;
	if (found > 0)
		entry = dir_find(writer->dirs, at.dir, at.name, at.len);
	if (!entry)
		return found < 0 ? -1 : 0;
	if (inode_read(writer->fs, entry->inode, &inode, err) < 0)
		return err_add(err, "look at '%s'", path);
	*ret_type = inode_mode(&inode) & S_IFMT;
	return 0;
}

/* ---- layers ---- */

static int op_begin_layer(struct tree_writer *tree, bool base, struct error *err)
{
	struct writer *writer = writer_of(tree);

	(void)err;
	wfs_begin(writer->fs);
	walk_forget(writer);
	nameset_free(take_ptr(writer->belongs));
	if (!base)
		writer->belongs = nameset_new(MAX_NAMES);
	writer->removed = false;
	return 0;
}

static int op_enter(struct tree_writer *tree, const char *path, struct error *err)
{
	struct writer *writer = writer_of(tree);
	struct dir *dir;
	int found;

	writer->root = ROOT_INODE;
	walk_forget(writer);
	found = walk_find_dir(writer, path, strlen(path), &dir, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no folder '%s'", path);
	if (found > 0)
		writer->root = dir->number;
	return found < 0 ? -1 : 0;
}

static int op_end_layer(struct tree_writer *tree, bool *ret_removed, struct error *err)
{
	struct writer *writer = writer_of(tree);

	nameset_free(take_ptr(writer->belongs));
	if (dirs_write(writer->dirs, err) < 0 || xattrs_write(writer->xattrs, err) < 0 ||
	    group_fill_chunk(writer->fs, err) < 0 || blockio_drain(writer->fs->io, err) < 0)
		return -1;
	crash_point("blocks-of-content");
	if (wfs_write(writer->fs, err) < 0 || blockio_drain(writer->fs->io, err) < 0)
		return -1;
	crash_point("blocks-of-layer");
	if (writer->fs->freed)
		wfs_discard_freed(writer->fs);
	*ret_removed = writer->removed;
	return 0;
}

static const struct tree_writer_ops ops = {
	.begin_layer = op_begin_layer,
	.make_dir = op_make_dir,
	.open_file = op_open_file,
	.write_file = op_write_file,
	.close_file = op_close_file,
	.make_link = op_make_link,
	.make_symlink = op_make_symlink,
	.make_node = op_make_node,
	.whiteout = op_whiteout,
	.opaque = op_opaque,
	.discard = op_discard,
	.look = op_look,
	.enter = op_enter,
	.end_layer = op_end_layer,
};

int ext4w_open(const char *path, struct tree_writer **ret, struct error *err)
{
	auto_wfs struct wfs *fs = NULL;
	struct writer *writer;
	struct inode root;

	if (wfs_open(path, &fs, err) < 0)
		return -1;
	if (inode_read(fs, ROOT_INODE, &root, err) < 0)
		return err_add(err, "file system on %s", path);
	pages_touch_heap(HEAP_BYTES);
	writer = xcalloc(1, sizeof(*writer));
	writer->tree.ops = &ops;
	writer->root = ROOT_INODE;
	writer->dirs = dirs_new(fs);
	writer->xattrs = xattrs_new(fs);
	writer->fs = take_ptr(fs);
	*ret = &writer->tree;
	return 0;
}

void ext4w_free(struct tree_writer *tree)
{
	struct writer *writer = tree ? writer_of(tree) : NULL;

	if (!writer)
		return;
	dirs_free(writer->dirs);
	xattrs_free(writer->xattrs);
	nameset_free(writer->belongs);
	wfs_free(writer->fs);
	extent_list_done(&writer->extents);
	buf_done(&writer->last_path);
	free(writer->path);
	free(writer);
}

int ext4w_flush(struct tree_writer *tree, struct error *err)
{
	return blockio_sync(writer_of(tree)->fs->io, err);
}

void ext4w_sum(struct tree_writer *tree)
{
	blockio_sum(writer_of(tree)->fs->io);
}

struct blocksums *ext4w_take_sums(struct tree_writer *tree)
{
	return blockio_take_sums(writer_of(tree)->fs->io);
}

struct ext4w_room ext4w_room(const struct tree_writer *tree)
{
	const struct wfs *fs = writer_of(tree)->fs;
	uint64_t overhead = le32toh(fs->super.s_overhead_clusters);

	return (struct ext4w_room){
		.nr_bytes = (fs->nr_blocks - overhead) * BLOCK_BYTES,
		.free_bytes = fs->free_blocks * BLOCK_BYTES,
		.nr_inodes = fs->nr_inodes,
		.free_inodes = fs->free_inodes,
	};
}
