/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three threads beside the caller's:
 *
 *	reader:   read, digest, tee         -> the queue `blob`
 *	inflater: blob -> inflate           -> the queue `tar`
 *	hasher:   consumer 1 of tar; the caller is consumer 0
 *
 * Without threads stream_next() does the same steps one after the other, with
 * one chunk of each. A stage that fails ends its queue with the error; a
 * consumer that gives up stops its queue, which stops the stage before it.
 */
#include "layer/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/cpus.h"
#include "base/thread.h"
#include "layer/chunkq.h"
#include "layer/inflate.h"
#include "limits.h"

enum {
	TAR_CALLER, /* consumers of the queue `tar` */
	TAR_HASHER,
};

#define POLL_MS	     100
#define AHEAD_CHUNKS (2 * CHUNKQ_CHUNKS) /* of the tar */

struct stream {
	struct stream_options options;
	bool threaded;
	/* Stage 1. */
	struct hasher *blob_hasher; /* NULL without digests */
	_Atomic uint64_t blob_bytes;
	bool blob_ended;
	bool blob_failed;     /* read or tee did */
	atomic_bool stopping; /* stream_read_fd() looks at it while it waits */
	/* Stage 2. */
	enum inflate_kind kind;
	struct inflate *inflate; /* NULL until the first bytes are here */
	struct inflate_io io;	 /* what is left of the present chunk of the blob */
	bool holds_chunk;	 /* of the queue `blob` */
	uint64_t tar_bytes;
	/* Stage 3. */
	struct hasher *tar_hasher; /* NULL without digests */
	/* Between them: queues and threads, or one buffer each. */
	struct chunkq *blob;
	struct chunkq *tar;
	pthread_t threads[3];
	unsigned int nr_threads;
	uint8_t *blob_buf;
	uint8_t *tar_buf;
	/* Of one opened ahead: has its turn come? */
	pthread_mutex_t turn_lock;
	pthread_cond_t turn_changed;
	bool has_turn; /* the caller's side: no lock is needed to look at it there */
	/* The caller's side. */
	bool caller_holds_chunk; /* of the queue `tar` */
	bool ended;
	bool finished;
	struct stream_result result; /* when finished */
	bool failed;
	struct error err; /* when failed */
};

/* In the reader's thread: when to give up a wait. */
static _Thread_local const atomic_bool *reader_stopping;

/* ---- stage 1: bytes as they come ---- */

static ssize_t fill_chunk(struct stream *stream, uint8_t *data, struct error *err)
{
	size_t len = 0;

	while (len < CHUNKQ_CHUNK_BYTES && !stream->blob_ended) {
		size_t room = CHUNKQ_CHUNK_BYTES - len;
		int got = stream->options.read(stream->options.read_ctx, data + len, room, err);

		if (got < 0)
			return -1;
		stream->blob_ended = got == 0;
		len += (size_t)got;
	}
	if (!len)
		return 0;
	if (stream->blob_hasher)
		hasher_add(stream->blob_hasher, data, len);
	atomic_fetch_add_explicit(&stream->blob_bytes, len, memory_order_relaxed);
	if (stream->options.tee && stream->options.tee(stream->options.tee_ctx, data, len, err) < 0)
		return -1;
	return (ssize_t)len;
}

/* A whole chunk, or what is left. Returns its length, 0 at the end, -1. */
static ssize_t read_chunk(struct stream *stream, uint8_t *data, struct error *err)
{
	ssize_t len = fill_chunk(stream, data, err);

	stream->blob_failed |= len < 0;
	return len;
}

static void *reader_main(void *arg)
{
	struct stream *stream = arg;
	struct error err;
	ssize_t len = 0;
	uint8_t *data;

	reader_stopping = &stream->stopping;
	while ((data = chunkq_room(stream->blob)) && (len = read_chunk(stream, data, &err)) > 0)
		chunkq_put(stream->blob, (size_t)len);
	chunkq_end(stream->blob, len < 0 ? &err : NULL);
	return NULL;
}

