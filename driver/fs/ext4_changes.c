/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downwards from the root, by pairs of entries of one name. A pair of one inode
 * that did not change and leads to nothing changed is the same below, too: what
 * is reached from an unchanged directory is reached in the parent alike. That
 * every changed inode was met in the end shows that nothing was overlooked.
 */
#include "fs/ext4_changes.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "fs/ext4_dir.h"
#include "fs/ext4_pair.h"

#define PATH_BYTES_MAX 4096u /* PATH_MAX with its NUL: bounds the depth, too */

struct comparison {
	struct ext4_pair pair;
	const struct ext4_changes_args *args;
	struct buf path;
};

static void comparison_done(struct comparison *comparison)
{
	ext4_pair_done(&comparison->pair);
	buf_done(&comparison->path);
}
#define auto_comparison __attribute__((cleanup(comparison_done)))

static int tell(struct comparison *cmp, enum ext4_change change, bool is_dir, struct error *err)
{
	return cmp->args->found(cmp->args->ctx, change, cmp->path.data, is_dir, err);
}

/* Returns the length to go back to with leave_name(), -1. */
static int enter_name(struct comparison *cmp, const char *name, struct error *err)
{
	size_t len = cmp->path.len;

	if (len + 1 + strlen(name) >= PATH_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the path '%.64s...' is too long", cmp->path.data);
	if (len)
		buf_putc(&cmp->path, '/');
	buf_puts(&cmp->path, name);
	return (int)len;
}

static void leave_name(struct comparison *cmp, int len)
{
	cmp->path.len = (size_t)len;
	cmp->path.data[len] = '\0';
}

/* An inode that a name leads to. */
static int read_named(struct ext4_image *image, uint32_t number, struct ext4_inode *ret,
		      struct error *err)
{
	int in_use = ext4_read_inode(image, number, ret, err);

	if (in_use == 0)
		return err_set(err, ERR_CORRUPT, "a name leads to inode %u, which is free", number);
	return in_use < 0 ? -1 : 0;
}

static int read_dir(struct ext4_image *image, const struct ext4_inode *inode, uint32_t parent,
		    struct ext4_dir *ret, struct error *err)
{
	if (ext4_dir_read(image, inode, ret, err) < 0)
		return -1;
	if (ret->parent != parent)
		return err_set(err, ERR_CORRUPT, "directory inode %u: '..' leads elsewhere",
			       inode->number);
	return 0;
}

/* A directory has one name, so the child's are each met once: no way leads in circles. */
static int meet(struct comparison *cmp, const struct ext4_inode *child, struct error *err)
{
	struct ext4_known *known = ext4_inodes_find(&cmp->pair.inodes, child->number);

	if (S_ISDIR(ext4_inode_mode(child))) {
		known = ext4_inodes_add(&cmp->pair.inodes, child->number);
		if (known->flags & INODE_MET)
			return err_set(err, ERR_CORRUPT, "directory inode %u has two names",
				       child->number);
	}
	if (known)
		known->flags |= INODE_MET;
	return 0;
}

static int add_tree(struct comparison *cmp, const struct ext4_entry *entry, uint32_t parent,
		    struct error *err);

static int add_entries(struct comparison *cmp, const struct ext4_inode *child, uint32_t parent,
		       struct error *err)
{
	auto_ext4_dir struct ext4_dir dir = { 0 };

	if (read_dir(cmp->pair.child, child, parent, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir.nr; i++)
		if (add_tree(cmp, &dir.entries[i], child->number, err) < 0)
			return -1;
	return 0;
}

static int add_tree(struct comparison *cmp, const struct ext4_entry *entry, uint32_t parent,
		    struct error *err)
{
	int len = enter_name(cmp, entry->name, err);
	struct ext4_inode child;
	bool is_dir;

	if (len < 0 || cancel_check(err) < 0 ||
	    read_named(cmp->pair.child, entry->inode, &child, err) < 0)
		return -1;
	is_dir = S_ISDIR(ext4_inode_mode(&child));
	if (tell(cmp, EXT4_ADDED, is_dir, err) < 0 || meet(cmp, &child, err) < 0 ||
	    (is_dir && add_entries(cmp, &child, parent, err) < 0))
		return -1;
	leave_name(cmp, len);
	return 0;
}

static int delete_tree(struct comparison *cmp, const struct ext4_entry *entry, struct error *err)
{
	int len = enter_name(cmp, entry->name, err);
	struct ext4_inode parent;

	if (len < 0 || read_named(cmp->pair.parent, entry->inode, &parent, err) < 0 ||
	    tell(cmp, EXT4_DELETED, S_ISDIR(ext4_inode_mode(&parent)), err) < 0)
		return -1;
	leave_name(cmp, len);
	return 0;
}

/* Where a pair of directories is: the inodes that their ".." must name. */
struct above {
	uint32_t parent;
	uint32_t child;
};

static int compare_dirs(struct comparison *cmp, const struct ext4_inode *parent,
			const struct ext4_inode *child, const struct above *above,
			struct error *err);

static int compare_inodes(struct comparison *cmp, const struct ext4_inode *parent,
			  const struct ext4_inode *child, const struct above *above,
			  struct error *err)
{
	bool was_dir = S_ISDIR(ext4_inode_mode(parent)), is_dir = S_ISDIR(ext4_inode_mode(child));
	int differs = ext4_pair_differ(&cmp->pair, parent, child, err);

	if (differs < 0 || meet(cmp, child, err) < 0 ||
	    (differs && tell(cmp, EXT4_CHANGED, is_dir, err) < 0))
		return -1;
	if (!is_dir)
		return 0;
	if (was_dir)
		return compare_dirs(cmp, parent, child, above, err);
	return add_entries(cmp, child, above->child, err);
}

static int compare_entries(struct comparison *cmp, const struct ext4_entry *old,
			   const struct ext4_entry *new, const struct above *above,
			   struct error *err)
{
	struct ext4_inode parent, child;
	int len;

	if (old->inode == new->inode) {
		const struct ext4_known *known = ext4_inodes_find(&cmp->pair.inodes, new->inode);

		if (!known || !(known->flags & (INODE_CHANGED | INODE_LEADS)))
			return 0;
	}
	len = enter_name(cmp, new->name, err);
	if (len < 0 || cancel_check(err) < 0 ||
	    read_named(cmp->pair.parent, old->inode, &parent, err) < 0 ||
	    read_named(cmp->pair.child, new->inode, &child, err) < 0 ||
	    compare_inodes(cmp, &parent, &child, above, err) < 0)
		return -1;
	leave_name(cmp, len);
	return 0;
}

/* Both have the same entries. */
static int compare_unchanged(struct comparison *cmp, const struct ext4_dir *dir, uint32_t inode,
			     struct error *err)
{
	struct above above = { inode, inode };

	for (size_t i = 0; i < dir->nr; i++)
		if (compare_entries(cmp, &dir->entries[i], &dir->entries[i], &above, err) < 0)
			return -1;
	return 0;
}

static int merge_dirs(struct comparison *cmp, const struct ext4_dir *old,
		      const struct ext4_dir *new, const struct above *above, struct error *err)
{
	size_t i = 0, k = 0;
	int result = 0;

	while (result == 0 && (i < old->nr || k < new->nr)) {
		int order = i == old->nr   ? 1
			    : k == new->nr ? -1
					   : strcmp(old->entries[i].name, new->entries[k].name);

		if (order < 0)
			result = delete_tree(cmp, &old->entries[i++], err);
		else if (order > 0)
			result = add_tree(cmp, &new->entries[k++], above->child, err);
		else
			result = compare_entries(cmp, &old->entries[i++], &new->entries[k++], above,
						 err);
	}
	return result;
}

static int compare_dirs(struct comparison *cmp, const struct ext4_inode *parent,
			const struct ext4_inode *child, const struct above *above,
			struct error *err)
{
	const struct ext4_known *known = ext4_inodes_find(&cmp->pair.inodes, child->number);
	struct above here = { parent->number, child->number };
	auto_ext4_dir struct ext4_dir old = { 0 };
	auto_ext4_dir struct ext4_dir new = { 0 };

	if (read_dir(cmp->pair.child, child, above->child, &new, err) < 0)
		return -1;
	if (parent->number == child->number && !(known && known->flags & INODE_CHANGED))
		return compare_unchanged(cmp, &new, child->number, err);
	if (read_dir(cmp->pair.parent, parent, above->parent, &old, err) < 0)
		return -1;
	return merge_dirs(cmp, &old, &new, &here, err);
}

static int compare_roots(struct comparison *cmp, struct error *err)
{
	static const struct above above = { EXT4_ROOT_INODE, EXT4_ROOT_INODE };
	struct ext4_inode parent, child;

	if (read_named(cmp->pair.parent, EXT4_ROOT_INODE, &parent, err) < 0 ||
	    read_named(cmp->pair.child, EXT4_ROOT_INODE, &child, err) < 0)
		return -1;
	if (!S_ISDIR(ext4_inode_mode(&parent)) || !S_ISDIR(ext4_inode_mode(&child)))
		return err_set(err, ERR_CORRUPT, "the root is no directory");
	if (meet(cmp, &child, err) < 0)
		return -1;
	return compare_dirs(cmp, &parent, &child, &above, err);
}

static int check_all_met(const struct ext4_inodes *set, struct error *err)
{
	for (size_t i = 0; i < set->cap; i++) {
		unsigned flags = set->slots[i].flags;

		if ((flags & (INODE_CHANGED | INODE_LEADS)) && !(flags & INODE_MET))
			return err_set(err, ERR_CORRUPT, "inode %u has changed, but has no path",
				       set->slots[i].inode);
	}
	return 0;
}

static int compare(struct comparison *cmp, struct error *err)
{
	if (ext4_pair_open(cmp->args, &cmp->pair, err) < 0 || ext4_pair_scan(&cmp->pair, err) < 0 ||
	    ext4_pair_search(&cmp->pair, err) < 0)
		return -1;
	buf_puts(&cmp->path, "");
	if (cmp->pair.inodes.nr && compare_roots(cmp, err) < 0)
		return -1;
	return check_all_met(&cmp->pair.inodes, err);
}

int ext4_changes(const struct ext4_changes_args *args, struct ext4_changes_cost *ret,
		 struct error *err)
{
	auto_comparison struct comparison cmp = { .args = args };

	if (compare(&cmp, err) < 0)
		return err_add(err, "changes between %s and %s", args->parent, args->child);
	*ret = (struct ext4_changes_cost){
		.blocks_read =
			ext4_image_nr_read(cmp.pair.parent) + ext4_image_nr_read(cmp.pair.child),
		.inodes_changed = cmp.pair.nr_changed,
		.inodes_searched = cmp.pair.nr_searched,
	};
	return 0;
}
