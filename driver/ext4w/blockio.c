/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/blockio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

#define RUN_BYTES   ((size_t)1024 * 1024) /* larger writes are not faster */
#define NR_RUNS	    8u
#define READ_BLOCKS CHUNK_BLOCKS
#define FEW_BYTES   ((size_t)64 * 1024) /* a run that gets more is taken for one that gets full */

struct blockio {
	int fd;
	bool is_device;
	uint64_t nr_blocks;
	uint8_t *bounce;	/* READ_BLOCKS, aligned */
	struct blocksums *sums; /* or NULL; the thread's until all is written */
	struct blockhash *hash; /* with them; one for all, since it is dear to make */
	struct behind *runs;
};

static int open_direct(const char *path, struct error *err)
{
	int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	return fd < 0 ? err_sys(err, errno, "open '%s'", path) : fd;
}

/* In the thread. */
static int write_run(void *ctx, const struct behind_piece *run, struct error *err)
{
	const struct blockio *io = ctx;

	if (io->sums)
		blocksums_put(io->sums, io->hash, run->offset / BLOCK_BYTES, run->len / BLOCK_BYTES,
			      run->data);
	if (io_pwrite(io->fd, run->data, run->len, run->offset, err) < 0)
		return err_add(err, "write block %ju", (uintmax_t)(run->offset / BLOCK_BYTES));
	return 0;
}

/* ---- opening ---- */

static int measure(struct blockio *io, struct error *err)
{
	off_t end = lseek(io->fd, 0, SEEK_END);
	struct stat st;

	if (end < 0 || fstat(io->fd, &st) < 0)
		return err_sys(err, errno, "measure the device");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED, "neither a block device nor a file");
	io->is_device = S_ISBLK(st.st_mode);
	io->nr_blocks = (uint64_t)end / BLOCK_BYTES;
	return 0;
}

int blockio_open(const char *path, struct blockio **ret, struct error *err)
{
	auto_blockio struct blockio *io = xcalloc(1, sizeof(*io));
	const struct behind_args args = {
		.nr_pieces = NR_RUNS,
		.piece_bytes = RUN_BYTES,
		.write = write_run,
		.ctx = io,
	};

	io->fd = open_direct(path, err);
	if (io->fd < 0 || measure(io, err) < 0)
		return -1;
	io->bounce = aligned_alloc(BLOCK_BYTES, (size_t)READ_BLOCKS * BLOCK_BYTES);
	if (!io->bounce)
		abort();
	io->runs = behind_new(&args);
	*ret = take_ptr(io);
	return 0;
}

void blockio_free(struct blockio *io)
{
	if (!io)
		return;
	behind_free(io->runs);
	free(io->bounce);
	blocksums_free(io->sums);
	blockhash_free(io->hash);
	if (io->fd >= 0)
		close(io->fd);
	free(io);
}

uint64_t blockio_nr_blocks(const struct blockio *io)
{
	return io->nr_blocks;
}

/* ---- writing ---- */

static int check_range(const struct blockio *io, uint64_t block, uint32_t nr, struct error *err)
{
	if (block < io->nr_blocks && nr <= io->nr_blocks - block)
		return 0;
	return err_set(err, ERR_CORRUPT, "block %ju is beyond the end of the device",
		       (uintmax_t)block);
}

int blockio_room(struct blockio *io, uint64_t block, uint32_t nr, uint8_t **ret, struct error *err)
{
	struct behind_piece *run = behind_open(io->runs);
	uint64_t offset = block * BLOCK_BYTES;
	uint32_t room;

	if (check_range(io, block, 1, err) < 0)
		return -1;
	if (run->len && (run->len == RUN_BYTES || run->offset + run->len != offset)) {
		if (behind_put(io->runs, err) < 0)
			return -1;
		run = behind_open(io->runs);
	}
	if (!run->len)
		run->offset = offset;
	*ret = run->data + run->len;
	room = (uint32_t)((RUN_BYTES - run->len) / BLOCK_BYTES);
	nr = nr < room ? nr : room;
	run->len += (size_t)nr * BLOCK_BYTES;
	if (run->len > FEW_BYTES)
		behind_touch(io->runs);
	return (int)nr;
}

int blockio_write(struct blockio *io, uint64_t block, uint32_t nr, const void *data,
		  struct error *err)
{
	const uint8_t *from = data;

	while (nr) {
		uint8_t *to;
		int part = blockio_room(io, block, nr, &to, err);

		if (part < 0)
			return -1;
		memcpy(to, from, (size_t)part * BLOCK_BYTES);
		from += (size_t)part * BLOCK_BYTES;
		block += (uint64_t)part;
		nr -= (uint32_t)part;
	}
	return 0;
}

int blockio_drain(struct blockio *io, struct error *err)
{
	return behind_drain(io->runs, err);
}

int blockio_sync(struct blockio *io, struct error *err)
{
	if (blockio_drain(io, err) < 0)
		return -1;
	if (fdatasync(io->fd) < 0)
		return err_sys(err, errno, "write to the device");
	return 0;
}

void blockio_discard(struct blockio *io, uint64_t block, uint64_t nr)
{
	uint64_t range[2] = { block * BLOCK_BYTES, nr * BLOCK_BYTES };
	int result;

	if (io->is_device)
		result = ioctl(io->fd, BLKDISCARD, range);
	else
		result = fallocate(io->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)range[0], (off_t)range[1]);
	if (result < 0)
		log_debug("discard: %s", strerror(errno));
	if (io->sums)
		blocksums_drop(io->sums, block, nr);
}

void blockio_sum(struct blockio *io)
{
	if (io->sums)
		return;
	io->sums = blocksums_new(io->nr_blocks);
	io->hash = blockhash_new();
}

struct blocksums *blockio_take_sums(struct blockio *io)
{
	struct blocksums *sums = io->sums;

	if (sums)
		io->sums = blocksums_new(io->nr_blocks);
	return sums;
}

/* ---- reading ---- */

int blockio_read(struct blockio *io, uint64_t block, uint32_t nr, void *ret, struct error *err)
{
	uint8_t *to = ret;

	if (check_range(io, block, nr, err) < 0)
		return -1;
	if (behind_has(io->runs, block * BLOCK_BYTES, (uint64_t)nr * BLOCK_BYTES) &&
	    blockio_drain(io, err) < 0)
		return -1;
	while (nr) {
		uint32_t part = nr < READ_BLOCKS ? nr : READ_BLOCKS;
		size_t len = (size_t)part * BLOCK_BYTES;

		if (io_pread(io->fd, io->bounce, len, block * BLOCK_BYTES, err) < 0)
			return err_add(err, "read block %ju", (uintmax_t)block);
		memcpy(to, io->bounce, len);
		to += len;
		block += part;
		nr -= part;
	}
	return 0;
}