/* ---- stage 2: the tar ---- */

/* The next piece of the blob, into stream->io.in; in_len is 0 at the end. */
static int next_input(struct stream *stream, struct error *err)
{
	ssize_t len;

	if (stream->threaded) {
		if (stream->holds_chunk)
			chunkq_next(stream->blob, 0);
		stream->holds_chunk = false;
		if (chunkq_get(stream->blob, 0, &stream->io.in, &stream->io.in_len, err) < 0)
			return -1;
		stream->holds_chunk = stream->io.in_len > 0;
		return 0;
	}
	len = read_chunk(stream, stream->blob_buf, err);
	if (len < 0)
		return -1;
	stream->io.in = stream->blob_buf;
	stream->io.in_len = (size_t)len;
	return 0;
}

static void take_turn(struct stream *stream)
{
	if (stream->has_turn)
		return;
	pthread_mutex_lock(&stream->turn_lock);
	stream->has_turn = true;
	pthread_cond_signal(&stream->turn_changed);
	pthread_mutex_unlock(&stream->turn_lock);
}

static void wait_for_turn(struct stream *stream)
{
	pthread_mutex_lock(&stream->turn_lock);
	while (!stream->has_turn)
		pthread_cond_wait(&stream->turn_changed, &stream->turn_lock);
	pthread_mutex_unlock(&stream->turn_lock);
}

static int choose_decoder(struct stream *stream, struct error *err)
{
	unsigned int kinds = stream->options.kinds ?: INFLATE_LAYER_KINDS;

	if (next_input(stream, err) < 0)
		return -1;
	stream->kind = inflate_detect(stream->io.in, stream->io.in_len);
	if (!(kinds & 1u << stream->kind))
		return err_set(err, ERR_UNSUPPORTED, "unsupported compression %s",
			       inflate_kind_name(stream->kind));
	if (stream->kind != INFLATE_PLAIN && stream->kind != INFLATE_GZIP)
		wait_for_turn(stream);
	stream->inflate =
		inflate_new(stream->kind, stream->options.no_digests ? LIMIT_ARCHIVE_WINDOW_BYTES
								     : LIMIT_LAYER_WINDOW_BYTES);
	return 0;
}

/* A whole chunk of the tar, or what is left. Returns its length, 0 at the end, -1. */
static ssize_t inflate_chunk(struct stream *stream, uint8_t *data, struct error *err)
{
	struct inflate_io *io = &stream->io;
	uint64_t max = stream->options.max_tar_bytes;
	size_t len;

	if (!stream->inflate && choose_decoder(stream, err) < 0)
		return -1;
	io->out = data;
	io->out_len = CHUNKQ_CHUNK_BYTES;
	for (;;) {
		if (inflate_step(stream->inflate, io, err) < 0)
			return -1;
		if (!io->out_len)
			break;
		if (next_input(stream, err) < 0)
			return -1;
		if (!io->in_len) {
			if (inflate_end(stream->inflate, err) < 0)
				return -1;
			break;
		}
	}
	len = CHUNKQ_CHUNK_BYTES - io->out_len;
	stream->tar_bytes += len;
	if (max && stream->tar_bytes > max)
		return err_set(err, ERR_LIMIT, "unpacks to more than %ju bytes", (uintmax_t)max);
	return (ssize_t)len;
}

static void *inflater_main(void *arg)
{
	struct stream *stream = arg;
	struct error err;
	ssize_t len = 0;
	uint8_t *data;

	while ((data = chunkq_room(stream->tar)) && (len = inflate_chunk(stream, data, &err)) > 0)
		chunkq_put(stream->tar, (size_t)len);
	chunkq_end(stream->tar, len < 0 ? &err : NULL);
	if (!data || len < 0)
		chunkq_stop(stream->blob);
	return NULL;
}

/* ---- stage 3: its digest ---- */

/* What was not compressed has one digest, which the reader makes. */
static bool has_own_diff_id(const struct stream *stream)
{
	return stream->tar_hasher && stream->kind != INFLATE_PLAIN;
}

