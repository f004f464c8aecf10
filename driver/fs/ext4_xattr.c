/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_xattr.h"

#include <endian.h>
#include <ext2fs/ext2_ext_attr.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define INDEX_SYSTEM 7u /* Linux fs/ext4/xattr.h: EXT4_XATTR_INDEX_SYSTEM */
#define INLINE_NAME  "data"
/* Of the shortest entries: 16 bytes each, in a block and an inode. */
#define ENTRIES_MAX (EXT4_BLOCK_BYTES / sizeof(struct ext2_ext_attr_entry) * 2)

struct attribute {
	const struct ext2_ext_attr_entry *entry;
	const uint8_t *name;
	const uint8_t *value;
	uint32_t len;
};

struct attributes {
	uint8_t *block; /* NULL without one */
	size_t nr;
	struct attribute items[ENTRIES_MAX];
};

static void attributes_free(struct attributes **list)
{
	free((*list)->block);
	free(*list);
}
#define auto_attributes __attribute__((cleanup(attributes_free)))

static int bad_attributes(const struct ext4_inode *inode, struct error *err)
{
	return err_set(err, ERR_CORRUPT, "inode %u: bad attributes", inode->number);
}

/*
 * The entries begin at data + first, and end with four zero bytes or with the
 * room; offsets of values count from data + origin.
 */
static int read_entries(const struct ext4_inode *inode, const uint8_t *data, size_t room,
			size_t first, size_t origin, struct attributes *ret, struct error *err)
{
	size_t at = first;

	while (at + sizeof(uint32_t) <= room) {
		const struct ext2_ext_attr_entry *entry = (const void *)(data + at);
		uint32_t end, offset, len;

		memcpy(&end, data + at, sizeof(end));
		if (!end)
			return 0;
		if (at + sizeof(*entry) > room ||
		    at + EXT2_EXT_ATTR_LEN(entry->e_name_len) > room || ret->nr == ENTRIES_MAX)
			return bad_attributes(inode, err);
		if (entry->e_value_inum)
			return err_set(err, ERR_UNSUPPORTED, "inode %u: attribute in an inode",
				       inode->number);
		offset = le16toh(entry->e_value_offs);
		len = le32toh(entry->e_value_size);
		if (len && (origin + offset > room || len > room - origin - offset))
			return bad_attributes(inode, err);
		ret->items[ret->nr++] = (struct attribute){
			.entry = entry,
			.name = (const uint8_t *)(entry + 1),
			.value = len ? data + origin + offset : data,
			.len = len,
		};
		at += EXT2_EXT_ATTR_LEN(entry->e_name_len);
	}
	return 0;
}

static int read_body(const struct ext4_inode *inode, struct attributes *ret, struct error *err)
{
	const uint8_t *disk = (const uint8_t *)&inode->disk;
	uint32_t body = ext4_inode_body(inode);
	uint32_t magic;

	if (body + sizeof(magic) > EXT4_INODE_BYTES)
		return 0;
	memcpy(&magic, disk + body, sizeof(magic));
	if (le32toh(magic) != EXT2_EXT_ATTR_MAGIC)
		return 0;
	body += sizeof(magic);
	return read_entries(inode, disk, EXT4_INODE_BYTES, body, body, ret, err);
}

/* Its checksum covers its own number, then the block without the checksum. */
static int verify_block(struct ext4_image *image, uint64_t number, const uint8_t *block,
			const struct ext4_inode *inode, struct error *err)
{
	const struct ext2_ext_attr_header *head = (const void *)block;
	size_t at = offsetof(struct ext2_ext_attr_header, h_checksum);
	uint64_t disk_number = htole64(number);
	uint32_t zero = 0, crc;

	if (le32toh(head->h_magic) != EXT2_EXT_ATTR_MAGIC || le32toh(head->h_blocks) != 1)
		return bad_attributes(inode, err);
	if (!ext4_has_csum(image))
		return 0;
	crc = ext4_crc(ext4_csum_seed(image), &disk_number, sizeof(disk_number));
	crc = ext4_crc(crc, block, at);
	crc = ext4_crc(crc, &zero, sizeof(zero));
	crc = ext4_crc(crc, block + at + sizeof(zero), EXT4_BLOCK_BYTES - at - sizeof(zero));
	if (crc != le32toh(head->h_checksum))
		return err_set(err, ERR_CORRUPT, "block %ju of attributes: wrong checksum",
			       (uintmax_t)number);
	return 0;
}

