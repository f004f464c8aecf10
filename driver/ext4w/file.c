/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ext4w/group.h"
#include "ext4w/writer.h"

#define BULK_BLOCKS 256u /* asked for at once */

int file_open(struct writer *writer, const struct inode *inode, const char *path,
	      const struct tree_attr *attr, uint64_t size, struct error *err)
{
	if (size > (uint64_t)MAX_FILE_BLOCKS * BLOCK_BYTES)
		return err_sys(err, EFBIG, "set the length of '%s'", path);
	writer->file = *inode;
	inode_set_size(&writer->file, size);
	writer->attr = attr;
	writer->size = size;
	writer->extents.nr = 0;
	writer->partial = NULL;
	free(writer->path);
	writer->path = xstrdup(path);
	return 0;
}

static int write_bulk(struct writer *writer, const uint8_t *data, uint32_t logical, uint32_t nr,
		      struct error *err)
{
	struct wfs *fs = writer->fs;

	while (nr) {
		uint64_t first;
		int part = group_take_blocks(fs, nr < BULK_BLOCKS ? nr : BULK_BLOCKS, &first, err);

		if (part < 0 || blockio_write(fs->io, first, (uint32_t)part, data, err) < 0)
			return -1;
		extent_list_add(&writer->extents, logical, first, (uint32_t)part);
		data += (size_t)part * BLOCK_BYTES;
		logical += (uint32_t)part;
		nr -= (uint32_t)part;
	}
	return 0;
}

/* The part of a block. It is handed over when another one is begun, or the file ends. */
static int write_part(struct writer *writer, const uint8_t *data, size_t len, uint64_t offset,
		      struct error *err)
{
	uint32_t logical = (uint32_t)(offset / BLOCK_BYTES);
	uint64_t block;

	if (!writer->partial || writer->partial_at != logical) {
		if (group_take_blocks(writer->fs, 1, &block, err) < 0 ||
		    blockio_room(writer->fs->io, block, 1, &writer->partial, err) < 0)
			return -1;
		extent_list_add(&writer->extents, logical, block, 1);
		memset(writer->partial, 0, BLOCK_BYTES);
		writer->partial_at = logical;
	}
	memcpy(writer->partial + offset % BLOCK_BYTES, data, len);
	return 0;
}

int file_write(struct writer *writer, const void *data, size_t len, uint64_t offset,
	       struct error *err)
{
	const uint8_t *from = data;

	while (len) {
		size_t in_block = BLOCK_BYTES - offset % BLOCK_BYTES;
		size_t part = len < in_block ? len : in_block;

		if (part == BLOCK_BYTES) {
			uint32_t nr = len / BLOCK_BYTES < UINT32_MAX ? (uint32_t)(len / BLOCK_BYTES)
								     : UINT32_MAX;

			part = (size_t)nr * BLOCK_BYTES;
			writer->partial = NULL;
			if (write_bulk(writer, from, (uint32_t)(offset / BLOCK_BYTES), nr, err) < 0)
				return err_add(err, "'%s'", writer->path);
		} else if (write_part(writer, from, part, offset, err) < 0) {
			return err_add(err, "'%s'", writer->path);
		}
		from += part;
		offset += part;
		len -= part;
	}
	return 0;
}

int file_close(struct writer *writer, struct error *err)
{
	struct inode *inode = &writer->file;
	uint32_t nodes;

	writer->partial = NULL;
	if (extents_write(writer->fs, inode, &writer->extents, &nodes, err) < 0)
		return err_add(err, "'%s'", writer->path);
	inode_set_blocks(inode, extent_list_blocks(&writer->extents) + nodes);
	if (xattrs_set(writer->xattrs, inode, writer->attr, writer->path, err) < 0)
		return -1;
	return inode_write(writer->fs, inode, err);
}

int file_set_block(struct writer *writer, struct inode *inode, const void *data, size_t len,
		   struct error *err)
{
	auto_extent_list struct extent_list extents = { 0 };
	auto_free uint8_t *block = xcalloc(1, BLOCK_BYTES);
	uint32_t nodes;
	uint64_t at;

	memcpy(block, data, len);
	if (group_take_blocks(writer->fs, 1, &at, err) < 0 ||
	    blockio_write(writer->fs->io, at, 1, block, err) < 0)
		return -1;
	extent_list_add(&extents, 0, at, 1);
	inode_set_flag(inode, EXT4_EXTENTS_FL, true);
	inode_set_blocks(inode, 1);
	return extents_write(writer->fs, inode, &extents, &nodes, err);
}
