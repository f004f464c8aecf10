/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_writer - what a tar reader may do to a file tree: the seam between them
 *
 * An implementation starts its own struct with a struct tree_writer. The tar
 * reader calls begin_layer, then operations in the order of the tar, then
 * end_layer; after an error only the implementation's own free.
 *
 * Paths are clean as path_clean() makes them: relative, without "." and "..";
 * "" is the root, which only make_dir and opaque accept. Bytes are not
 * necessarily UTF-8. Every parent is resolved inside the root, links re-rooted;
 * the last component is never followed. What is missing on the way is created,
 * 0755 and root's. Whatever is at the path already gives way, except that a
 * directory stays where a directory is asked for, and takes the new attributes.
 *
 * An entry *belongs to the layer* when the layer made it, merged it or passed
 * through it as a parent. Whiteouts and opaque markers spare what belongs.
 */
#ifndef BASE_TREE_WRITER_H
#define BASE_TREE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"

/* What an entry takes at least: an inode, its name, half a block that a file's end leaves empty. */
#define TREE_ENTRY_BYTES 2560

struct tree_xattr {
	const char *name; /* "security.capability", "system.posix_acl_access", "user.x" */
	const void *value;
	size_t len;
};

/* Borrowed during the call. */
struct tree_attr {
	mode_t mode; /* 07777: permissions, set-id and sticky bits */
	uid_t uid;
	gid_t gid;
	struct timespec mtime; /* already inside what the file system can hold */
	struct timespec atime;
	const struct tree_xattr *xattrs; /* a folder that was there keeps its others */
	size_t nr_xattrs;
};

struct tree_writer;

struct tree_writer_ops {
	/* @base: nothing lies below, so whiteouts find nothing and need no memory. */
	int (*begin_layer)(struct tree_writer *tree, bool base, struct error *err);

	int (*make_dir)(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			struct error *err);
	/*
	 * One file is open at a time: open, writes with rising offsets (what
	 * is left out reads as zeros), close. attr stays valid until close.
	 * @size: the length the file will have
	 */
	int (*open_file)(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			 uint64_t size, struct error *err);
	int (*write_file)(struct tree_writer *tree, const void *data, size_t len, uint64_t offset,
			  struct error *err);
	int (*close_file)(struct tree_writer *tree, struct error *err);
	/* A second name for target, clean too, which may be a link itself but not a directory. */
	int (*make_link)(struct tree_writer *tree, const char *path, const char *target,
			 const struct tree_attr *attr, struct error *err);
	int (*make_symlink)(struct tree_writer *tree, const char *path, const char *target,
			    const struct tree_attr *attr, struct error *err);
	/* @type: S_IFCHR, S_IFBLK or S_IFIFO */
	int (*make_node)(struct tree_writer *tree, const char *path, mode_t type, dev_t dev,
			 const struct tree_attr *attr, struct error *err);

	/* Removes what lower layers have at path; nothing there is fine. */
	int (*whiteout)(struct tree_writer *tree, const char *path, struct error *err);
	/* Removes what lower layers have inside path; no such directory is fine. */
	int (*opaque)(struct tree_writer *tree, const char *path, struct error *err);
	/* Removes path, whoever it belongs to; nothing there is fine. */
	int (*discard)(struct tree_writer *tree, const char *path, struct error *err);

	/*
	 * The type of what is at path, as S_IFMT has it; 0: nothing is. NULL in a writer of which
	 * nobody asks that.
	 */
	int (*look)(struct tree_writer *tree, const char *path, mode_t *ret_type,
		    struct error *err);

	/*
	 * Between layers: the tree is this folder from now on, which exists, and nothing leaves it;
	 * "" is all of it again. NULL in a writer of which nobody asks that.
	 */
	int (*enter)(struct tree_writer *tree, const char *path, struct error *err);

	/*
	 * Everything is in the tree with its final attributes. Not synced.
	 * @ret_removed: something of a lower layer was deleted, so there is
	 *               space to give back
	 */
	int (*end_layer)(struct tree_writer *tree, bool *ret_removed, struct error *err);
};

struct tree_writer {
	const struct tree_writer_ops *ops;
};

#endif
