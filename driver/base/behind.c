/* SPDX-License-Identifier: Apache-2.0 */
#include "base/behind.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/pages.h"
#include "base/thread.h"

#define ALIGN_BYTES 4096u /* enough for the block sizes of most disks */

struct behind {
	struct behind_args args;
	struct behind_piece *pieces;
	bool *touched;
	/* A ring: nr_full of them from `tail` on wait, the next is being filled. */
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

struct behind *behind_new(const struct behind_args *args)
{
	struct behind *behind = xcalloc(1, sizeof(*behind));

	behind->args = *args;
	behind->pieces = xcalloc(args->nr_pieces, sizeof(*behind->pieces));
	behind->touched = xcalloc(args->nr_pieces, sizeof(*behind->touched));
	pthread_mutex_init(&behind->lock, NULL);
	pthread_cond_init(&behind->changed, NULL);
	return behind;
}

void behind_free(struct behind *behind)
{
	if (!behind)
		return;
	if (behind->running) {
		pthread_mutex_lock(&behind->lock);
		behind->stop = true;
		pthread_cond_broadcast(&behind->changed);
		pthread_mutex_unlock(&behind->lock);
		pthread_join(behind->thread, NULL);
	}
	for (unsigned int i = 0; i < behind->args.nr_pieces; i++)
		free(behind->pieces[i].data);
	free(behind->pieces);
	free(behind->touched);
	pthread_cond_destroy(&behind->changed);
	pthread_mutex_destroy(&behind->lock);
	free(behind);
}

/* ---- the thread ---- */

/* As many make it worth to wake somebody. */
static unsigned int some(const struct behind *behind)
{
	return behind->args.nr_pieces / 2;
}

/* With how many full pieces left somebody who waits goes on. */
static unsigned int wake_level(const struct behind *behind)
{
	return behind->draining ? 0 : some(behind);
}

static void *write_pieces(void *arg)
{
	struct behind *behind = arg;
	bool busy = false;

	pthread_mutex_lock(&behind->lock);
	while (!behind->stop) {
		struct behind_piece *piece = &behind->pieces[behind->tail];
		struct error err;

		if (!behind->nr_full ||
		    (!busy && !behind->draining && behind->nr_full < some(behind))) {
			busy = false;
			pthread_cond_wait(&behind->changed, &behind->lock);
			continue;
		}
		busy = true;
		if (!behind->failed) {
			int result;

			pthread_mutex_unlock(&behind->lock);
			result = behind->args.write(behind->args.ctx, piece, &err);
			pthread_mutex_lock(&behind->lock);
			if (result < 0)
				behind->err = err;
			behind->failed = result < 0;
		}
		piece->len = 0;
		behind->tail = (behind->tail + 1) % behind->args.nr_pieces;
		behind->nr_full--;
		if (behind->nr_full <= wake_level(behind))
			pthread_cond_broadcast(&behind->changed);
	}
	pthread_mutex_unlock(&behind->lock);
	return NULL;
}

/* ---- the other side ---- */

static unsigned int open_index(const struct behind *behind)
{
	return (behind->tail + behind->nr_full) % behind->args.nr_pieces;
}

struct behind_piece *behind_open(struct behind *behind)
{
	struct behind_piece *piece;

	/* Only this side moves it on. */
	pthread_mutex_lock(&behind->lock);
	piece = &behind->pieces[open_index(behind)];
	pthread_mutex_unlock(&behind->lock);
	if (!piece->data) {
		piece->data = aligned_alloc(ALIGN_BYTES, behind->args.piece_bytes);
		if (!piece->data)
			abort();
	}
	return piece;
}

void behind_touch(struct behind *behind)
{
	struct behind_piece *piece = behind_open(behind);
	bool *touched = &behind->touched[piece - behind->pieces];

	if (!*touched)
		pages_touch(piece->data, behind->args.piece_bytes);
	*touched = true;
}

/* There is no thread: it has nothing to do when this is all there is. */
static int write_open(struct behind *behind, struct error *err)
{
	struct behind_piece *piece = behind_open(behind);

	if (!behind->failed && piece->len &&
	    behind->args.write(behind->args.ctx, piece, &behind->err) < 0)
		behind->failed = true;
	piece->len = 0;
	if (behind->failed)
		*err = behind->err;
	return behind->failed ? -1 : 0;
}

static int hand_over(struct behind *behind, bool drain, struct error *err)
{
	int result = 0;

	if (!behind->running) {
		if (drain)
			return write_open(behind, err);
		if (thread_start(write_pieces, behind, &behind->thread, err) < 0)
			return -1;
		behind->running = true;
	}
	pthread_mutex_lock(&behind->lock);
	if (behind->pieces[open_index(behind)].len)
		behind->nr_full++;
	behind->draining = drain;
	if (drain || behind->nr_full >= some(behind))
		pthread_cond_broadcast(&behind->changed);
	if (drain || behind->nr_full == behind->args.nr_pieces)
		while (behind->nr_full > wake_level(behind))
			pthread_cond_wait(&behind->changed, &behind->lock);
	if (behind->failed) {
		*err = behind->err;
		result = -1;
	}
	pthread_mutex_unlock(&behind->lock);
	return result;
}

int behind_put(struct behind *behind, struct error *err)
{
	return hand_over(behind, false, err);
}

int behind_drain(struct behind *behind, struct error *err)
{
	return hand_over(behind, true, err);
}

bool behind_has(struct behind *behind, uint64_t offset, uint64_t len)
{
	bool found = false;

	pthread_mutex_lock(&behind->lock);
	for (unsigned int i = 0; i < behind->args.nr_pieces; i++) {
		const struct behind_piece *piece = &behind->pieces[i];

		found |= piece->len && piece->offset < offset + len &&
			 offset < piece->offset + piece->len;
	}
	pthread_mutex_unlock(&behind->lock);
	return found;
}
