/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/xattrs.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ext4w/acl.h"
#include "ext4w/group.h"
#include "ext4w/xattrset.h"

#define NR_BLOCKS  64u
#define MAX_NAME   255u
#define CAPABILITY "capability"

/* A block of attributes. Its number of users may be ahead of the disk. */
struct shared {
	uint64_t block; /* 0: free */
	uint32_t users;
	bool changed;
	bool is_new; /* made by this writer, so that it may get more users */
	uint8_t data[BLOCK_BYTES];
};

struct xattrs {
	struct wfs *fs;
	struct shared *blocks;
	unsigned int next; /* to give way */
};

struct xattrs *xattrs_new(struct wfs *fs)
{
	struct xattrs *xattrs = xcalloc(1, sizeof(*xattrs));

	xattrs->fs = fs;
	xattrs->blocks = xcalloc(NR_BLOCKS, sizeof(*xattrs->blocks));
	return xattrs;
}

void xattrs_free(struct xattrs *xattrs)
{
	if (!xattrs)
		return;
	free(xattrs->blocks);
	free(xattrs);
}

/* ---- blocks ---- */

/* The number of the block is part of it, so that one in a wrong place is found. */
static uint32_t block_csum(const struct wfs *fs, uint64_t block, const uint8_t *data)
{
	const size_t offset = offsetof(struct ext2_ext_attr_header, h_checksum);
	const uint32_t zero = 0;
	uint64_t number = htole64(block);
	uint32_t crc = wfs_crc(fs->csum_seed, &number, sizeof(number));

	crc = wfs_crc(crc, data, offset);
	crc = wfs_crc(crc, &zero, sizeof(zero));
	return wfs_crc(crc, data + offset + sizeof(zero), BLOCK_BYTES - offset - sizeof(zero));
}

static int write_shared(struct xattrs *xattrs, struct shared *shared, struct error *err)
{
	struct ext2_ext_attr_header header;

	memcpy(&header, shared->data, sizeof(header));
	header.h_refcount = htole32(shared->users);
	memcpy(shared->data, &header, sizeof(header));
	header.h_checksum = htole32(block_csum(xattrs->fs, shared->block, shared->data));
	memcpy(shared->data, &header, sizeof(header));
	shared->changed = false;
	return blockio_write(xattrs->fs->io, shared->block, 1, shared->data, err);
}

static int free_place(struct xattrs *xattrs, struct shared **ret, struct error *err)
{
	struct shared *shared = &xattrs->blocks[xattrs->next];

	xattrs->next = (xattrs->next + 1) % NR_BLOCKS;
	if (shared->block && shared->changed && write_shared(xattrs, shared, err) < 0)
		return -1;
	*shared = (struct shared){ 0 };
	*ret = shared;
	return 0;
}

static int get_shared(struct xattrs *xattrs, uint64_t block, struct shared **ret, struct error *err)
{
	struct ext2_ext_attr_header header;
	struct shared *shared;

	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		if (xattrs->blocks[i].block == block) {
			*ret = &xattrs->blocks[i];
			return 0;
		}
	if (free_place(xattrs, &shared, err) < 0 ||
	    blockio_read(xattrs->fs->io, block, 1, shared->data, err) < 0)
		return -1;
	memcpy(&header, shared->data, sizeof(header));
	shared->users = le32toh(header.h_refcount);
	if (le32toh(header.h_magic) != EXT2_EXT_ATTR_MAGIC || le32toh(header.h_blocks) != 1 ||
	    !shared->users || shared->users > EXT2_EXT_ATTR_REFCOUNT_MAX ||
	    le32toh(header.h_checksum) != block_csum(xattrs->fs, block, shared->data))
		return err_set(err, ERR_CORRUPT, "block %ju has no attributes", (uintmax_t)block);
	shared->block = block;
	*ret = shared;
	return 0;
}

static int release_block(struct xattrs *xattrs, uint64_t block, struct error *err)
{
	struct shared *shared;

	if (!block)
		return 0;
	if (get_shared(xattrs, block, &shared, err) < 0)
		return -1;
	shared->changed = true;
	if (--shared->users)
		return 0;
	*shared = (struct shared){ 0 };
	return group_free_blocks(xattrs->fs, block, 1, err);
}

/* But for what differs between two blocks of the same attributes: users and checksum. */
static bool same_content(const uint8_t *a, const uint8_t *b)
{
	const size_t skip = offsetof(struct ext2_ext_attr_header, h_blocks);
	const size_t hash = offsetof(struct ext2_ext_attr_header, h_hash);

	return memcmp(a + hash, b + hash, 4) == 0 && memcmp(a + skip, b + skip, 4) == 0 &&
	       memcmp(a + sizeof(struct ext2_ext_attr_header),
		      b + sizeof(struct ext2_ext_attr_header),
		      BLOCK_BYTES - sizeof(struct ext2_ext_attr_header)) == 0;
}

