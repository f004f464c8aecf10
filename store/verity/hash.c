/* SPDX-License-Identifier: Apache-2.0 */
#include "verity/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/blockhash.h"
#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/cpus.h"
#include "base/pages.h"
#include "base/size.h"

#define PIECE_BYTES (4 * MIB) /* a thread's work at a time */
#define READ_BYTES  MIB
#define THREADS_MIN 2u /* one reads while the other computes */
#define THREADS_MAX 4u
#define LOOK_MS	    200 /* how often progress and signals are looked at */

/* What the threads share. */
struct work {
	const struct hash_args *args;
	int fd;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	size_t run;	 /* where the next piece begins */
	uint64_t inside; /* pool blocks of that run that were given out */
	uint64_t first;	 /* which of the listed blocks it is */
	uint64_t done;	 /* pool blocks */
	unsigned int nr_running;
	bool failed;
	struct error err;
};

struct room {
	char *data; /* the rest is behind it in the same memory */
	unsigned char *sums;
	bool *unreadable;
	struct blockhash *hash;
};

static void room_done(struct room *room)
{
	free(room->data);
	blockhash_free(room->hash);
}
#define auto_room __attribute__((cleanup(room_done)))

static uint64_t piece_blocks(uint64_t block_bytes)
{
	return block_bytes >= PIECE_BYTES ? 1 : PIECE_BYTES / block_bytes;
}

/* The next piece of those that are asked for. */
static bool take(struct work *work, struct hash_piece *ret)
{
	const struct hash_args *args = work->args;
	uint64_t most = piece_blocks(args->block_bytes), end = args->first + args->length;
	bool got = false;

	pthread_mutex_lock(&work->mutex);
	while (!work->failed && work->run < args->nr_runs && work->first < end) {
		const struct verity_run *run = &args->runs[work->run];
		uint64_t left = run->dropped ? 0 : run->length - work->inside;

		if (!left) {
			work->run++;
			work->inside = 0;
			continue;
		}
		if (left > most)
			left = most;
		if (left > end - work->first)
			left = end - work->first;
		*ret = (struct hash_piece){ run->start + work->inside, work->first, left, NULL,
					    NULL };
		work->inside += left;
		work->first += left;
		got = true;
		break;
	}
	pthread_mutex_unlock(&work->mutex);
	return got;
}

/* Whole, or as much as can be had: the rest is tried block by block. */
static bool read_all(int fd, char *data, uint64_t len, uint64_t offset)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, data + done, len - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (uint64_t)got;
	}
	return true;
}

/* Of the chunk that begins with this block. */
static const uint8_t *known(const struct work *work, uint64_t block)
{
	return work->args->known ? blocksums_get(work->args->known, block / BLOCKSUMS_CHUNK) : NULL;
}

/* Blocks of 4096 bytes, counted from the device's start, into the room from its at-th on. */
static void hash_blocks(const struct work *work, uint64_t block, uint64_t nr, uint64_t at,
			struct room *room)
{
	uint64_t offset = block * VERITY_BLOCK_BYTES;
	unsigned char *sums = room->sums + at * VERITY_SUM_BYTES;
	bool whole = read_all(work->fd, room->data, nr * VERITY_BLOCK_BYTES, offset);

	for (uint64_t i = 0; i < nr && !whole; i++)
		room->unreadable[at + i] =
			!read_all(work->fd, room->data + i * VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES,
				  offset + i * VERITY_BLOCK_BYTES);
	blockhash_run(room->hash, room->data, nr, sums);
	for (uint64_t i = 0; i < nr; i++)
		if (room->unreadable[at + i])
			memset(sums + i * VERITY_SUM_BYTES, 0, VERITY_SUM_BYTES);
}

static int hash_piece(struct work *work, struct hash_piece *piece, struct room *room,
		      struct error *err)
{
	uint64_t nr = piece->length * verity_per_block(work->args->block_bytes);
	uint64_t start = piece->start * verity_per_block(work->args->block_bytes);
	uint64_t next;

	memset(room->unreadable, 0, nr * sizeof(*room->unreadable));
	/* A piece is whole pool blocks, and those are whole chunks. */
	for (uint64_t at = 0; at < nr; at = next) {
		const uint8_t *sums = known(work, start + at);

		next = at + BLOCKSUMS_CHUNK;
		if (sums) {
			memcpy(room->sums + at * VERITY_SUM_BYTES, sums,
			       (size_t)BLOCKSUMS_CHUNK * VERITY_SUM_BYTES);
			continue;
		}
		while (next < nr && next - at < READ_BYTES / VERITY_BLOCK_BYTES &&
		       !known(work, start + next))
			next += BLOCKSUMS_CHUNK;
		hash_blocks(work, start + at, next - at, at, room);
	}
	piece->sums = room->sums;
	piece->unreadable = room->unreadable;
	return work->args->piece(work->args->ctx, piece, err);
}

