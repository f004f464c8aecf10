/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_remove - deleting in a tree that nobody else changes, by descriptors
 *
 * No link is followed, and memory and descriptors stay few however deep the
 * tree is: what lies too deep is first moved up.
 */
#ifndef LAYER_TREE_REMOVE_H
#define LAYER_TREE_REMOVE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/nameset.h"

/* Removes the directory `name` in dir_fd with all that is in it. ERR_CANCELLED, ERR_IO. */
int tree_remove(int dir_fd, const char *name, struct error *err);

/**
 * tree_remove_others - remove what does not belong below the directory dir_fd
 * @belongs: a member (inode, "") is a directory that stays, and is looked into;
 *           (inode of its directory, name) anything else that stays
 * @ret_removed: set to true when anything was removed, else untouched
 *
 * Directories that stay keep their times. ERR_LIMIT when they are nested deeper
 * than LIMIT_TREE_DEPTH.
 */
int tree_remove_others(int dir_fd, const struct nameset *belongs, bool *ret_removed,
		       struct error *err);

#endif