static bool is_inline_data(const struct attribute *item)
{
	return item->entry->e_name_index == INDEX_SYSTEM &&
	       item->entry->e_name_len == strlen(INLINE_NAME) &&
	       memcmp(item->name, INLINE_NAME, strlen(INLINE_NAME)) == 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;

	if (x->entry->e_name_index != y->entry->e_name_index)
		return x->entry->e_name_index < y->entry->e_name_index ? -1 : 1;
	if (x->entry->e_name_len != y->entry->e_name_len)
		return x->entry->e_name_len < y->entry->e_name_len ? -1 : 1;
	return memcmp(x->name, y->name, x->entry->e_name_len);
}

static int read_all(struct ext4_image *image, const struct ext4_inode *inode,
		    struct attributes *ret, struct error *err)
{
	uint64_t block = ext4_inode_xattr_block(inode);
	size_t nr = 0;

	if (read_body(inode, ret, err) < 0)
		return -1;
	if (block) {
		size_t first = sizeof(struct ext2_ext_attr_header);

		ret->block = xmalloc(EXT4_BLOCK_BYTES);
		if (ext4_read_block(image, block, ret->block, err) < 0 ||
		    verify_block(image, block, ret->block, inode, err) < 0 ||
		    read_entries(inode, ret->block, EXT4_BLOCK_BYTES, first, 0, ret, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ret->nr; i++) /* data is no attribute */
		if (!is_inline_data(&ret->items[i]))
			ret->items[nr++] = ret->items[i];
	ret->nr = nr;
	qsort(ret->items, nr, sizeof(*ret->items), compare_names);
	return 0;
}

int ext4_inline_rest(const struct ext4_inode *inode, const void **ret, size_t *ret_len,
		     struct error *err)
{
	auto_attributes struct attributes *list = xcalloc(1, sizeof(*list));

	if (read_body(inode, list, err) < 0)
		return -1;
	*ret_len = 0;
	for (size_t i = 0; i < list->nr; i++) {
		if (!is_inline_data(&list->items[i]))
			continue;
		*ret = list->items[i].value;
		*ret_len = list->items[i].len;
	}
	return 0;
}

static bool same_place(const struct ext4_inode *a, const struct ext4_inode *b)
{
	uint32_t body = ext4_inode_body(a);

	return !ext4_inode_xattr_block(a) && !ext4_inode_xattr_block(b) &&
	       body == ext4_inode_body(b) &&
	       memcmp((const uint8_t *)&a->disk + body, (const uint8_t *)&b->disk + body,
		      EXT4_INODE_BYTES - body) == 0;
}

int ext4_xattrs_differ(struct ext4_image *a_image, const struct ext4_inode *a,
		       struct ext4_image *b_image, const struct ext4_inode *b, struct error *err)
{
	auto_attributes struct attributes *left = NULL;
	auto_attributes struct attributes *right = NULL;

	left = xcalloc(1, sizeof(*left));
	right = xcalloc(1, sizeof(*right));
	if (same_place(a, b))
		return 0;
	if (read_all(a_image, a, left, err) < 0 || read_all(b_image, b, right, err) < 0)
		return -1;
	if (left->nr != right->nr)
		return 1;
	for (size_t i = 0; i < left->nr; i++) {
		const struct attribute *x = &left->items[i], *y = &right->items[i];

		if (compare_names(x, y) != 0 || x->len != y->len ||
		    memcmp(x->value, y->value, x->len) != 0)
			return 1;
	}
	return 0;
}