static void *hasher_main(void *arg)
{
	struct stream *stream = arg;
	struct error err;
	const uint8_t *data;
	size_t len;

	/* `kind` was set before the first chunk was put, so reading it is ordered by the queue. */
	while (chunkq_get(stream->tar, TAR_HASHER, &data, &len, &err) == 0 && len) {
		if (has_own_diff_id(stream))
			hasher_add(stream->tar_hasher, data, len);
		chunkq_next(stream->tar, TAR_HASHER);
	}
	return NULL;
}

/* ---- the caller's side ---- */

static int start_one(struct stream *stream, void *(*main)(void *), struct error *err)
{
	if (thread_start(main, stream, &stream->threads[stream->nr_threads], err) < 0)
		return -1;
	stream->nr_threads++;
	return 0;
}

static int start_threads(struct stream *stream, struct error *err)
{
	stream->blob = chunkq_new(1, CHUNKQ_CHUNKS);
	stream->tar = chunkq_new(stream->tar_hasher ? 2 : 1,
				 stream->options.ahead ? AHEAD_CHUNKS : CHUNKQ_CHUNKS);
	if (start_one(stream, reader_main, err) < 0 || start_one(stream, inflater_main, err) < 0)
		return -1;
	return stream->tar_hasher ? start_one(stream, hasher_main, err) : 0;
}

int stream_open(const struct stream_options *options, struct stream **ret, struct error *err)
{
	auto_stream struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->options = *options;
	stream->has_turn = !options->ahead;
	pthread_mutex_init(&stream->turn_lock, NULL);
	pthread_cond_init(&stream->turn_changed, NULL);
	stream->threaded = options->threads == STREAM_THREADS_ALWAYS ||
			   (options->threads == STREAM_THREADS_AUTO && cpus_usable() > 1);
	if (!options->no_digests) {
		stream->blob_hasher = hasher_new();
		stream->tar_hasher = hasher_new();
	}
	if (!stream->threaded) {
		stream->blob_buf = xmalloc(CHUNKQ_CHUNK_BYTES);
		stream->tar_buf = xmalloc(CHUNKQ_CHUNK_BYTES);
	} else if (start_threads(stream, err) < 0) {
		return -1;
	}
	*ret = take_ptr(stream);
	return 0;
}

static void join_threads(struct stream *stream)
{
	while (stream->nr_threads)
		pthread_join(stream->threads[--stream->nr_threads], NULL);
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->threaded && stream->blob) {
		atomic_store(&stream->stopping, true);
		take_turn(stream);
		chunkq_stop(stream->tar);
		chunkq_stop(stream->blob);
		join_threads(stream);
	}
	chunkq_free(stream->tar);
	chunkq_free(stream->blob);
	inflate_free(stream->inflate);
	pthread_cond_destroy(&stream->turn_changed);
	pthread_mutex_destroy(&stream->turn_lock);
	hasher_free(stream->blob_hasher);
	hasher_free(stream->tar_hasher);
	free(stream->blob_buf);
	free(stream->tar_buf);
	free(stream);
}

static int next_threaded(struct stream *stream, const void **ret_block, size_t *ret_len,
			 struct error *err)
{
	const uint8_t *data;

	if (stream->caller_holds_chunk)
		chunkq_next(stream->tar, TAR_CALLER);
	stream->caller_holds_chunk = false;
	if (chunkq_get(stream->tar, TAR_CALLER, &data, ret_len, err) < 0)
		return -1;
	stream->caller_holds_chunk = *ret_len > 0;
	*ret_block = data;
	return 0;
}

static int next_inline(struct stream *stream, const void **ret_block, size_t *ret_len,
		       struct error *err)
{
	ssize_t len = inflate_chunk(stream, stream->tar_buf, err);

	if (len < 0)
		return -1;
	if (has_own_diff_id(stream))
		hasher_add(stream->tar_hasher, stream->tar_buf, (size_t)len);
	*ret_block = stream->tar_buf;
	*ret_len = (size_t)len;
	return 0;
}

