/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>

#define DISK_VERSION 1u

struct entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

static struct entry get_entry(const uint8_t *value, size_t at)
{
	struct posix_acl_xattr_entry raw;

	memcpy(&raw, value + sizeof(struct posix_acl_xattr_header) + at * sizeof(raw), sizeof(raw));
	return (struct entry){ le16toh(raw.e_tag), le16toh(raw.e_perm), le32toh(raw.e_id) };
}

static bool is_named(uint16_t tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

/* Owner, named users, owning group, named groups, mask, others: in this order, and none missing. */
struct order {
	uint16_t next;
	bool needs_mask;
};

static bool follows(struct order *order, const struct entry *entry)
{
	bool ok;

	if (entry->perm & ~7 || (is_named(entry->tag) && entry->id == UINT32_MAX))
		return false;
	switch (entry->tag) {
	case ACL_USER_OBJ:
		ok = order->next == ACL_USER_OBJ;
		order->next = ACL_USER;
		return ok;
	case ACL_USER:
		order->needs_mask = true;
		return order->next == ACL_USER;
	case ACL_GROUP_OBJ:
		ok = order->next == ACL_USER;
		order->next = ACL_GROUP;
		return ok;
	case ACL_GROUP:
		order->needs_mask = true;
		return order->next == ACL_GROUP;
	case ACL_MASK:
		ok = order->next == ACL_GROUP;
		order->next = ACL_OTHER;
		return ok;
	case ACL_OTHER:
		ok = order->next == ACL_OTHER || (order->next == ACL_GROUP && !order->needs_mask);
		order->next = 0;
		return ok;
	default:
		return false;
	}
}

static mode_t add_to_mode(mode_t mode, const struct entry *entry)
{
	switch (entry->tag) {
	case ACL_USER_OBJ:
		return mode | (mode_t)entry->perm << 6;
	case ACL_GROUP_OBJ:
		return mode | (mode_t)entry->perm << 3;
	case ACL_MASK:
		return (mode & ~070u) | (mode_t)entry->perm << 3;
	case ACL_OTHER:
		return mode | entry->perm;
	default:
		return mode;
	}
}

static void put_entry(struct buf *ret, const struct entry *entry)
{
	uint16_t head[2] = { htole16(entry->tag), htole16(entry->perm) };
	uint32_t id = htole32(entry->id);

	buf_append(ret, head, sizeof(head));
	if (is_named(entry->tag))
		buf_append(ret, &id, sizeof(id));
}

int acl_to_disk(const void *value, size_t len, struct buf *ret, mode_t *ret_mode, bool *ret_is_mode)
{
	struct order order = { .next = ACL_USER_OBJ };
	uint32_t version = htole32(DISK_VERSION);
	struct posix_acl_xattr_header header;
	bool is_mode = true;
	mode_t mode = 0;
	size_t nr;

	buf_reset(ret);
	if (len < sizeof(header))
		return EINVAL;
	memcpy(&header, value, sizeof(header));
	if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
		return EOPNOTSUPP;
	if ((len - sizeof(header)) % sizeof(struct posix_acl_xattr_entry))
		return EINVAL;
	nr = (len - sizeof(header)) / sizeof(struct posix_acl_xattr_entry);
	if (!nr)
		return 0;
	buf_append(ret, &version, sizeof(version));
	for (size_t i = 0; i < nr; i++) {
		struct entry entry = get_entry(value, i);

		if (!follows(&order, &entry))
			return EINVAL;
		is_mode &= !is_named(entry.tag) && entry.tag != ACL_MASK;
		mode = add_to_mode(mode, &entry);
		put_entry(ret, &entry);
	}
	if (order.next)
		return EINVAL;
	*ret_mode = mode;
	*ret_is_mode = is_mode;
	return 0;
}

static void set_perm(uint8_t *at, mode_t perm)
{
	uint16_t raw = htole16((uint16_t)(perm & 7));

	memcpy(at + 2, &raw, sizeof(raw));
}

bool acl_chmod(void *disk, size_t len, mode_t mode)
{
	uint8_t *group = NULL, *mask = NULL, *end = (uint8_t *)disk + len;
	uint16_t tag;

	for (uint8_t *at = (uint8_t *)disk + 4; at < end; at += is_named(tag) ? 8 : 4) {
		if (end - at < 4)
			return false;
		memcpy(&tag, at, sizeof(tag));
		tag = le16toh(tag);
		if (is_named(tag) && end - at < 8)
			return false;
		if (tag == ACL_USER_OBJ)
			set_perm(at, mode >> 6);
		else if (tag == ACL_OTHER)
			set_perm(at, mode);
		else if (tag == ACL_GROUP_OBJ)
			group = at;
		else if (tag == ACL_MASK)
			mask = at;
	}
	if (mask || group)
		set_perm(mask ? mask : group, mode >> 3);
	return len >= 4 && (mask || group);
}