/* One more user of a block with this content, new or not. */
static int take_block(struct xattrs *xattrs, const uint8_t *data, uint64_t *ret, struct error *err)
{
	struct shared *shared;

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		shared = &xattrs->blocks[i];
		if (!shared->block || !shared->is_new ||
		    shared->users == EXT2_EXT_ATTR_REFCOUNT_MAX ||
		    !same_content(shared->data, data))
			continue;
		shared->users++;
		shared->changed = true;
		*ret = shared->block;
		return 0;
	}
	if (free_place(xattrs, &shared, err) < 0 || group_take_blocks(xattrs->fs, 1, ret, err) < 0)
		return -1;
	shared->block = *ret;
	shared->users = 1;
	shared->is_new = true;
	memcpy(shared->data, data, BLOCK_BYTES);
	return write_shared(xattrs, shared, err);
}

int xattrs_write(struct xattrs *xattrs, struct error *err)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		struct shared *shared = &xattrs->blocks[i];

		if (shared->block && shared->changed && write_shared(xattrs, shared, err) < 0)
			return -1;
		/* The next layer is another owner of what it shares. */
		shared->is_new = false;
	}
	return 0;
}

/* ---- the attributes of an inode ---- */

static size_t room_inside(const struct inode *inode)
{
	return INODE_BYTES - inode_body(inode);
}

static bool has_any(const struct inode *inode)
{
	uint32_t magic = 0;

	if (room_inside(inode) >= sizeof(magic))
		memcpy(&magic, inode->bytes + inode_body(inode), sizeof(magic));
	return inode_xattr_block(inode) || le32toh(magic) == EXT2_EXT_ATTR_MAGIC;
}

static int load(struct xattrs *xattrs, const struct inode *inode, struct xattrset *ret,
		struct error *err)
{
	uint64_t block = inode_xattr_block(inode);
	struct shared *shared;

	if (xattrset_read_inside(ret, inode->bytes + inode_body(inode), room_inside(inode), err) <
	    0)
		return -1;
	if (!block)
		return 0;
	if (get_shared(xattrs, block, &shared, err) < 0)
		return -1;
	return xattrset_read_block(ret, shared->data, err);
}

static int store(struct xattrs *xattrs, struct inode *inode, const struct xattrset *set,
		 struct error *err)
{
	auto_free uint8_t *data = xmalloc(BLOCK_BYTES);
	uint64_t old = inode_xattr_block(inode), block = 0;

	xattrset_write_inside(set, inode->bytes + inode_body(inode), room_inside(inode));
	if (xattrset_write_block(set, data) && take_block(xattrs, data, &block, err) < 0)
		return -1;
	inode_set_xattr_block(inode, block);
	inode_set_blocks(inode, inode_blocks(inode) - !!old + !!block);
	return release_block(xattrs, old, err);
}

/* ---- names ---- */

static const struct {
	const char *prefix;
	uint8_t index;
} prefixes[] = {
	{ "user.", XATTR_USER },
	{ "trusted.", XATTR_TRUSTED },
	{ "security.", XATTR_SECURITY },
	{ "gnu.", XATTR_HURD },
};

static bool split_name(const char *name, uint8_t *ret_index, const char **ret_rest)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, len) == 0) {
			*ret_index = prefixes[i].index;
			*ret_rest = name + len;
			return true;
		}
	}
	return false;
}

/* The kernel knows two forms, by their length. Source: Linux security/commoncap.c, validheader() */
static bool is_capability(const void *value, size_t len)
{
	uint32_t magic;

	if (len != XATTR_CAPS_SZ_2 && len != XATTR_CAPS_SZ_3)
		return false;
	memcpy(&magic, value, sizeof(magic));
	magic = le32toh(magic) & VFS_CAP_REVISION_MASK;
	return magic == (len == XATTR_CAPS_SZ_2 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3);
}

static int put(struct xattrset *set, const struct inode *inode, uint8_t index, const char *name,
	       const void *value, size_t len)
{
	return xattrset_put(set, index, name, value, len, room_inside(inode)) ? 0 : ENOSPC;
}

