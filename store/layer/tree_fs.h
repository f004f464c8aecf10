/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_fs - the tree writer that uses system calls beneath a directory
 *
 * Works on any file system; the reference for faster writers. Must run as root
 * of its user namespace for owners, devices and privileged attributes. Sets the
 * process's umask to 0 while it lives.
 *
 * A directory keeps its times when a layer only changes what is in it; one that
 * is created because an entry below needs it gets that entry's mtime.
 */
#ifndef LAYER_TREE_FS_H
#define LAYER_TREE_FS_H

#include "base/err.h"
#include "base/tree_writer.h"

/**
 * tree_fs_new - write beneath the directory that root_fd names
 * @root_fd: borrowed; nobody else changes the tree meanwhile
 *
 * The caller owns *ret; it may serve several layers one after the other.
 */
int tree_fs_new(int root_fd, struct tree_writer **ret, struct error *err);
/* What was done stays; a half-written file too. */
void tree_fs_free(struct tree_writer *tree);
static inline void tree_fs_free_(struct tree_writer **tree)
{
	tree_fs_free(*tree);
}
#define auto_tree_fs __attribute__((cleanup(tree_fs_free_)))

#endif
