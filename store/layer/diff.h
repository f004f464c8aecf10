/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff - the paths in which a volume differs from its parent, as `diff` lists them
 *
 * Found by blocks where the file system allows it, else by walking both trees.
 * Both ways have the same rules, fs/ext4_changes.h's, and give the same list.
 * Source: spec/cli.md, diff; spec/registry-and-archive.md section 4, "Finding changes"
 */
#ifndef LAYER_DIFF_H
#define LAYER_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "volume.h"

/* As they are printed. */
enum change_kind {
	CHANGE_ADDED = 'A',
	CHANGE_MODIFIED = 'C', /* also a directory of which only the entries changed */
	CHANGE_DELETED = 'D',  /* of a tree only the top */
};

struct change {
	enum change_kind kind;
	bool is_dir; /* in the child; of what was deleted, in the parent */
	char *path;  /* relative, without a slash in front; bytes */
};

/* Sorted bytewise by path; every directory above an entry has one. Starts as { 0 }. */
struct change_list {
	struct change *items;
	size_t nr;
	size_t cap;
	bool walked;	      /* the trees were walked, and the rest is 0 */
	uint64_t blocks_read; /* of 4096 bytes, from both volumes */
	uint64_t nodes_read;  /* metadata blocks of the pool */
};

void change_list_done(struct change_list *list);
#define auto_change_list __attribute__((cleanup(change_list_done)))

struct diff_args {
	struct volume_pool *pool;
	uint32_t parent_id;
	uint32_t child_id;    /* nobody writes to either */
	uint64_t child_bytes; /* size of its device; 0: the pool's size for volumes */
	/* Paths that do not show, with what is below them; NULL at the end; may be NULL. */
	const char *const *hidden;
	bool walk; /* do not look at blocks: for tests, and for whoever doubts */
};

/**
 * diff_volumes - what changed from one volume to the other
 * @ret: filled on success, untouched on failure
 *
 * `lost+found` is a directory as any other: the template has none, so who has one
 * made it. Returns 0, or -1: ERR_LIMIT for a path that is too long, ERR_NOT_FOUND,
 * ERR_IO, ERR_CANCELLED.
 */
int diff_volumes(const struct diff_args *args, struct change_list *ret, struct error *err);

/**
 * diff_trees - the same for two directories, by walking
 * @parent_fd: -1: an empty one, so that everything in child_fd was added
 *
 * Files that have the same inode number and ctime in both are taken as equal
 * unread: the two trees must be states of one file system, or have none in common.
 */
int diff_trees(int parent_fd, int child_fd, const char *const *hidden, struct change_list *ret,
	       struct error *err);

#endif
