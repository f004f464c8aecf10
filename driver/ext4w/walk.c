/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "ext4w/group.h"
#include "ext4w/writer.h"

#define MAX_SYMLINKS 40u /* as the kernel follows in one path */

int walk_read_link(struct writer *writer, const struct inode *inode, struct buf *ret,
		   struct error *err)
{
	auto_extent_list struct extent_list extents = { 0 };
	auto_free uint8_t *data = NULL;
	uint64_t size = inode_size(inode);

	if (!inode_has_flag(inode, EXT4_EXTENTS_FL) && size && size < FAST_SYMLINK) {
		buf_append(ret, inode->disk.i_block, size);
		return 0;
	}
	if (extents_read(writer->fs, inode, &extents, NULL, err) < 0)
		return -1;
	if (extents.nr != 1 || extents.items[0].logical || !size || size >= BLOCK_BYTES)
		return err_set(err, ERR_CORRUPT, "inode %u is an impossible link", inode->number);
	data = xmalloc(BLOCK_BYTES);
	if (blockio_read(writer->fs->io, extents.items[0].physical, 1, data, err) < 0)
		return -1;
	buf_append(ret, data, size);
	return 0;
}

/* ---- what the layer passes through ---- */

/* Up to the root: a number that is in the set may be that of a folder which is gone by now. */
int walk_belongs(struct writer *writer, const struct dir *dir, struct error *err)
{
	struct dir *at = NULL;
	uint32_t number = dir->number, parent = dir->parent;

	while (writer->belongs) {
		if (nameset_add(writer->belongs, number, "", 0, err) < 0)
			return -1;
		if (number == writer->root)
			return 0;
		if (dirs_get(writer->dirs, parent, &at, err) < 0)
			return -1;
		number = at->number;
		parent = at->parent;
	}
	return 0;
}

void walk_forget(struct writer *writer)
{
	writer->last_dir = 0;
}

/* ---- making folders ---- */

/* Beyond 65,000 the number of links is not counted, where the file system knows that. */
static int count_subdir(struct writer *writer, uint32_t parent, struct error *err)
{
	struct inode inode;
	uint32_t links;

	if (inode_read(writer->fs, parent, &inode, err) < 0)
		return -1;
	links = inode_links(&inode);
	if (links > 1 && ++links >= MAX_LINKS) {
		if (!writer->fs->has_dir_nlink)
			return err_sys(err, EMLINK, "create a folder");
		links = 1;
	}
	inode_set_links(&inode, links);
	return inode_write(writer->fs, &inode, err);
}

int walk_add_dir(struct writer *writer, struct dir *parent, const char *name, size_t len,
		 mode_t mode, struct inode *ret, struct error *err)
{
	uint32_t number;

	if (group_take_inode(writer->fs, true, &number, err) < 0 ||
	    count_subdir(writer, parent->number, err) < 0)
		return -1;
	inode_init(writer->fs, number, S_IFDIR | mode, ret);
	inode_set_links(ret, 2);
	dir_add(writer->dirs, parent, name, len, number, EXT2_FT_DIR);
	dirs_add(writer->dirs, number, parent->number);
	return 0;
}

/* What an entry needs to be there: 0755, root's, as old as the entry. */
static int make_missing(struct writer *writer, struct dir *parent, const char *name, size_t len,
			const struct timespec *mtime, uint32_t *ret, struct error *err)
{
	struct inode inode;

	if (walk_add_dir(writer, parent, name, len, 0755, &inode, err) < 0)
		return -1;
	inode_set_times(&inode, mtime, mtime);
	*ret = inode.number;
	return inode_write(writer->fs, &inode, err);
}

/* ---- walking ---- */

struct walk {
	struct writer *writer;
	const struct timespec *mtime; /* NULL: nothing is made */
	struct buf text;	      /* what is still to go, from `at` on */
	size_t at;
	unsigned int nr_links;
	struct dir *dir; /* where it is */
};

static void walk_done(struct walk *walk)
{
	buf_done(&walk->text);
}
#define auto_walk __attribute__((cleanup(walk_done)))

/* The target takes the place of the link's name. */
static int follow(struct walk *walk, uint32_t link, struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct inode inode;

	if (++walk->nr_links > MAX_SYMLINKS)
		return err_set(err, ERR_CORRUPT, "too many links on the way");
	if (inode_read(walk->writer->fs, link, &inode, err) < 0 ||
	    walk_read_link(walk->writer, &inode, &text, err) < 0)
		return -1;
	if (text.data[0] == '/' &&
	    dirs_get(walk->writer->dirs, walk->writer->root, &walk->dir, err) < 0)
		return -1;
	buf_append(&text, "/", 1);
	buf_append(&text, walk->text.data + walk->at, walk->text.len - walk->at);
	buf_done(&walk->text);
	walk->text = text;
	text = (struct buf){ 0 };
	walk->at = 0;
	return 0;
}

