/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/blockio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/thread.h"

#define RUN_BLOCKS  256u /* 1 MiB: larger writes are not faster */
#define NR_RUNS	    8u
#define HALF_RUNS   (NR_RUNS / 2) /* who waited goes on with so many: fewer thread switches */
#define READ_BLOCKS CHUNK_BLOCKS
#define FEW_BLOCKS  16u /* a run that gets more is taken for one that gets full */

struct run {
	uint8_t *data;
	uint64_t first;
	uint32_t nr;
	bool touched; /* its memory is there */
};

struct blockio {
	int fd;
	bool is_device;
	uint64_t nr_blocks;
	uint8_t *bounce;	/* READ_BLOCKS, aligned */
	struct blocksums *sums; /* or NULL; the thread's until all is written */
	struct run runs[NR_RUNS];
	/* Runs are a ring: nr_full of them from `tail` on wait, the next is being filled. */
	unsigned int tail;
	unsigned int nr_full;
	bool draining; /* somebody waits until all are written */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool running;
	bool stop;
	bool failed;
	struct error err; /* when failed */
};

static int open_direct(const char *path, struct error *err)
{
	int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	return fd < 0 ? err_sys(err, errno, "open '%s'", path) : fd;
}

/* ---- the thread ---- */

static void write_run(struct blockio *io, const struct run *run)
{
	struct error err;

	if (io->sums)
		blocksums_put(io->sums, run->first, run->nr, run->data);
	if (io_pwrite(io->fd, run->data, (size_t)run->nr * BLOCK_BYTES, run->first * BLOCK_BYTES,
		      &err) == 0)
		return;
	err_add(&err, "write block %ju", (uintmax_t)run->first);
	pthread_mutex_lock(&io->lock);
	io->err = err;
	io->failed = true;
	pthread_mutex_unlock(&io->lock);
}

/* With how many full runs left somebody who waits goes on. */
static unsigned int wake_level(const struct blockio *io)
{
	return io->draining ? 0 : HALF_RUNS;
}

static void *write_runs(void *arg)
{
	struct blockio *io = arg;
	bool busy = false;

	pthread_mutex_lock(&io->lock);
	while (!io->stop) {
		if (!io->nr_full || (!busy && !io->draining && io->nr_full < HALF_RUNS)) {
			busy = false;
			pthread_cond_wait(&io->changed, &io->lock);
			continue;
		}
		busy = true;
		if (!io->failed) {
			pthread_mutex_unlock(&io->lock);
			write_run(io, &io->runs[io->tail]);
			pthread_mutex_lock(&io->lock);
		}
		io->runs[io->tail].nr = 0;
		io->tail = (io->tail + 1) % NR_RUNS;
		io->nr_full--;
		if (io->nr_full <= wake_level(io))
			pthread_cond_broadcast(&io->changed);
	}
	pthread_mutex_unlock(&io->lock);
	return NULL;
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

static uint8_t *aligned(uint32_t nr_blocks)
{
	void *data = aligned_alloc(BLOCK_BYTES, (size_t)nr_blocks * BLOCK_BYTES);

	if (!data)
		abort();
	return data;
}

int blockio_open(const char *path, struct blockio **ret, struct error *err)
{
	auto_blockio struct blockio *io = xcalloc(1, sizeof(*io));

	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->changed, NULL);
	io->fd = open_direct(path, err);
	if (io->fd < 0 || measure(io, err) < 0)
		return -1;
	io->bounce = aligned(READ_BLOCKS);
	for (unsigned int i = 0; i < NR_RUNS; i++)
		io->runs[i].data = aligned(RUN_BLOCKS);
	if (thread_start(write_runs, io, &io->thread, err) < 0)
		return -1;
	io->running = true;
	*ret = take_ptr(io);
	return 0;
}

