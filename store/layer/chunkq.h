/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunkq - a short queue of byte chunks from one thread to one or two others
 *
 * Every consumer sees every chunk, in order and without a copy. The producer
 * waits when the slowest is as many chunks behind as the queue holds. The producer's error travels
 * behind the chunks before it. Any consumer may stop the whole queue.
 */
#ifndef LAYER_CHUNKQ_H
#define LAYER_CHUNKQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHUNKQ_CHUNK_BYTES ((size_t)256 * 1024)
#define CHUNKQ_CHUNKS	   12u /* what a queue holds, usually */
#define CHUNKQ_BATCH	   4u  /* who waits is woken for so many at once: fewer thread switches */
#define CHUNKQ_CONSUMERS   2u

struct chunkq;

/* The caller owns the result, which holds up to nr_chunks, several batches. */
struct chunkq *chunkq_new(unsigned int nr_consumers, unsigned int nr_chunks);
/* No thread may be inside any more. */
void chunkq_free(struct chunkq *queue);

/* Producer: an empty chunk of CHUNKQ_CHUNK_BYTES, or NULL when a consumer stopped the queue. */
uint8_t *chunkq_room(struct chunkq *queue);
/* Producer: hands over the chunk of the last chunkq_room(); len > 0. */
void chunkq_put(struct chunkq *queue, size_t len);
/* Producer: nothing more will come; err is NULL, or why. Called once. */
void chunkq_end(struct chunkq *queue, const struct error *err);

/**
 * chunkq_get - consumer: the oldest chunk it has not done with
 * @ret_len: 0 at the end
 *
 * Valid until chunkq_next(). Returns 0, or -1 with the producer's error, or
 * with ERR_CANCELLED when the queue was stopped.
 */
int chunkq_get(struct chunkq *queue, unsigned int consumer, const uint8_t **ret_data,
	       size_t *ret_len, struct error *err);
/* Consumer: done with that chunk. */
void chunkq_next(struct chunkq *queue, unsigned int consumer);

/* Anybody: wakes and turns away everybody, now and later. */
void chunkq_stop(struct chunkq *queue);

#endif
