/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_xattr - the extended attributes of an inode: inside of it and in its block
 *
 * Not for callers outside fs/. Errors are those of fs/ext4_image.
 */
#ifndef FS_EXT4_XATTR_H
#define FS_EXT4_XATTR_H

#include <stddef.h>

#include "base/err.h"
#include "fs/ext4_image.h"

/* The part of inline data that has no room in front of the attributes. Borrowed from inode. */
int ext4_inline_rest(const struct ext4_inode *inode, const void **ret, size_t *ret_len,
		     struct error *err);

/* Returns 1, 0, -1. Where they are stored makes no difference. */
int ext4_xattrs_differ(struct ext4_image *a_image, const struct ext4_inode *a,
		       struct ext4_image *b_image, const struct ext4_inode *b, struct error *err);

#endif
