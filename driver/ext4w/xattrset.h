/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xattrset - the attributes of one inode in memory, and their form in an inode and in a block
 *
 * Not for callers outside ext4w/. Pure: memory in, memory out.
 * Source: Linux Documentation/filesystems/ext4/attributes.rst
 */
#ifndef EXT4W_XATTRSET_H
#define EXT4W_XATTRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What stands for the beginning of a name. */
enum {
	XATTR_USER = 1,
	XATTR_ACL_ACCESS = 2,
	XATTR_ACL_DEFAULT = 3,
	XATTR_TRUSTED = 4,
	XATTR_SECURITY = 6,
	XATTR_HURD = 10,
};

struct xattr_item {
	uint8_t index;
	char *name; /* behind that beginning */
	uint8_t name_len;
	uint8_t *value;
	uint32_t len;
	bool inside; /* of the inode */
};

/* Starts as { 0 }. */
struct xattrset {
	struct xattr_item *items;
	size_t nr;
	size_t cap;
};

void xattrset_done(struct xattrset *set);
#define auto_xattrset __attribute__((cleanup(xattrset_done)))

struct xattr_item *xattrset_find(const struct xattrset *set, uint8_t index, const char *name);
void xattrset_remove(struct xattrset *set, struct xattr_item *item);

/**
 * xattrset_put - add an attribute, or replace its value
 * @room: bytes inside of the inode, with the magic number
 *
 * Inside while it fits there, else in the block. Returns false, and changes nothing, when it fits
 * in neither.
 */
bool xattrset_put(struct xattrset *set, uint8_t index, const char *name, const void *value,
		  size_t len, size_t room);

/* Appends what is at data, the space behind an inode's fields or a whole block. ERR_CORRUPT. */
int xattrset_read_inside(struct xattrset *set, const uint8_t *data, size_t len, struct error *err);
int xattrset_read_block(struct xattrset *set, const uint8_t *data, struct error *err);

/* Fills the space; zeros when there are none. */
void xattrset_write_inside(const struct xattrset *set, uint8_t *data, size_t len);
/* A block with one user and without a checksum. Returns false when no attribute belongs there. */
bool xattrset_write_block(const struct xattrset *set, uint8_t *data);

#endif
