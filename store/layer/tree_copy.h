/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_copy - a tree writer for files that are copied into a folder that is in use
 *
 * It passes everything on to another writer, with paths below the folder. A
 * directory is never replaced by something else, nor the other way round, and
 * the folder itself keeps its attributes. There are no whiteouts.
 * Source: moby/go-archive archive.go, NoOverwriteDirNonDir
 */
#ifndef LAYER_TREE_COPY_H
#define LAYER_TREE_COPY_H

#include "base/err.h"
#include "base/tree_writer.h"

/* Borrowed; must outlive the writer. */
struct tree_copy_args {
	struct tree_writer *under; /* that can look */
	const char *folder;	   /* exists; clean, relative to the root, "" is the root */
	const char *shown;	   /* the folder as messages call it */
};

struct tree_copy {
	struct tree_writer tree;
	struct tree_copy_args args;
	char *path;
	char *target;
};

/* ERR_IN_USE: "cannot overwrite directory …". */
void tree_copy_init(const struct tree_copy_args *args, struct tree_copy *ret);
void tree_copy_done(struct tree_copy *copy);
#define auto_tree_copy __attribute__((cleanup(tree_copy_done)))

#endif
