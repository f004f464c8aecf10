/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller fills slots in a circle, the threads compress them in any order, and the caller
 * writes them out in its own order when it comes to a slot anew. The lock guards the states.
 */
#include "layer/gzip.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cpus.h"
#include "base/isal.h"
#include "base/le.h"
#include "base/thread.h"

#define LEVEL	    1 /* see deflate.c */
#define BLOCK_BYTES ((size_t)1024 * 1024)
#define SLOP_BYTES \
	((size_t)16 * 1024) /* by which noise grows: 5 bytes for each 65535, and the end */

enum slot_state {
	SLOT_EMPTY,
	SLOT_FULL,
	SLOT_BUSY,
	SLOT_DONE,
};

struct slot {
	enum slot_state state;
	uint8_t *in, *out;
	size_t in_len, out_len;
	int result; /* of the library */
};

struct gzip {
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	struct hasher *hasher;
	uint32_t crc, total; /* of the input; RFC 1952: modulo 2^32 */
	struct slot *slots;
	unsigned int nr_slots;
	unsigned int next; /* the caller fills it */
	pthread_t *threads;
	unsigned int nr_threads;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	bool stopping;
	bool begun;
};

static void compress_slot(struct slot *slot, uint8_t *level_buf)
{
	struct isal_zstream stream;

	isal_get()->deflate_init(&stream);
	stream.level = LEVEL;
	stream.level_buf = level_buf;
	stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	stream.flush = FULL_FLUSH; /* ends on a byte, and the next block looks back at nothing */
	stream.next_in = slot->in;
	stream.avail_in = (uint32_t)slot->in_len;
	stream.next_out = slot->out;
	stream.avail_out = BLOCK_BYTES + SLOP_BYTES;
	slot->result = isal_get()->deflate(&stream);
	slot->out_len = BLOCK_BYTES + SLOP_BYTES - stream.avail_out;
	if (stream.avail_in || !stream.avail_out)
		slot->result = STATELESS_OVERFLOW;
}

/* Under the lock. NULL: nothing to do. */
static struct slot *full_slot(struct gzip *gzip)
{
	for (unsigned int i = 0; i < gzip->nr_slots; i++) {
		struct slot *slot = &gzip->slots[(gzip->next + i) % gzip->nr_slots];

		if (slot->state == SLOT_FULL)
			return slot;
	}
	return NULL;
}

static void *thread_main(void *arg)
{
	auto_free uint8_t *level_buf = xmalloc(ISAL_DEF_LVL1_DEFAULT);
	struct gzip *gzip = arg;

	pthread_mutex_lock(&gzip->lock);
	while (!gzip->stopping) {
		struct slot *slot = full_slot(gzip);

		if (!slot) {
			pthread_cond_wait(&gzip->work, &gzip->lock);
			continue;
		}
		slot->state = SLOT_BUSY;
		pthread_mutex_unlock(&gzip->lock);
		compress_slot(slot, level_buf);
		pthread_mutex_lock(&gzip->lock);
		slot->state = SLOT_DONE;
		pthread_cond_signal(&gzip->done);
	}
	pthread_mutex_unlock(&gzip->lock);
	return NULL;
}

static int start_threads(struct gzip *gzip, unsigned int wanted, struct error *err)
{
	gzip->threads = xcalloc(wanted, sizeof(*gzip->threads));
	while (gzip->nr_threads < wanted &&
	       thread_start(thread_main, gzip, &gzip->threads[gzip->nr_threads], err) == 0)
		gzip->nr_threads++;
	return gzip->nr_threads ? 0 : -1;
}

int gzip_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err), void *ctx,
	     unsigned int threads, struct gzip **ret, struct error *err)
{
	auto_gzip struct gzip *gzip = xcalloc(1, sizeof(*gzip));

	if (!threads)
		threads = cpus_usable();
	gzip->write = write;
	gzip->ctx = ctx;
	gzip->hasher = hasher_new();
	gzip->nr_slots = threads + 1; /* one is filled meanwhile */
	gzip->slots = xcalloc(gzip->nr_slots, sizeof(*gzip->slots));
	for (unsigned int i = 0; i < gzip->nr_slots; i++) {
		gzip->slots[i].in = xmalloc(BLOCK_BYTES);
		gzip->slots[i].out = xmalloc(BLOCK_BYTES + SLOP_BYTES);
	}
	pthread_mutex_init(&gzip->lock, NULL);
	pthread_cond_init(&gzip->work, NULL);
	pthread_cond_init(&gzip->done, NULL);
	if (start_threads(gzip, threads, err) < 0)
		return -1;
	*ret = take_ptr(gzip);
	return 0;
}

