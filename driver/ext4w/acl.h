/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl - POSIX access control lists: from the form of the system calls to that on an ext4 disk
 *
 * Not for callers outside ext4w/. Pure; rules and errors are the kernel's.
 * Source: Linux include/uapi/linux/posix_acl_xattr.h and fs/posix_acl.c, posix_acl_valid() and
 * posix_acl_equiv_mode(); on disk: a version word, then tag and permissions of 16 bits each, and
 * a number of 32 bits for named users and groups alone
 */
#ifndef EXT4W_ACL_H
#define EXT4W_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/**
 * acl_to_disk - check and translate
 * @ret:      reset and filled; empty for a list without entries
 * @ret_mode: the permissions that the list says, 0777; untouched for one without entries
 * @ret_is_mode: it says nothing beyond these
 *
 * Returns 0, or what the kernel would say: EINVAL, EOPNOTSUPP for another version.
 */
int acl_to_disk(const void *value, size_t len, struct buf *ret, mode_t *ret_mode,
		bool *ret_is_mode);

/* chmod(2) of a file with this list, in place. Returns false when it is none. */
bool acl_chmod(void *disk, size_t len, mode_t mode);

#endif
