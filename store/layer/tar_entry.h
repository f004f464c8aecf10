/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_entry - one tar header, as libarchive read it, in the tree writer's terms
 *
 * Source: pax(1); star(1) for SCHILY.xattr and SCHILY.acl; Linux
 * include/uapi/linux/posix_acl_xattr.h
 */
#ifndef LAYER_TAR_ENTRY_H
#define LAYER_TAR_ENTRY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/tree_writer.h"

struct archive_entry;

/* Starts as { 0 } and is used for one entry after the other. */
struct tar_entry {
	struct buf path;       /* clean; "" is the root */
	struct buf link;       /* hard link: the clean target; symbolic link: as it is */
	struct tree_attr attr; /* points into this struct and into the archive_entry */
	uint64_t size;	       /* of a regular file */
	struct tree_xattr *xattrs;
	size_t cap_xattrs;
	struct buf acls[2]; /* access, default; in the kernel's form */
};

/**
 * tar_entry_fill - check and translate a header
 *
 * Valid until the next header is read. Returns 0, or -1: ERR_CORRUPT for a name
 * that leaves the root or a number that cannot be; ERR_LIMIT.
 */
int tar_entry_fill(struct tar_entry *entry, struct archive_entry *header, struct error *err);
void tar_entry_done(struct tar_entry *entry);
#define auto_tar_entry __attribute__((cleanup(tar_entry_done)))

#endif