void gzip_free(struct gzip *gzip)
{
	if (!gzip)
		return;
	pthread_mutex_lock(&gzip->lock);
	gzip->stopping = true;
	pthread_cond_broadcast(&gzip->work);
	pthread_mutex_unlock(&gzip->lock);
	for (unsigned int i = 0; i < gzip->nr_threads; i++)
		pthread_join(gzip->threads[i], NULL);
	pthread_cond_destroy(&gzip->done);
	pthread_cond_destroy(&gzip->work);
	pthread_mutex_destroy(&gzip->lock);
	for (unsigned int i = 0; i < gzip->nr_slots; i++) {
		free(gzip->slots[i].in);
		free(gzip->slots[i].out);
	}
	hasher_free(gzip->hasher);
	free(gzip->slots);
	free(gzip->threads);
	free(gzip);
}

/* ---- the caller's side ---- */

static int put(struct gzip *gzip, const void *data, size_t len, struct error *err)
{
	hasher_add(gzip->hasher, data, len);
	return gzip->write(gzip->ctx, data, len, err);
}

static int begin(struct gzip *gzip, struct error *err)
{
	static const uint8_t header[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };

	if (gzip->begun)
		return 0;
	gzip->begun = true;
	return put(gzip, header, sizeof(header), err);
}

/* Writes what the slot holds, once it is compressed; it is empty then. */
static int drain(struct gzip *gzip, struct slot *slot, struct error *err)
{
	enum slot_state was;

	pthread_mutex_lock(&gzip->lock);
	while (slot->state == SLOT_FULL || slot->state == SLOT_BUSY)
		pthread_cond_wait(&gzip->done, &gzip->lock);
	was = slot->state;
	slot->state = SLOT_EMPTY;
	pthread_mutex_unlock(&gzip->lock);
	if (was == SLOT_EMPTY)
		return 0;
	slot->in_len = 0;
	if (slot->result != COMP_OK)
		return err_set(err, ERR_IO, "compress: error %d", slot->result);
	return put(gzip, slot->out, slot->out_len, err);
}

static int hand_over(struct gzip *gzip, struct error *err)
{
	struct slot *slot = &gzip->slots[gzip->next];

	gzip->crc = isal_get()->crc32_gzip_refl(gzip->crc, slot->in, slot->in_len);
	gzip->total += (uint32_t)slot->in_len;
	pthread_mutex_lock(&gzip->lock);
	slot->state = SLOT_FULL;
	gzip->next = (gzip->next + 1) % gzip->nr_slots;
	pthread_cond_signal(&gzip->work);
	pthread_mutex_unlock(&gzip->lock);
	return drain(gzip, &gzip->slots[gzip->next], err);
}

int gzip_add(struct gzip *gzip, const void *data, size_t len, struct error *err)
{
	const uint8_t *at = data;

	if (begin(gzip, err) < 0)
		return -1;
	while (len) {
		struct slot *slot = &gzip->slots[gzip->next];
		size_t room = BLOCK_BYTES - slot->in_len;
		size_t piece = len < room ? len : room;

		memcpy(slot->in + slot->in_len, at, piece);
		slot->in_len += piece;
		at += piece;
		len -= piece;
		if (slot->in_len == BLOCK_BYTES && hand_over(gzip, err) < 0)
			return -1;
	}
	return 0;
}

int gzip_end(struct gzip *gzip, struct digest *ret, struct error *err)
{
	uint8_t end[10] = { 3, 0 }; /* the last block, empty */

	if (begin(gzip, err) < 0 || (gzip->slots[gzip->next].in_len && hand_over(gzip, err) < 0))
		return -1;
	for (unsigned int i = 0; i < gzip->nr_slots; i++)
		if (drain(gzip, &gzip->slots[(gzip->next + i) % gzip->nr_slots], err) < 0)
			return -1;
	put_le32(end + 2, gzip->crc);
	put_le32(end + 6, gzip->total);
	if (put(gzip, end, sizeof(end), err) < 0)
		return -1;
	hasher_end(gzip->hasher, ret);
	return 0;
}
