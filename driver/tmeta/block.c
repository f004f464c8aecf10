/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/isal.h"
#include "tmeta/format.h"

/* Two paths from root to leaf and some neighbours would do; a group must fit. */
#define NR_SLOTS BLOCK_GROUP

struct block_reader {
	int fd;
	uint64_t nr_blocks;
	uint64_t nr_read;
	uint64_t slot_block[NR_SLOTS]; /* node held by a slot; 0 is none, for 0 is no node */
	bool slot_verified[NR_SLOTS];
	uint8_t *slots; /* NR_SLOTS blocks, then one for what is not kept */
};

/* Files that refuse O_DIRECT (tmpfs, some network file systems) are read plainly. */
static int open_direct(const char *path, struct error *err)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	if (fd < 0)
		return err_sys(err, errno, "open metadata '%s'", path);
	return fd;
}

static int measure(int fd, const char *path, uint64_t *ret_blocks, struct error *err)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat metadata '%s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED,
			       "metadata '%s' is neither a block device nor a file", path);
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return err_sys(err, errno, "size of metadata '%s'", path);
	if (end < META_BLOCK_BYTES)
		return err_set(err, ERR_CORRUPT, "metadata '%s' is shorter than one block", path);
	*ret_blocks = (uint64_t)end / META_BLOCK_BYTES;
	if (*ret_blocks > META_MAX_BLOCKS)
		*ret_blocks = META_MAX_BLOCKS;
	return 0;
}

int block_reader_open(const char *path, struct block_reader **ret, struct error *err)
{
	auto_block_reader struct block_reader *reader = xcalloc(1, sizeof(*reader));

	reader->fd = open_direct(path, err);
	if (reader->fd < 0 || measure(reader->fd, path, &reader->nr_blocks, err) < 0)
		return -1;
	/* O_DIRECT wants memory aligned like the device's blocks. */
	reader->slots = aligned_alloc(META_BLOCK_BYTES, (NR_SLOTS + 1) * META_BLOCK_BYTES);
	if (!reader->slots)
		return err_sys(err, ENOMEM, "read metadata '%s'", path);
	*ret = take_ptr(reader);
	return 0;
}

void block_reader_close(struct block_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->slots);
	free(reader);
}

uint64_t block_reader_nr_blocks(const struct block_reader *reader)
{
	return reader->nr_blocks;
}

uint64_t block_reader_nr_read(const struct block_reader *reader)
{
	return reader->nr_read;
}

static uint32_t checksum(const uint8_t *data, uint32_t salt)
{
	return isal_crc32c(UINT32_MAX, data + 4, META_BLOCK_BYTES - 4) ^ salt;
}

/* Every kind of block begins with its checksum; all have their number in one place. */
static int verify(uint64_t block, uint32_t salt, uint8_t *data, struct error *err)
{
	static_assert(offsetof(struct disk_super, block_nr) == offsetof(struct disk_node, block_nr),
		      "block number");
	static_assert(offsetof(struct disk_index, block_nr) == offsetof(struct disk_node, block_nr),
		      "block number");
	static_assert(offsetof(struct disk_bitmap, block_nr) ==
			      offsetof(struct disk_node, block_nr),
		      "block number");
	uint64_t own_nr = get_le64(data + offsetof(struct disk_node, block_nr));

	if (get_le32(data) != checksum(data, salt))
		return err_set(err, ERR_CORRUPT, "metadata block %ju: wrong checksum",
			       (uintmax_t)block);
	if (own_nr != block)
		return err_set(err, ERR_CORRUPT, "metadata block %ju: holds block %ju",
			       (uintmax_t)block, (uintmax_t)own_nr);
	return 0;
}

static int read_block(struct block_reader *reader, uint64_t block, uint8_t *data, struct error *err)
{
	if (block >= reader->nr_blocks)
		return err_set(err, ERR_CORRUPT, "metadata block %ju is beyond the device's %ju",
			       (uintmax_t)block, (uintmax_t)reader->nr_blocks);
	reader->nr_read++;
	if (io_pread(reader->fd, data, META_BLOCK_BYTES, block * META_BLOCK_BYTES, err) < 0)
		return err_add(err, "metadata block %ju", (uintmax_t)block);
	return 0;
}

static uint8_t *slot_data(struct block_reader *reader, uint64_t block)
{
	return reader->slots + (size_t)(block % NR_SLOTS) * META_BLOCK_BYTES;
}

int block_read_node(struct block_reader *reader, uint64_t block, const void **ret,
		    struct error *err)
{
	unsigned slot = block % NR_SLOTS;
	uint8_t *data = slot_data(reader, block);

	if (block == SUPER_BLOCK)
		return err_set(err, ERR_CORRUPT, "metadata block 0 is the superblock, not a node");
	if (reader->slot_block[slot] != block) {
		reader->slot_block[slot] = 0;
		if (read_block(reader, block, data, err) < 0)
			return -1;
		reader->slot_block[slot] = block;
		reader->slot_verified[slot] = false;
	}
	if (!reader->slot_verified[slot] && verify(block, NODE_CSUM_SALT, data, err) < 0)
		return -1;
	reader->slot_verified[slot] = true;
	*ret = data;
	return 0;
}

void block_fetch(struct block_reader *reader, uint64_t first, uint64_t last)
{
	size_t len = (size_t)(last - first + 1) * META_BLOCK_BYTES;
	struct error err;
	bool done;

	assert(first <= last && first / BLOCK_GROUP == last / BLOCK_GROUP);
	if (last >= reader->nr_blocks)
		return;
	done = io_pread(reader->fd, slot_data(reader, first), len, first * META_BLOCK_BYTES,
			&err) == 0;
	for (uint64_t block = first; block <= last; block++) {
		reader->slot_block[block % NR_SLOTS] = done ? block : 0;
		reader->slot_verified[block % NR_SLOTS] = false;
	}
	if (done)
		reader->nr_read += last - first + 1;
}

static int read_unkept(struct block_reader *reader, uint64_t block, uint32_t salt, const void **ret,
		       struct error *err)
{
	uint8_t *data = reader->slots + (size_t)NR_SLOTS * META_BLOCK_BYTES;

	if (read_block(reader, block, data, err) < 0 || verify(block, salt, data, err) < 0)
		return -1;
	*ret = data;
	return 0;
}

int block_read_super(struct block_reader *reader, uint64_t block, const void **ret,
		     struct error *err)
{
	return read_unkept(reader, block, SUPER_CSUM_SALT, ret, err);
}

int block_read_index(struct block_reader *reader, uint64_t block, const void **ret,
		     struct error *err)
{
	return read_unkept(reader, block, INDEX_CSUM_SALT, ret, err);
}

int block_read_bitmap(struct block_reader *reader, uint64_t block, const void **ret,
		      struct error *err)
{
	return read_unkept(reader, block, BITMAP_CSUM_SALT, ret, err);
}

void block_seal_super(void *data)
{
	uint32_t csum = htole32(checksum(data, SUPER_CSUM_SALT));

	memcpy(data, &csum, sizeof(csum));
}
