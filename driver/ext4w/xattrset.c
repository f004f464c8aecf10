/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/xattrset.h"

#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ext4w/blockio.h"

#define ENTRY_BYTES  16u
#define HEADER_BYTES 32u
#define END_BYTES    4u /* zeros behind the last entry */

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static size_t item_bytes(const struct xattr_item *item)
{
	return padded(ENTRY_BYTES + item->name_len) + padded(item->len);
}

static void item_done(struct xattr_item *item)
{
	free(item->name);
	free(item->value);
}

void xattrset_done(struct xattrset *set)
{
	for (size_t i = 0; i < set->nr; i++)
		item_done(&set->items[i]);
	free(set->items);
	*set = (struct xattrset){ 0 };
}

static struct xattr_item *find(const struct xattrset *set, uint8_t index, const char *name,
			       size_t name_len)
{
	for (size_t i = 0; i < set->nr; i++) {
		struct xattr_item *item = &set->items[i];

		if (item->index == index && item->name_len == name_len &&
		    memcmp(item->name, name, name_len) == 0)
			return item;
	}
	return NULL;
}

struct xattr_item *xattrset_find(const struct xattrset *set, uint8_t index, const char *name)
{
	return find(set, index, name, strlen(name));
}

void xattrset_remove(struct xattrset *set, struct xattr_item *item)
{
	item_done(item);
	set->nr--;
	memmove(item, item + 1, (size_t)(set->items + set->nr - item) * sizeof(*item));
}

static void add(struct xattrset *set, struct xattr_item item, const char *name, const void *value)
{
	if (set->nr == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 4;
		set->items = xrealloc(set->items, set->cap * sizeof(*set->items));
	}
	item.name = xmalloc(item.name_len + 1u);
	memcpy(item.name, name, item.name_len);
	item.name[item.name_len] = '\0';
	item.value = xmalloc(item.len + 1u);
	if (item.len)
		memcpy(item.value, value, item.len);
	set->items[set->nr++] = item;
}

/* What the others on one side take. */
static size_t used(const struct xattrset *set, bool inside, const struct xattr_item *but)
{
	size_t bytes = END_BYTES;

	for (size_t i = 0; i < set->nr; i++)
		if (set->items[i].inside == inside && &set->items[i] != but)
			bytes += item_bytes(&set->items[i]);
	return bytes;
}

bool xattrset_put(struct xattrset *set, uint8_t index, const char *name, const void *value,
		  size_t len, size_t room)
{
	struct xattr_item *old = xattrset_find(set, index, name);
	struct xattr_item item = { .index = index, .name_len = (uint8_t)strlen(name) };

	if (old && old->len == len && (!len || memcmp(old->value, value, len) == 0))
		return true;
	if (len > BLOCK_BYTES)
		return false;
	item.len = (uint32_t)len;
	item.inside = room >= sizeof(uint32_t) &&
		      used(set, true, old) + item_bytes(&item) <= room - sizeof(uint32_t);
	if (!item.inside && used(set, false, old) + item_bytes(&item) > BLOCK_BYTES - HEADER_BYTES)
		return false;
	if (old)
		xattrset_remove(set, old);
	add(set, item, name, value);
	return true;
}

/* ---- reading ---- */

/* Entries from `first` on; where values are is counted from `base`. */
static int read_entries(struct xattrset *set, const uint8_t *first, const uint8_t *base,
			const uint8_t *end, bool inside, struct error *err)
{
	for (const uint8_t *at = first; end - at >= (ptrdiff_t)END_BYTES;) {
		struct ext2_ext_attr_entry entry;
		struct xattr_item item = { .inside = inside };
		size_t offset;
		uint32_t zero;

		memcpy(&zero, at, sizeof(zero));
		if (!zero)
			return 0;
		if (end - at < (ptrdiff_t)ENTRY_BYTES)
			break;
		memcpy(&entry, at, sizeof(entry));
		item.index = entry.e_name_index;
		item.name_len = entry.e_name_len;
		item.len = le32toh(entry.e_value_size);
		offset = le16toh(entry.e_value_offs);
		if (entry.e_value_inum)
			return err_set(err, ERR_UNSUPPORTED, "an attribute in an inode of its own");
		if ((size_t)(end - at) < padded(ENTRY_BYTES + item.name_len) + END_BYTES ||
		    (item.len &&
		     (offset > (size_t)(end - base) || item.len > (size_t)(end - base) - offset)) ||
		    memchr(at + ENTRY_BYTES, '\0', item.name_len) ||
		    find(set, item.index, (const char *)at + ENTRY_BYTES, item.name_len))
			break;
		add(set, item, (const char *)at + ENTRY_BYTES, base + offset);
		at += padded(ENTRY_BYTES + item.name_len);
	}
	return err_set(err, ERR_CORRUPT, "impossible attributes");
}