void blockio_free(struct blockio *io)
{
	if (!io)
		return;
	if (io->running) {
		pthread_mutex_lock(&io->lock);
		io->stop = true;
		pthread_cond_broadcast(&io->changed);
		pthread_mutex_unlock(&io->lock);
		pthread_join(io->thread, NULL);
	}
	for (unsigned int i = 0; i < NR_RUNS; i++)
		free(io->runs[i].data);
	free(io->bounce);
	blocksums_free(io->sums);
	if (io->fd >= 0)
		close(io->fd);
	pthread_cond_destroy(&io->changed);
	pthread_mutex_destroy(&io->lock);
	free(io);
}

uint64_t blockio_nr_blocks(const struct blockio *io)
{
	return io->nr_blocks;
}

/* ---- writing ---- */

/* The run being filled. Only this side moves it on, when the lock is held. */
static struct run *open_run(struct blockio *io)
{
	return &io->runs[(io->tail + io->nr_full) % NR_RUNS];
}

/* Hands over the open run. Waits for room for another, or until all of them are written. */
static int submit(struct blockio *io, bool drain, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&io->lock);
	if (open_run(io)->nr)
		io->nr_full++;
	io->draining = drain;
	if (drain || io->nr_full >= HALF_RUNS)
		pthread_cond_broadcast(&io->changed);
	if (drain || io->nr_full == NR_RUNS)
		while (io->nr_full > wake_level(io))
			pthread_cond_wait(&io->changed, &io->lock);
	if (io->failed) {
		*err = io->err;
		result = -1;
	}
	pthread_mutex_unlock(&io->lock);
	return result;
}

static struct run *locked_run(struct blockio *io)
{
	struct run *run;

	pthread_mutex_lock(&io->lock);
	run = open_run(io);
	pthread_mutex_unlock(&io->lock);
	return run;
}

static int check_range(const struct blockio *io, uint64_t block, uint32_t nr, struct error *err)
{
	if (block < io->nr_blocks && nr <= io->nr_blocks - block)
		return 0;
	return err_set(err, ERR_CORRUPT, "block %ju is beyond the end of the device",
		       (uintmax_t)block);
}

int blockio_room(struct blockio *io, uint64_t block, uint32_t nr, uint8_t **ret, struct error *err)
{
	struct run *run = locked_run(io);

	if (check_range(io, block, 1, err) < 0)
		return -1;
	if (run->nr && (run->nr == RUN_BLOCKS || run->first + run->nr != block)) {
		if (submit(io, false, err) < 0)
			return -1;
		run = locked_run(io);
	}
	if (!run->nr)
		run->first = block;
	*ret = run->data + (size_t)run->nr * BLOCK_BYTES;
	nr = nr < RUN_BLOCKS - run->nr ? nr : RUN_BLOCKS - run->nr;
	run->nr += nr;
	if (!run->touched && run->nr > FEW_BLOCKS) {
		run->touched = true;
		pages_touch(run->data, (size_t)RUN_BLOCKS * BLOCK_BYTES);
	}
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
	return submit(io, true, err);
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
	if (!io->sums)
		io->sums = blocksums_new(io->nr_blocks);
}

struct blocksums *blockio_take_sums(struct blockio *io)
{
	struct blocksums *sums = io->sums;

	if (sums)
		io->sums = blocksums_new(io->nr_blocks);
	return sums;
}

/* ---- reading ---- */

static bool is_pending(struct blockio *io, uint64_t block, uint32_t nr)
{
	bool found = false;

	pthread_mutex_lock(&io->lock);
	for (unsigned int i = 0; i < NR_RUNS; i++)
		found |= io->runs[i].nr && io->runs[i].first < block + nr &&
			 block < io->runs[i].first + io->runs[i].nr;
	pthread_mutex_unlock(&io->lock);
	return found;
}

int blockio_read(struct blockio *io, uint64_t block, uint32_t nr, void *ret, struct error *err)
{
	uint8_t *to = ret;

	if (check_range(io, block, nr, err) < 0)
		return -1;
	if (is_pending(io, block, nr) && blockio_drain(io, err) < 0)
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
