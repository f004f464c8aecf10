/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/dirblock.h"

#include <ext2fs/ext2_fs.h>
#include <string.h>

#include "base/isal.h"
#include "base/le.h"

#define TAIL_BYTES  12u /* looks like an entry without a name */
#define TAIL_TYPE   0xdeu
#define ROOT_OFFSET 32u /* of the index, behind "." and ".." and what it is */
#define NODE_OFFSET 8u	/* behind an entry without a name that fills the block */
#define DX_TAIL	    (BLOCK_BYTES - 8u)

static void put_entry(uint8_t *data, const struct dirblock_entry *entry, uint32_t bytes)
{
	put_le32(data, entry->inode);
	put_le16(data + 4, (uint16_t)bytes);
	data[6] = entry->len;
	data[7] = entry->type;
	if (entry->len)
		memcpy(data + 8, entry->name, entry->len);
}

/* ---- entries ---- */

void dirblock_begin(struct dirblock *block, uint8_t *data, uint32_t seed)
{
	*block = (struct dirblock){ .data = data, .seed = seed };
	memset(data, 0, BLOCK_BYTES);
}

bool dirblock_add(struct dirblock *block, const struct dirblock_entry *entry)
{
	uint32_t bytes = dirblock_bytes(entry->len);

	if (bytes > DIRBLOCK_ROOM - block->used)
		return false;
	put_entry(block->data + block->used, entry, bytes);
	block->last = block->used;
	block->used += bytes;
	return true;
}

/* The last entry takes what is left. */
void dirblock_end(struct dirblock *block)
{
	uint8_t *tail = block->data + DIRBLOCK_ROOM;

	put_le16(block->data + block->last + 4, (uint16_t)(DIRBLOCK_ROOM - block->last));
	put_le16(tail + 4, TAIL_BYTES);
	tail[7] = TAIL_TYPE;
	put_le32(tail + 8, isal_crc32c(block->seed, block->data, DIRBLOCK_ROOM));
}

/* ---- the index ---- */

static uint32_t index_csum(const uint8_t *data, uint32_t seed, uint32_t offset, uint32_t nr)
{
	const uint8_t zero[4] = { 0 };
	uint32_t crc = isal_crc32c(seed, data, offset + nr * sizeof(struct dirblock_index));

	crc = isal_crc32c(crc, data + DX_TAIL, 4);
	return isal_crc32c(crc, zero, sizeof(zero));
}

/* The hash of the first child is not needed: there the numbers of entries are. */
static void put_index(uint8_t *data, uint32_t seed, uint32_t offset, uint32_t limit,
		      const struct dirblock_index *items, uint32_t nr)
{
	put_le16(data + offset, (uint16_t)limit);
	put_le16(data + offset + 2, (uint16_t)nr);
	put_le32(data + offset + 4, items[0].block);
	for (uint32_t i = 1; i < nr; i++) {
		put_le32(data + offset + i * 8, items[i].hash);
		put_le32(data + offset + i * 8 + 4, items[i].block);
	}
	put_le32(data + DX_TAIL + 4, index_csum(data, seed, offset, nr));
}

void dirblock_root(uint8_t *data, uint32_t seed, uint32_t number, uint32_t parent,
		   uint8_t hash_version, uint8_t levels, const struct dirblock_index *items,
		   uint32_t nr)
{
	memset(data, 0, BLOCK_BYTES);
	put_entry(data, &(struct dirblock_entry){ number, ".", 1, EXT2_FT_DIR }, 12);
	put_entry(data + 12, &(struct dirblock_entry){ parent, "..", 2, EXT2_FT_DIR },
		  BLOCK_BYTES - 12);
	data[28] = hash_version;
	data[29] = 8; /* length of this part */
	data[30] = levels;
	put_index(data, seed, ROOT_OFFSET, DIRBLOCK_ROOT_LIMIT, items, nr);
}

void dirblock_node(uint8_t *data, uint32_t seed, const struct dirblock_index *items, uint32_t nr)
{
	memset(data, 0, BLOCK_BYTES);
	put_entry(data, &(struct dirblock_entry){ 0 }, BLOCK_BYTES);
	put_index(data, seed, NODE_OFFSET, DIRBLOCK_NODE_LIMIT, items, nr);
}

/* ---- reading ---- */

/* The kernel leaves in them what was at their end before: only how they begin tells them. */
static bool is_node(const uint8_t *data)
{
	return !get_le32(data) && get_le16(data + 4) == BLOCK_BYTES;
}

static bool is_root(const uint8_t *data)
{
	return get_le16(data + 4) == 12 && data[6] == 1 && get_le16(data + 16) == BLOCK_BYTES - 12;
}

static int verify_index(const uint8_t *data, uint32_t seed, struct error *err)
{
	uint32_t offset = is_node(data) ? NODE_OFFSET : ROOT_OFFSET;
	uint32_t limit = is_node(data) ? DIRBLOCK_NODE_LIMIT : DIRBLOCK_ROOT_LIMIT;
	uint32_t nr = get_le16(data + offset + 2);

	if (get_le16(data + offset) != limit || !nr || nr > limit ||
	    get_le32(data + DX_TAIL + 4) != index_csum(data, seed, offset, nr))
		return err_set(err, ERR_CORRUPT, "a wrong checksum");
	return 0;
}

static int verify(const uint8_t *data, uint32_t seed, struct error *err)
{
	const uint8_t *tail = data + DIRBLOCK_ROOM;

	if (is_node(data) || is_root(data))
		return verify_index(data, seed, err);
	if (get_le32(tail) || get_le16(tail + 4) != TAIL_BYTES || tail[6] || tail[7] != TAIL_TYPE ||
	    get_le32(tail + 8) != isal_crc32c(seed, data, DIRBLOCK_ROOM))
		return err_set(err, ERR_CORRUPT, "a wrong checksum");
	return 0;
}

int dirblock_read(const uint8_t *data, uint32_t seed,
		  int (*found)(void *ctx, const struct dirblock_entry *entry, struct error *err),
		  void *ctx, struct error *err)
{
	uint32_t bytes;

	if (verify(data, seed, err) < 0)
		return -1;
	for (uint32_t at = 0; at < BLOCK_BYTES; at += bytes) {
		struct dirblock_entry entry;

		bytes = BLOCK_BYTES - at < 8 ? 0 : get_le16(data + at + 4);
		if (bytes < 8 || bytes % 4 || bytes > BLOCK_BYTES - at ||
		    (uint32_t)data[at + 6] + 8 > bytes)
			return err_set(err, ERR_CORRUPT, "an entry of an impossible length");
		entry = (struct dirblock_entry){
			.inode = get_le32(data + at),
			.name = (const char *)data + at + 8,
			.len = data[at + 6],
			.type = data[at + 7],
		};
		if (!entry.inode)
			continue;
		if (!entry.len || memchr(entry.name, '/', entry.len) ||
		    memchr(entry.name, '\0', entry.len))
			return err_set(err, ERR_CORRUPT, "an impossible name");
		if (found(ctx, &entry, err) < 0)
			return -1;
	}
	return 0;
}