int stream_next(struct stream *stream, const void **ret_block, size_t *ret_len, struct error *err)
{
	int result;

	if (stream->failed) {
		*err = stream->err;
		return -1;
	}
	take_turn(stream);
	*ret_block = NULL;
	*ret_len = 0;
	if (stream->ended)
		return 0;
	result = stream->threaded ? next_threaded(stream, ret_block, ret_len, err)
				  : next_inline(stream, ret_block, ret_len, err);
	if (result < 0) {
		stream->failed = true;
		stream->err = *err;
		return -1;
	}
	stream->ended = *ret_len == 0;
	return 0;
}

static void finish(struct stream *stream)
{
	struct stream_result *found = &stream->result;

	join_threads(stream);
	found->blob_bytes = stream_blob_bytes(stream);
	found->tar_bytes = stream->tar_bytes;
	if (stream->blob_hasher)
		hasher_end(stream->blob_hasher, &found->blob);
	if (has_own_diff_id(stream))
		hasher_end(stream->tar_hasher, &found->diff_id);
	else
		found->diff_id = found->blob;
	stream->finished = true;
}

int stream_finish(struct stream *stream, struct stream_result *ret, struct error *err)
{
	const void *block;
	size_t len;

	do
		if (stream_next(stream, &block, &len, err) < 0)
			return -1;
	while (len);
	if (!stream->finished)
		finish(stream);
	*ret = stream->result;
	return 0;
}

int stream_verify(struct stream *stream, struct digest *ret, struct error *err)
{
	auto_free uint8_t *data = xmalloc(CHUNKQ_CHUNK_BYTES);

	assert(stream->blob_hasher);
	if (stream->finished) {
		*ret = stream->result.blob;
		return 0;
	}
	take_turn(stream);
	if (stream->threaded) {
		chunkq_stop(stream->tar);
		chunkq_stop(stream->blob);
		join_threads(stream);
	}
	if (stream->blob_failed)
		return err_set(err, ERR_IO, "the bytes did not come to their end");
	while (!stream->blob_ended)
		if (read_chunk(stream, data, err) < 0)
			return -1;
	hasher_end(stream->blob_hasher, ret);
	return 0;
}

uint64_t stream_blob_bytes(const struct stream *stream)
{
	return atomic_load_explicit(&stream->blob_bytes, memory_order_relaxed);
}

/* ---- ready-made sources ---- */

int stream_read_range(void *ctx, void *data, size_t len, struct error *err)
{
	struct stream_range *range = ctx;
	ssize_t got;

	if (len > range->size)
		len = (size_t)range->size;
	if (!len)
		return 0;
	do
		got = pread(range->fd, data, len, (off_t)range->offset);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(err, errno, "read at byte %ju", (uintmax_t)range->offset);
	if (got == 0)
		return err_set(err, ERR_CORRUPT, "the file ends before byte %ju",
			       (uintmax_t)(range->offset + range->size));
	range->offset += (uint64_t)got;
	range->size -= (uint64_t)got;
	return (int)got;
}

bool stream_is_stopping(void)
{
	return reader_stopping && atomic_load(reader_stopping);
}

/* Nobody may ever write to the other end of a pipe. */
static int wait_for_data(int fd, struct error *err)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	for (;;) {
		int ready = poll(&wait, 1, POLL_MS);

		if (ready > 0 || (ready < 0 && errno != EINTR))
			return 0; /* or an error that read(2) will tell */
		if (cancel_check(err) < 0)
			return -1;
		if (stream_is_stopping())
			return err_set(err, ERR_CANCELLED, "stopped");
	}
}

int stream_read_fd(void *ctx, void *data, size_t len, struct error *err)
{
	const int *fd = ctx;
	ssize_t got;

	if (wait_for_data(*fd, err) < 0)
		return -1;
	do
		got = read(*fd, data, len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(err, errno, "read");
	return (int)got;
}