/* Into `name`. Returns 1, 0 when it is not there, -1. */
static int enter(struct walk *walk, const char *name, size_t len, struct error *err)
{
	struct writer *writer = walk->writer;
	struct dir_entry *entry;
	uint32_t number;

	if (len > NAME_LIMIT)
		return err_set(err, ERR_LIMIT, "'%.64s...': the name is too long", name);
	entry = dir_find(writer->dirs, walk->dir, name, len);
	if (entry && entry->type == EXT2_FT_SYMLINK)
		return follow(walk, entry->inode, err) < 0 ? -1 : 1;
	if (entry && entry->type != EXT2_FT_DIR)
		return err_set(err, ERR_CORRUPT, "something on the way is not a folder");
	if (!entry && !walk->mtime)
		return 0;
	if (entry)
		number = entry->inode;
	else if (make_missing(writer, walk->dir, name, len, walk->mtime, &number, err) < 0)
		return -1;
	return dirs_get(writer->dirs, number, &walk->dir, err) < 0 ? -1 : 1;
}

/* The root's parent is the root. */
static int leave(struct walk *walk, struct error *err)
{
	const struct writer *writer = walk->writer;

	if (walk->dir->number == writer->root)
		return 1;
	return dirs_get(writer->dirs, walk->dir->parent, &walk->dir, err) < 0 ? -1 : 1;
}

static int step(struct walk *walk, struct error *err)
{
	size_t start = walk->at;
	size_t len = strcspn(walk->text.data + start, "/");
	const char *name = walk->text.data + start;

	walk->at += len;
	walk->at += walk->at < walk->text.len;
	if (!len || (len == 1 && name[0] == '.'))
		return 1;
	if (len == 2 && memcmp(name, "..", 2) == 0)
		return leave(walk, err);
	return enter(walk, name, len, err);
}

static bool is_last(const struct writer *writer, const char *path, size_t len)
{
	return writer->last_dir && writer->last_path.len == len &&
	       memcmp(writer->last_path.data, path, len) == 0;
}

/* Returns 1, 0 when it is not there and is not to be made, -1. */
static int walk_to(struct writer *writer, const char *path, size_t len,
		   const struct timespec *mtime, struct dir **ret, struct error *err)
{
	auto_walk struct walk walk = { .writer = writer, .mtime = mtime };
	int more = 1;

	if (is_last(writer, path, len))
		return dirs_get(writer->dirs, writer->last_dir, ret, err) < 0 ? -1 : 1;
	buf_append(&walk.text, path, len);
	if (dirs_get(writer->dirs, writer->root, &walk.dir, err) < 0)
		return -1;
	while (more > 0 && walk.at < walk.text.len)
		more = step(&walk, err);
	if (more < 0)
		return err_add(err, "'%.*s'", (int)len, path);
	*ret = walk.dir;
	return more;
}

static size_t folder_len(const char *path, const char *name)
{
	return name > path ? (size_t)(name - path - 1) : 0;
}

int walk_make(struct writer *writer, const char *path, const struct tree_attr *attr,
	      struct place *ret, struct error *err)
{
	const char *name = path_base(path);
	size_t len = folder_len(path, name);

	*ret = (struct place){ .path = path, .name = name, .len = strlen(name) };
	if (dirs_trim(writer->dirs, err) < 0)
		return -1;
	if (walk_to(writer, path, len, &attr->mtime, &ret->dir, err) < 0)
		return -1;
	if (!is_last(writer, path, len) && walk_belongs(writer, ret->dir, err) < 0)
		return -1;
	if (ret->len > NAME_LIMIT)
		return err_set(err, ERR_LIMIT, "create '%.64s...': the name is too long", path);
	buf_reset(&writer->last_path);
	buf_append(&writer->last_path, path, len);
	writer->last_dir = ret->dir->number;
	return 0;
}

int walk_find_dir(struct writer *writer, const char *path, size_t len, struct dir **ret,
		  struct error *err)
{
	return walk_to(writer, path, len, NULL, ret, err);
}

int walk_find(struct writer *writer, const char *path, struct place *ret, struct error *err)
{
	const char *name = path_base(path);
	int found;

	*ret = (struct place){ .path = path, .name = name, .len = strlen(name) };
	found = walk_find_dir(writer, path, folder_len(path, name), &ret->dir, err);
	if (found > 0 && ret->len > NAME_LIMIT)
		return err_set(err, ERR_LIMIT, "'%.64s...': the name is too long", path);
	return found;
}