static int put_acl(struct xattrset *set, struct inode *inode, bool access,
		   const struct tree_xattr *xattr)
{
	uint8_t index = access ? XATTR_ACL_ACCESS : XATTR_ACL_DEFAULT;
	mode_t mode = inode_mode(inode), perms;
	struct xattr_item *old;
	auto_buf struct buf disk = { 0 };
	bool is_mode = false;
	int code;

	if (S_ISLNK(mode))
		return EOPNOTSUPP;
	code = acl_to_disk(xattr->value, xattr->len, &disk, &perms, &is_mode);
	if (code)
		return code;
	if (!access && !S_ISDIR(mode))
		return disk.len ? EACCES : 0;
	if (access && disk.len)
		inode_set_mode(inode, (mode & ~0777u) | perms);
	if (disk.len && !(access && is_mode))
		return put(set, inode, index, "", disk.data, disk.len);
	old = xattrset_find(set, index, "");
	if (old)
		xattrset_remove(set, old);
	return 0;
}

/* Returns 0, or the number that setxattr(2) would give. */
static int put_xattr(struct xattrset *set, struct inode *inode, const struct tree_xattr *xattr)
{
	mode_t mode = inode_mode(inode);
	const char *rest;
	uint8_t index;

	if (!*xattr->name || strlen(xattr->name) > MAX_NAME)
		return ERANGE;
	if (strcmp(xattr->name, "system.posix_acl_access") == 0)
		return put_acl(set, inode, true, xattr);
	if (strcmp(xattr->name, "system.posix_acl_default") == 0)
		return put_acl(set, inode, false, xattr);
	if (!split_name(xattr->name, &index, &rest))
		return EOPNOTSUPP;
	if (index == XATTR_USER && !S_ISREG(mode) && !S_ISDIR(mode))
		return EPERM;
	if (!*rest)
		return EINVAL;
	if (index == XATTR_SECURITY && strcmp(rest, CAPABILITY) == 0 &&
	    !is_capability(xattr->value, xattr->len))
		return EINVAL;
	return put(set, inode, index, rest, xattr->value, xattr->len);
}

static int cannot_set(const char *path, const struct tree_xattr *xattr, int number,
		      struct error *err)
{
	if (number == ENOSPC)
		return err_set(err, ERR_LIMIT,
			       "attribute '%s' of '%s': %zu bytes do not fit beside the others",
			       xattr->name, path, xattr->len);
	return err_sys(err, number, "set attribute '%s' of '%s'", xattr->name, path);
}

int xattrs_set(struct xattrs *xattrs, struct inode *inode, const struct tree_attr *attr,
	       const char *path, struct error *err)
{
	auto_xattrset struct xattrset set = { 0 };

	if (!attr->nr_xattrs)
		return 0;
	if (load(xattrs, inode, &set, err) < 0)
		return err_add(err, "'%s'", path);
	for (size_t i = 0; i < attr->nr_xattrs; i++) {
		const struct tree_xattr *xattr = &attr->xattrs[i];
		int code = put_xattr(&set, inode, xattr);

		if (!code)
			continue;
		if (code != EOPNOTSUPP && code != EPERM)
			return cannot_set(path, xattr, code, err);
		log_warn("attribute '%s' of '%s' is left out: %s", xattr->name, path,
			 strerror(code));
	}
	return store(xattrs, inode, &set, err);
}

int xattrs_chmod(struct xattrs *xattrs, struct inode *inode, mode_t mode, struct error *err)
{
	auto_xattrset struct xattrset set = { 0 };
	struct xattr_item *acl;

	inode_set_mode(inode, (inode_mode(inode) & S_IFMT) | mode);
	if (!has_any(inode))
		return 0;
	if (load(xattrs, inode, &set, err) < 0)
		return -1;
	acl = xattrset_find(&set, XATTR_ACL_ACCESS, "");
	if (!acl)
		return 0;
	if (!acl_chmod(acl->value, acl->len, mode))
		return err_set(err, ERR_CORRUPT, "inode %u has an impossible ACL", inode->number);
	return store(xattrs, inode, &set, err);
}

int xattrs_drop_capability(struct xattrs *xattrs, struct inode *inode, struct error *err)
{
	auto_xattrset struct xattrset set = { 0 };
	struct xattr_item *capability;

	if (!has_any(inode))
		return 0;
	if (load(xattrs, inode, &set, err) < 0)
		return -1;
	capability = xattrset_find(&set, XATTR_SECURITY, CAPABILITY);
	if (!capability)
		return 0;
	xattrset_remove(&set, capability);
	return store(xattrs, inode, &set, err);
}

int xattrs_release(struct xattrs *xattrs, const struct inode *inode, struct error *err)
{
	return release_block(xattrs, inode_xattr_block(inode), err);
}
