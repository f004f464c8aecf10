/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xattrs - the extended attributes of inodes: inside of them, else in a block that equals share
 *
 * Not for callers outside ext4w/. What fits where, and what cannot be, is as in the kernel, so
 * that the same attributes are accepted. Blocks made by this layer are shared by inodes with the
 * same attributes, up to the 1,024 that the format allows; of these blocks 64 are remembered.
 * Source: Linux Documentation/filesystems/ext4/attributes.rst
 */
#ifndef EXT4W_XATTRS_H
#define EXT4W_XATTRS_H

#include "base/err.h"
#include "base/tree_writer.h"
#include "ext4w/itable.h"

struct xattrs;

/* @fs: borrowed. The caller owns the result. */
struct xattrs *xattrs_new(struct wfs *fs);
void xattrs_free(struct xattrs *xattrs);

/**
 * xattrs_set - an inode gets attributes beside, or in place of, those it has
 * @path: for messages
 *
 * What this kind of file cannot have is left out, with a line in the log. An ACL changes the mode.
 * ERR_LIMIT when they do not fit. The inode is not written.
 */
int xattrs_set(struct xattrs *xattrs, struct inode *inode, const struct tree_attr *attr,
	       const char *path, struct error *err);
/* What chmod(2) does, to the mode and to an ACL. */
int xattrs_chmod(struct xattrs *xattrs, struct inode *inode, mode_t mode, struct error *err);
/* What chown(2) does to a file's capabilities. */
int xattrs_drop_capability(struct xattrs *xattrs, struct inode *inode, struct error *err);
/* The inode goes away. */
int xattrs_release(struct xattrs *xattrs, const struct inode *inode, struct error *err);
/* The blocks of which the number of users changed. */
int xattrs_write(struct xattrs *xattrs, struct error *err);

#endif
