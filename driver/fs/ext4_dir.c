/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_dir.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/le.h"
#include "fs/ext4_file.h"

#define HEAD_BYTES    8u /* of an entry: inode, length of the entry, of the name, kind */
#define TAIL_BYTES    ((unsigned)sizeof(struct ext2_dir_entry_tail))
#define TAIL_MARK     0xde00u
#define INLINE_PARENT 4u /* in front of the entries of an inline directory */

struct reader {
	struct ext4_image *image;
	const struct ext4_inode *inode;
	struct ext4_dir *dir;
};

static int bad_dir(const struct reader *reader, struct error *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "directory inode %u: %s", reader->inode->number, what);
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

static int add_entry(struct reader *reader, uint32_t inode, const char *name, size_t len,
		     struct error *err)
{
	struct ext4_dir *dir = reader->dir;

	if (!len || memchr(name, '/', len) || memchr(name, '\0', len))
		return bad_dir(reader, err, "impossible name");
	if (inode > ext4_image_nr_inodes(reader->image))
		return bad_dir(reader, err, "a name without an inode");
	if (dir->nr == dir->cap) {
		dir->cap = dir->cap ? dir->cap * 2 : 32;
		dir->entries = xrealloc(dir->entries, dir->cap * sizeof(*dir->entries));
	}
	/* The names move while they grow: until the end this is an offset. */
	dir->entries[dir->nr++] = (struct ext4_entry){ (const char *)dir->names.len, inode };
	buf_append(&dir->names, name, len);
	buf_putc(&dir->names, '\0');
	return 0;
}

/* @dots: "." and ".." may be among them */
static int read_entries(struct reader *reader, const uint8_t *data, size_t len, bool dots,
			struct error *err)
{
	for (size_t at = 0; at < len;) {
		uint32_t inode;
		unsigned entry_len, name_len;
		const char *name;

		if (len - at < HEAD_BYTES)
			return bad_dir(reader, err, "an entry without an end");
		inode = get_le32(data + at);
		entry_len = get_le16(data + at + 4);
		name_len = data[at + 6];
		name = (const char *)data + at + HEAD_BYTES;
		if (entry_len < HEAD_BYTES + (inode ? name_len : 0) || entry_len % 4 ||
		    entry_len > len - at)
			return bad_dir(reader, err, "an entry of impossible length");
		if (inode && is_dots(name, name_len)) {
			if (!dots)
				return bad_dir(reader, err, "'.' or '..' in the wrong place");
			if (name_len == 2)
				reader->dir->parent = inode;
		} else if (inode && add_entry(reader, inode, name, name_len, err) < 0) {
			return -1;
		}
		at += entry_len;
	}
	return 0;
}

/* A node of the index is one empty entry, whose checksum is of another form; its bytes do not matter. */
static bool is_index_node(const struct reader *reader, uint64_t logical, const uint8_t *block)
{
	if (!(ext4_inode_flags(reader->inode) & EXT2_INDEX_FL))
		return false;
	return logical == 0 || (get_le32(block) == 0 && get_le16(block + 4) == EXT4_BLOCK_BYTES);
}

static int verify_block(const struct reader *reader, uint64_t logical, const uint8_t *block,
			size_t *ret_len, struct error *err)
{
	const uint8_t *tail = block + EXT4_BLOCK_BYTES - TAIL_BYTES;

	*ret_len = EXT4_BLOCK_BYTES;
	if (!ext4_has_csum(reader->image) || is_index_node(reader, logical, block))
		return 0;
	*ret_len -= TAIL_BYTES;
	if (get_le32(tail) != 0 || get_le16(tail + 4) != TAIL_BYTES ||
	    get_le16(tail + 6) != TAIL_MARK ||
	    get_le32(tail + 8) != ext4_crc(ext4_inode_seed(reader->image, reader->inode), block,
					   EXT4_BLOCK_BYTES - TAIL_BYTES))
		return bad_dir(reader, err, "wrong checksum");
	return 0;
}

