/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer - what the parts of the tree writer (ext4w.h) share
 *
 * Not for callers outside ext4w/. Finding folders is in walk.c, removing in unlink.c, regular
 * files in file.c, the operations of the seam in ext4w.c.
 */
#ifndef EXT4W_WRITER_H
#define EXT4W_WRITER_H

#include "base/nameset.h"
#include "base/tree_writer.h"
#include "ext4w/dirs.h"
#include "ext4w/extents.h"
#include "ext4w/itable.h"
#include "ext4w/wfs.h"
#include "ext4w/xattrs.h"

#define MAX_LINKS    65000u
#define FAST_SYMLINK 60u /* bytes of i_block; the target is shorter */

struct writer {
	struct tree_writer tree;
	struct wfs *fs;
	struct dirs *dirs;
	struct xattrs *xattrs;
	struct nameset *belongs; /* NULL in a base layer */
	bool removed;
	uint32_t root; /* the inode that paths begin at */
	/* The folder of the last entry: most entries follow one of the same folder. */
	struct buf last_path;
	uint32_t last_dir; /* 0: none */
	/* The file being written. */
	struct inode file;
	const struct tree_attr *attr;
	char *path; /* for messages */
	uint64_t size;
	struct extent_list extents;
	uint8_t *partial; /* its last block, not yet full; where it is to be written from */
	uint32_t partial_at;
};

static inline struct writer *writer_of(const struct tree_writer *tree)
{
	return (struct writer *)(uintptr_t)tree; /* its first member */
}

/* A folder and a name in it. */
struct place {
	const char *path;
	const char *name;
	size_t len;
	struct dir *dir;
};

/* ---- walk.c ---- */

/* The place of a new entry; its folders exist afterwards, and belong to the layer. */
int walk_make(struct writer *writer, const char *path, const struct tree_attr *attr,
	      struct place *ret, struct error *err);
/* The place of something that may be there. Returns 1, 0 when not even its folder is there, -1. */
int walk_find(struct writer *writer, const char *path, struct place *ret, struct error *err);
/* A folder, likewise; `len` bytes of path. */
int walk_find_dir(struct writer *writer, const char *path, size_t len, struct dir **ret,
		  struct error *err);
/* A folder and all above belong to the layer. */
int walk_belongs(struct writer *writer, const struct dir *dir, struct error *err);
/* Nothing that was found by a path is sure any more. */
void walk_forget(struct writer *writer);
/* The target of a symbolic link, appended. */
int walk_read_link(struct writer *writer, const struct inode *inode, struct buf *ret,
		   struct error *err);
/* A new folder at a place, with nothing but a mode; the parent knows it. Not written. */
int walk_add_dir(struct writer *writer, struct dir *parent, const char *name, size_t len,
		 mode_t mode, struct inode *ret, struct error *err);

/* ---- unlink.c ---- */

/* Removes what is at a place, if anything is. */
int unlink_place(struct writer *writer, const struct place *at, struct error *err);
/* Removes what does not belong to the layer in a folder and in those in it that do. */
int unlink_lower(struct writer *writer, struct dir *dir, struct error *err);

/* ---- file.c ---- */

/* @inode: new, with all that attr has but attributes; copied */
int file_open(struct writer *writer, const struct inode *inode, const char *path,
	      const struct tree_attr *attr, uint64_t size, struct error *err);
int file_write(struct writer *writer, const void *data, size_t len, uint64_t offset,
	       struct error *err);
int file_close(struct writer *writer, struct error *err);
/* One block of content, as a symbolic link has it. The inode is not written. */
int file_set_block(struct writer *writer, struct inode *inode, const void *data, size_t len,
		   struct error *err);

#endif