static void fail(struct work *work, const struct error *err)
{
	pthread_mutex_lock(&work->mutex);
	if (!work->failed)
		work->err = *err;
	work->failed = true;
	pthread_mutex_unlock(&work->mutex);
}

static int make_room(uint64_t block_bytes, struct room *ret, struct error *err)
{
	uint64_t nr = piece_blocks(block_bytes) * verity_per_block(block_bytes);
	void *data;

	/* A pool block can be a gigabyte. */
	if (posix_memalign(&data, VERITY_BLOCK_BYTES,
			   READ_BYTES + nr * (VERITY_SUM_BYTES + sizeof(*ret->unreadable))) != 0)
		return err_set(err, ERR_LIMIT, "no memory for the digests of %" PRIu64 " blocks",
			       nr);
	pages_touch(data, READ_BYTES);
	ret->hash = blockhash_new();
	ret->data = data;
	ret->sums = (unsigned char *)ret->data + READ_BYTES;
	ret->unreadable = (bool *)(ret->sums + nr * VERITY_SUM_BYTES);
	return 0;
}

static void *run_thread(void *ctx)
{
	auto_room struct room room = { 0 };
	struct work *work = ctx;
	struct hash_piece piece;
	struct error err;
	bool ready = make_room(work->args->block_bytes, &room, &err) == 0;

	if (!ready)
		fail(work, &err);
	while (ready && take(work, &piece)) {
		if (hash_piece(work, &piece, &room, &err) < 0)
			fail(work, &err);
		pthread_mutex_lock(&work->mutex);
		work->done += piece.length;
		pthread_mutex_unlock(&work->mutex);
	}
	pthread_mutex_lock(&work->mutex);
	work->nr_running--;
	pthread_cond_signal(&work->ended);
	pthread_mutex_unlock(&work->mutex);
	return NULL;
}

static void tell(const struct hash_args *args, uint64_t done)
{
	progress_update(args->progress, args->item, "Verifying",
			args->done_bytes + done * args->block_bytes, args->total_bytes);
}

/* Until all have ended: progress, and a signal that asks to stop. */
static void watch(struct work *work)
{
	struct error err;

	pthread_mutex_lock(&work->mutex);
	while (work->nr_running) {
		struct timespec until;
		uint64_t done;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&work->ended, &work->mutex, &until);
		done = work->done;
		pthread_mutex_unlock(&work->mutex);
		tell(work->args, done);
		if (cancel_check(&err) < 0)
			fail(work, &err);
		pthread_mutex_lock(&work->mutex);
	}
	pthread_mutex_unlock(&work->mutex);
}

static int run_threads(struct work *work, struct error *err)
{
	pthread_t threads[THREADS_MAX];
	unsigned int nr = 0, wanted = cpus_usable();

	if (wanted < THREADS_MIN)
		wanted = THREADS_MIN;
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	/* Those that cannot be had are done without; the last is this one. */
	while (nr < wanted) {
		pthread_mutex_lock(&work->mutex);
		work->nr_running++;
		pthread_mutex_unlock(&work->mutex);
		if (pthread_create(&threads[nr], NULL, run_thread, work) != 0) {
			run_thread(work);
			break;
		}
		nr++;
	}
	watch(work);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	tell(work->args, work->done);
	if (!work->failed)
		return 0;
	*err = work->err;
	return -1;
}

/* Dropped runs have no blocks in the count. */
static void seek(struct work *work)
{
	uint64_t before = work->args->first;

	for (; work->run < work->args->nr_runs; work->run++) {
		const struct verity_run *run = &work->args->runs[work->run];

		if (run->dropped)
			continue;
		if (before < run->length)
			break;
		before -= run->length;
	}
	work->inside = before;
	work->first = work->args->first;
}

int hash_runs(const struct hash_args *args, struct error *err)
{
	auto_fd int fd = open(args->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct work work = { .args = args,
			     .mutex = PTHREAD_MUTEX_INITIALIZER,
			     .ended = PTHREAD_COND_INITIALIZER };
	int result;

	if (fd < 0 && errno == EINVAL)
		fd = open(args->device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", args->device);
	work.fd = fd;
	seek(&work);
	result = run_threads(&work, err);
	pthread_cond_destroy(&work.ended);
	pthread_mutex_destroy(&work.mutex);
	return result;
}