int xattrset_read_inside(struct xattrset *set, const uint8_t *data, size_t len, struct error *err)
{
	uint32_t magic;

	if (len < sizeof(magic))
		return 0;
	memcpy(&magic, data, sizeof(magic));
	if (le32toh(magic) != EXT2_EXT_ATTR_MAGIC)
		return 0;
	data += sizeof(magic);
	return read_entries(set, data, data, data + len - sizeof(magic), true, err);
}

int xattrset_read_block(struct xattrset *set, const uint8_t *data, struct error *err)
{
	return read_entries(set, data + HEADER_BYTES, data, data + BLOCK_BYTES, false, err);
}

/* ---- writing ---- */

static uint32_t entry_hash(const struct xattr_item *item)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < item->name_len; i++)
		hash = (hash << 5 | hash >> 27) ^ (uint8_t)item->name[i];
	for (size_t i = 0; i < item->len; i += 4) {
		uint32_t word = 0;
		size_t part = item->len - i < 4 ? item->len - i : 4;

		memcpy(&word, item->value + i, part);
		hash = (hash << 16 | hash >> 16) ^ le32toh(word);
	}
	return hash;
}

/* The values are put from the end on, in the order of the entries. */
static void write_items(struct xattr_item *const *items, size_t nr, bool hashed, uint8_t *first,
			uint8_t *base, size_t end)
{
	uint8_t *at = first;

	for (size_t i = 0; i < nr; i++) {
		const struct xattr_item *item = items[i];
		struct ext2_ext_attr_entry entry = {
			.e_name_len = item->name_len,
			.e_name_index = item->index,
			.e_value_size = htole32(item->len),
			.e_hash = hashed ? htole32(entry_hash(item)) : 0,
		};

		end -= padded(item->len);
		entry.e_value_offs = item->len ? htole16((uint16_t)end) : 0;
		memcpy(base + end, item->value, item->len);
		memcpy(at, &entry, sizeof(entry));
		memcpy(at + ENTRY_BYTES, item->name, item->name_len);
		at += padded(ENTRY_BYTES + item->name_len);
	}
}

static size_t select_items(const struct xattrset *set, bool inside, struct xattr_item **ret)
{
	size_t nr = 0;

	for (size_t i = 0; i < set->nr; i++)
		if (set->items[i].inside == inside)
			ret[nr++] = &set->items[i];
	return nr;
}

void xattrset_write_inside(const struct xattrset *set, uint8_t *data, size_t len)
{
	struct xattr_item *items[BLOCK_BYTES / ENTRY_BYTES];
	size_t nr = select_items(set, true, items);
	uint32_t magic = htole32(EXT2_EXT_ATTR_MAGIC);

	memset(data, 0, len);
	if (!nr)
		return;
	memcpy(data, &magic, sizeof(magic));
	data += sizeof(magic);
	write_items(items, nr, false, data, data, len - sizeof(magic));
}

/* The kernel looks for a name in a block only as long as it may still come. */
static int compare_items(const void *a, const void *b)
{
	const struct xattr_item *x = *(struct xattr_item *const *)a;
	const struct xattr_item *y = *(struct xattr_item *const *)b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return memcmp(x->name, y->name, x->name_len);
}

bool xattrset_write_block(const struct xattrset *set, uint8_t *data)
{
	struct xattr_item *items[BLOCK_BYTES / ENTRY_BYTES];
	size_t nr = select_items(set, false, items);
	struct ext2_ext_attr_header header = {
		.h_magic = htole32(EXT2_EXT_ATTR_MAGIC),
		.h_refcount = htole32(1),
		.h_blocks = htole32(1),
	};
	uint32_t hash = 0;
	bool shareable = true;

	if (!nr)
		return false;
	memset(data, 0, BLOCK_BYTES);
	qsort(items, nr, sizeof(struct xattr_item *), compare_items);
	write_items(items, nr, true, data + HEADER_BYTES, data, BLOCK_BYTES);
	for (size_t i = 0; i < nr; i++) {
		uint32_t one = entry_hash(items[i]);

		shareable &= one != 0;
		hash = (hash << 16 | hash >> 16) ^ one;
	}
	header.h_hash = htole32(shareable ? hash : 0);
	memcpy(data, &header, sizeof(header));
	return true;
}
