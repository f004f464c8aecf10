/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_header - one header of a tar, in the one form that this program writes
 *
 * A layer is named by the digest of its tar and is emitted from its volume
 * again whenever it is pushed, so these bytes may never change: not with the
 * version of a library, which is why none is used, and not with this program's.
 *
 * ustar. What does not fit there comes in a PAX header in front: a path or
 * target that is too long, a number that is too large, a time before 1970,
 * attributes as SCHILY.xattr.NAME. Records are sorted as they are listed here.
 * Owners have no names. Names are bytes, and nothing is said about charsets.
 * Source: POSIX pax(1), "ustar Interchange Format", "pax Header Block"
 */
#ifndef LAYER_TAR_HEADER_H
#define LAYER_TAR_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/tree_writer.h"

#define TAR_BLOCK_BYTES 512u

enum tar_type {
	TAR_FILE = '0',
	TAR_LINK = '1', /* a second name of an entry before it */
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
};

struct tar_header {
	const char *path; /* of a directory with a slash at the end */
	enum tar_type type;
	uint32_t mode; /* 07777 */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;			 /* of a TAR_FILE; else 0 */
	int64_t mtime;			 /* in whole seconds */
	const char *target;		 /* of a link; else NULL */
	uint32_t major_nr;		 /* of a device */
	uint32_t minor_nr;		 /* 20 bits */
	const struct tree_xattr *xattrs; /* sorted by name */
	size_t nr_xattrs;
};

/* Appends whole blocks; the file's content has to follow, padded to a block. */
void tar_header_write(const struct tar_header *header, struct buf *ret);

#endif
