/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xattrs - the extended attributes of a file that is copied, all at once
 *
 * ACLs are attributes like any. The label of a machine's own policy is left out: it is
 * no part of what a file is.
 * Source: xattr(7)
 */
#ifndef BUILD_XATTRS_H
#define BUILD_XATTRS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/tree_writer.h"

/* Starts as { 0 } and is used for one file after the other. */
struct xattrs {
	struct tree_xattr *items; /* valid until the next file */
	size_t nr;
	struct buf names, values;
};

void xattrs_done(struct xattrs *xattrs);
#define auto_xattrs __attribute__((cleanup(xattrs_done)))

/**
 * xattrs_read - those of an open file
 *
 * None where the file system has none. Returns 0, or -1: ERR_LIMIT, ERR_IO.
 */
int xattrs_read(int fd, struct xattrs *ret, struct error *err);
/* Those of a name, which may be a link or a device. */
int xattrs_read_at(int dir_fd, const char *name, struct xattrs *ret, struct error *err);

#endif
