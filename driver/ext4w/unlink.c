/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "ext4w/group.h"
#include "ext4w/writer.h"

/* Folders that still have to be looked at. Starts as { 0 }. */
struct numbers {
	uint32_t *items;
	size_t nr;
	size_t cap;
};

static void numbers_done(struct numbers *numbers)
{
	free(numbers->items);
}
#define auto_numbers __attribute__((cleanup(numbers_done)))

static void push(struct numbers *numbers, uint32_t number)
{
	if (numbers->nr == numbers->cap) {
		numbers->cap = numbers->cap ? numbers->cap * 2 : 16;
		numbers->items = xrealloc(numbers->items, numbers->cap * sizeof(*numbers->items));
	}
	numbers->items[numbers->nr++] = number;
}

/* Has it blocks of its own, other than for attributes? */
static bool has_content(const struct inode *inode)
{
	return inode_blocks(inode) > !!inode_xattr_block(inode);
}

static int free_content(struct writer *writer, const struct inode *inode, struct error *err)
{
	auto_extent_list struct extent_list extents = { 0 };

	if (!has_content(inode))
		return 0;
	if (extents_read(writer->fs, inode, &extents, &extents, err) < 0)
		return -1;
	for (size_t i = 0; i < extents.nr; i++)
		if (group_free_blocks(writer->fs, extents.items[i].physical, extents.items[i].nr,
				      err) < 0)
			return -1;
	return 0;
}

static int free_inode(struct writer *writer, const struct inode *inode, struct error *err)
{
	if (inode_has_flag(inode, EXT4_INLINE_DATA_FL | EXT4_EA_INODE_FL))
		return err_set(err, ERR_UNSUPPORTED,
			       "inode %u keeps its content in a way that is "
			       "not known here",
			       inode->number);
	if (free_content(writer, inode, err) < 0 ||
	    xattrs_release(writer->xattrs, inode, err) < 0 ||
	    inode_erase(writer->fs, inode->number, err) < 0)
		return -1;
	return group_free_inode(writer->fs, inode->number, S_ISDIR(inode_mode(inode)), err);
}

static int read_removable(struct writer *writer, uint32_t number, struct inode *ret,
			  struct error *err)
{
	if (inode_read(writer->fs, number, ret, err) < 0)
		return -1;
	if (number < writer->fs->first_inode)
		return err_set(err, ERR_CORRUPT, "inode %u is not to be removed", number);
	if (inode_has_flag(ret, EXT2_IMMUTABLE_FL | EXT2_APPEND_FL))
		return err_sys(err, EPERM, "inode %u", number);
	return 0;
}

/* A name of a file went away. */
static int drop_link(struct writer *writer, uint32_t number, struct error *err)
{
	struct inode inode;

	if (read_removable(writer, number, &inode, err) < 0)
		return -1;
	if (S_ISDIR(inode_mode(&inode)))
		return err_set(err, ERR_CORRUPT, "inode %u is a folder", number);
	if (inode_links(&inode) == 1)
		return free_inode(writer, &inode, err);
	inode_set_links(&inode, inode_links(&inode) - 1);
	return inode_write(writer->fs, &inode, err);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* In the order of the inode tables: that of a folder would go through all of them again and again. */
static int drop_links(struct writer *writer, struct numbers *files, struct error *err)
{
	if (files->nr)
		qsort(files->items, files->nr, sizeof(*files->items), compare_numbers);
	for (size_t i = 0; i < files->nr; i++)
		if (drop_link(writer, files->items[i], err) < 0)
			return -1;
	return 0;
}

/* All that is in a folder, and itself. An inode that comes twice is erased by then: an error. */
static int remove_dir(struct writer *writer, uint32_t number, struct numbers *left,
		      struct error *err)
{
	auto_numbers struct numbers files = { 0 };
	struct inode inode;
	struct dir *dir;

	if (cancel_check(err) < 0 || read_removable(writer, number, &inode, err) < 0 ||
	    dirs_get(writer->dirs, number, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir->nr; i++) {
		const struct dir_entry *entry = &dir->entries[i];

		if (entry->inode)
			push(entry->type == EXT2_FT_DIR ? left : &files, entry->inode);
	}
	dirs_drop(writer->dirs, number);
	if (drop_links(writer, &files, err) < 0)
		return -1;
	return free_inode(writer, &inode, err);
}

static int remove_tree(struct writer *writer, uint32_t number, struct error *err)
{
	auto_numbers struct numbers left = { 0 };

	push(&left, number);
	while (left.nr)
		if (remove_dir(writer, left.items[--left.nr], &left, err) < 0)
			return -1;
	return 0;
}

/* A number of 1 says that there are too many to count. */
static int uncount_subdir(struct writer *writer, uint32_t parent, struct error *err)
{
	struct inode inode;

	if (inode_read(writer->fs, parent, &inode, err) < 0)
		return -1;
	if (inode_links(&inode) <= 2)
		return 0;
	inode_set_links(&inode, inode_links(&inode) - 1);
	return inode_write(writer->fs, &inode, err);
}

static void forget_entry(struct writer *writer, struct dir *dir, struct dir_entry *entry)
{
	dir_remove(dir, entry);
	walk_forget(writer);
	writer->removed = true;
}

static int unlink_entry(struct writer *writer, struct dir *dir, struct dir_entry *entry,
			struct error *err)
{
	uint32_t number = entry->inode;
	bool is_dir = entry->type == EXT2_FT_DIR;

	forget_entry(writer, dir, entry);
	if (!is_dir)
		return drop_link(writer, number, err);
	return remove_tree(writer, number, err) < 0 ? -1 : uncount_subdir(writer, dir->number, err);
}

int unlink_place(struct writer *writer, const struct place *at, struct error *err)
{
	struct dir_entry *entry = dir_find(writer->dirs, at->dir, at->name, at->len);

	if (!entry)
		return 0;
	if (unlink_entry(writer, at->dir, entry, err) < 0)
		return err_add(err, "remove '%s'", at->path);
	return 0;
}

static bool entry_belongs(const struct writer *writer, const struct dir *dir,
			  const struct dir_entry *entry)
{
	if (entry->type == EXT2_FT_DIR)
		return nameset_has(writer->belongs, entry->inode, "", 0);
	return nameset_has(writer->belongs, dir->number, dir_name(dir, entry), entry->len);
}

static int clear_dir(struct writer *writer, uint32_t number, struct numbers *left,
		     struct error *err)
{
	auto_numbers struct numbers files = { 0 };
	struct dir *dir;

	if (cancel_check(err) < 0 || dirs_get(writer->dirs, number, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir->nr; i++) {
		struct dir_entry *entry = &dir->entries[i];

		if (!entry->inode)
			continue;
		if (entry_belongs(writer, dir, entry)) {
			if (entry->type == EXT2_FT_DIR)
				push(left, entry->inode);
		} else if (entry->type == EXT2_FT_DIR) {
			if (unlink_entry(writer, dir, entry, err) < 0)
				return -1;
		} else {
			push(&files, entry->inode);
			forget_entry(writer, dir, entry);
		}
	}
	return drop_links(writer, &files, err);
}

int unlink_lower(struct writer *writer, struct dir *dir, struct error *err)
{
	auto_numbers struct numbers left = { 0 };

	push(&left, dir->number);
	while (left.nr)
		if (clear_dir(writer, left.items[--left.nr], &left, err) < 0)
			return -1;
	return 0;
}
