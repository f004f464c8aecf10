/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/chunkq.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"

struct chunkq {
	pthread_mutex_t lock;
	pthread_cond_t filled; /* consumers wait */
	pthread_cond_t freed;  /* the producer waits */
	unsigned int nr_consumers;
	uint64_t put;			 /* chunks handed over so far */
	uint64_t done[CHUNKQ_CONSUMERS]; /* chunks each consumer is done with */
	bool ended;
	bool stopped;
	bool failed;
	struct error err; /* when failed */
	unsigned int nr_chunks;
	struct chunk {
		uint8_t *data; /* allocated when first used */
		size_t len;
	} chunks[];
};

static struct chunk *chunk_of(struct chunkq *queue, uint64_t nr)
{
	return &queue->chunks[nr % queue->nr_chunks];
}

struct chunkq *chunkq_new(unsigned int nr_consumers, unsigned int nr_chunks)
{
	struct chunkq *queue = xcalloc(1, sizeof(*queue) + nr_chunks * sizeof(*queue->chunks));

	queue->nr_consumers = nr_consumers;
	queue->nr_chunks = nr_chunks;
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->freed, NULL);
	return queue;
}

void chunkq_free(struct chunkq *queue)
{
	if (!queue)
		return;
	for (unsigned int i = 0; i < queue->nr_chunks; i++)
		free(queue->chunks[i].data);
	pthread_cond_destroy(&queue->freed);
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static uint64_t slowest(const struct chunkq *queue)
{
	uint64_t done = queue->done[0];

	for (unsigned int i = 1; i < queue->nr_consumers; i++)
		done = queue->done[i] < done ? queue->done[i] : done;
	return done;
}

static bool has_freed_batch(const struct chunkq *queue)
{
	return queue->put - slowest(queue) <= queue->nr_chunks - CHUNKQ_BATCH;
}

uint8_t *chunkq_room(struct chunkq *queue)
{
	struct chunk *free_one;
	bool stopped;

	pthread_mutex_lock(&queue->lock);
	if (queue->put - slowest(queue) == queue->nr_chunks)
		while (!queue->stopped && !has_freed_batch(queue))
			pthread_cond_wait(&queue->freed, &queue->lock);
	stopped = queue->stopped;
	free_one = chunk_of(queue, queue->put);
	pthread_mutex_unlock(&queue->lock);
	if (stopped)
		return NULL;
	/* Nobody else touches it. */
	if (!free_one->data)
		free_one->data = xmalloc(CHUNKQ_CHUNK_BYTES);
	return free_one->data;
}

void chunkq_put(struct chunkq *queue, size_t len)
{
	pthread_mutex_lock(&queue->lock);
	chunk_of(queue, queue->put++)->len = len;
	/* A consumer that finds less than a batch takes it; only one that found nothing waits. */
	if (queue->put % CHUNKQ_BATCH == 0)
		pthread_cond_broadcast(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

void chunkq_end(struct chunkq *queue, const struct error *err)
{
	pthread_mutex_lock(&queue->lock);
	queue->ended = true;
	if (err) {
		queue->failed = true;
		queue->err = *err;
	}
	pthread_cond_broadcast(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

int chunkq_get(struct chunkq *queue, unsigned int consumer, const uint8_t **ret_data,
	       size_t *ret_len, struct error *err)
{
	uint64_t *done = &queue->done[consumer];
	int ret = 0;

	pthread_mutex_lock(&queue->lock);
	while (!queue->stopped && !queue->ended && *done == queue->put)
		pthread_cond_wait(&queue->filled, &queue->lock);
	if (queue->stopped) {
		ret = err_set(err, ERR_CANCELLED, "stopped");
	} else if (*done < queue->put) {
		*ret_data = chunk_of(queue, *done)->data;
		*ret_len = chunk_of(queue, *done)->len;
	} else if (queue->failed) {
		*err = queue->err;
		ret = -1;
	} else {
		*ret_data = NULL;
		*ret_len = 0;
	}
	pthread_mutex_unlock(&queue->lock);
	return ret;
}

void chunkq_next(struct chunkq *queue, unsigned int consumer)
{
	pthread_mutex_lock(&queue->lock);
	queue->done[consumer]++;
	if (has_freed_batch(queue))
		pthread_cond_signal(&queue->freed);
	pthread_mutex_unlock(&queue->lock);
}

void chunkq_stop(struct chunkq *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_broadcast(&queue->filled);
	pthread_cond_broadcast(&queue->freed);
	pthread_mutex_unlock(&queue->lock);
}
