/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filehash - the content hash of one file for cache keys: what it is and what it holds, never when
 *
 * Pure: the caller reads the file. Every field is written with its length, so that no
 * two records give the same bytes.
 * Source: spec/dockerfile.md, section 6.
 */
#ifndef BUILD_FILEHASH_H
#define BUILD_FILEHASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/tree_writer.h"

struct filehash_record {
	const char *name; /* as the operation sees it; "" where it does not matter */
	mode_t mode;	  /* type and permissions */
	uid_t uid;
	gid_t gid;
	uint64_t size_bytes; /* of a regular file; of others it is not looked at */
	const char *link;    /* target of a symbolic link; NULL for others */
	dev_t rdev;	     /* of a device */
	struct tree_xattr *xattrs;
	size_t nr_xattrs;
};

/* Writes the record into a running hash; xattrs are sorted by name. The content follows. */
void filehash_add(struct hasher *hasher, struct filehash_record *record);

/* The hash of a record without content. */
void filehash_of(struct filehash_record *record, struct digest *ret);

/* One field, with its length: for other hashes that must not be ambiguous. */
void filehash_field(struct hasher *hasher, const void *data, size_t len);
void filehash_number(struct hasher *hasher, uint64_t value);

#endif