/* Calls for each block, or only the first; ERR_CORRUPT for a directory with a hole. */
static int read_blocks(struct reader *reader, bool first_only, struct error *err)
{
	auto_ext4_map struct ext4_map map = { 0 };
	auto_free uint8_t *block = xmalloc(EXT4_BLOCK_BYTES);
	uint64_t end = ext4_inode_size(reader->inode) / EXT4_BLOCK_BYTES;
	uint64_t logical = 0;
	size_t len;

	if (ext4_map_read(reader->image, reader->inode, &map, err) < 0)
		return -1;
	if (!end || ext4_inode_size(reader->inode) % EXT4_BLOCK_BYTES)
		return bad_dir(reader, err, "impossible size");
	for (size_t i = 0; i < map.nr && logical < end; i++) {
		const struct ext4_run *run = &map.runs[i];

		if (run->logical != logical)
			return bad_dir(reader, err, "a hole");
		for (uint64_t k = 0; k < run->nr && logical < end; k++, logical++) {
			if (ext4_read_block(reader->image, run->physical + k, block, err) < 0 ||
			    verify_block(reader, logical, block, &len, err) < 0 ||
			    read_entries(reader, block, len, logical == 0, err) < 0)
				return -1;
			if (first_only)
				return 0;
		}
	}
	return logical < end ? bad_dir(reader, err, "a hole") : 0;
}

/* The first part lies where other inodes have block numbers, behind the parent's number. */
static int read_inline(struct reader *reader, struct error *err)
{
	size_t first = sizeof(reader->inode->disk.fields.i_block);
	auto_buf struct buf content = { 0 };
	const uint8_t *data;

	if (ext4_inline_content(reader->inode, &content, err) < 0)
		return -1;
	if (content.len < first)
		return bad_dir(reader, err, "impossible size");
	data = (const uint8_t *)content.data;
	reader->dir->parent = get_le32(data);
	if (read_entries(reader, data + INLINE_PARENT, first - INLINE_PARENT, false, err) < 0)
		return -1;
	return read_entries(reader, data + first, content.len - first, false, err);
}

static int compare_names(const void *a, const void *b)
{
	const struct ext4_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int sort_entries(struct reader *reader, struct error *err)
{
	struct ext4_dir *dir = reader->dir;

	for (size_t i = 0; i < dir->nr; i++)
		dir->entries[i].name = dir->names.data + (size_t)dir->entries[i].name;
	if (dir->nr)
		qsort(dir->entries, dir->nr, sizeof(*dir->entries), compare_names);
	for (size_t i = 1; i < dir->nr; i++)
		if (strcmp(dir->entries[i - 1].name, dir->entries[i].name) == 0)
			return bad_dir(reader, err, "a name twice");
	if (!dir->parent || dir->parent > ext4_image_nr_inodes(reader->image))
		return bad_dir(reader, err, "no '..'");
	return 0;
}

int ext4_dir_read(struct ext4_image *image, const struct ext4_inode *inode, struct ext4_dir *ret,
		  struct error *err)
{
	struct reader reader = { image, inode, ret };
	bool is_inline = ext4_inode_flags(inode) & EXT4_INLINE_DATA_FL;

	if ((is_inline ? read_inline(&reader, err) : read_blocks(&reader, false, err)) < 0)
		return -1;
	return sort_entries(&reader, err);
}

void ext4_dir_done(struct ext4_dir *dir)
{
	free(dir->entries);
	buf_done(&dir->names);
	*dir = (struct ext4_dir){ 0 };
}

int ext4_dir_parent(struct ext4_image *image, const struct ext4_inode *inode, uint32_t *ret,
		    struct error *err)
{
	auto_ext4_dir struct ext4_dir dir = { 0 };
	struct reader reader = { image, inode, &dir };
	bool is_inline = ext4_inode_flags(inode) & EXT4_INLINE_DATA_FL;

	if ((is_inline ? read_inline(&reader, err) : read_blocks(&reader, true, err)) < 0)
		return -1;
	if (!dir.parent || dir.parent > ext4_image_nr_inodes(image))
		return bad_dir(&reader, err, "no '..'");
	*ret = dir.parent;
	return 0;
}
