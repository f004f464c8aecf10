/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - the bytes of one layer, read once, in a pipeline of threads
 *
 *	read, SHA-256 (blob), tee  ->  inflate  ->  SHA-256 (DiffID)  ->  the caller
 *
 * A few chunks wait between two stages, so memory does not grow with the layer.
 * On a machine with one CPU the stages run in the caller's thread instead. An
 * error of any stage reaches the caller at the next call.
 */
#ifndef LAYER_STREAM_H
#define LAYER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

enum stream_threads {
	STREAM_THREADS_AUTO, /* by the number of CPUs */
	STREAM_THREADS_NEVER,
	STREAM_THREADS_ALWAYS,
};

struct stream_options {
	/*
	 * Up to len bytes into data; returns how many, 0 at the end, -1. Called
	 * in another thread than the caller's, one call at a time, never again
	 * after 0, -1 or stream_free().
	 */
	int (*read)(void *ctx, void *data, size_t len, struct error *err);
	void *read_ctx;
	/*
	 * Gets every byte as it came, in order, each once; may be NULL. The
	 * first piece holds at least INFLATE_MAGIC_BYTES, unless it is all there
	 * is. Same thread as read. Returns 0 or -1.
	 */
	int (*tee)(void *ctx, const void *data, size_t len, struct error *err);
	void *tee_ctx;
	unsigned int kinds;	/* bits 1 << enum inflate_kind; 0: INFLATE_LAYER_KINDS */
	uint64_t max_tar_bytes; /* ERR_LIMIT beyond; 0: no bound */
	bool no_digests; /* an outer archive: nobody asks for them; larger windows are taken */
	/*
	 * Opened before its turn, which comes with the first stream_next(): more of the tar waits for
	 * that, and a decoder that may need a large window is not made before it.
	 */
	bool ahead;
	enum stream_threads threads;
};

/* What is known at the end. */
struct stream_result {
	struct digest blob;    /* of the bytes as they came */
	struct digest diff_id; /* of the tar; the same as blob when nothing was compressed */
	uint64_t blob_bytes;
	uint64_t tar_bytes;
};

struct stream;

/* Options are copied; what their contexts point to must outlive the stream. The caller owns *ret. */
int stream_open(const struct stream_options *options, struct stream **ret, struct error *err);
/*
 * Stops early where it must: waits for at most one running read() or tee(), and
 * joins every thread.
 */
void stream_free(struct stream *stream);
static inline void stream_free_(struct stream **stream)
{
	stream_free(*stream);
}
#define auto_stream __attribute__((cleanup(stream_free_)))

/**
 * stream_next - the next piece of the tar
 * @ret_block: valid until the next call on this stream
 * @ret_len:   0 at the end
 *
 * Returns 0, or -1 with the error of the stage that failed: ERR_CORRUPT,
 * ERR_LIMIT, ERR_UNSUPPORTED (a compression not asked for), or what read or
 * tee returned. The same error is returned again by every later call.
 */
int stream_next(struct stream *stream, const void **ret_block, size_t *ret_len, struct error *err);

/*
 * Reads on to the end of the compressed bytes, so that the digests are those of
 * everything. Errors as stream_next().
 */
int stream_finish(struct stream *stream, struct stream_result *ret, struct error *err);

/**
 * stream_verify - after a failure: what is the digest of all bytes, were they the right ones?
 *
 * Reads on to their end, as they come. The stream can only be freed afterwards. Returns 0, or
 * -1 when the failure was that they did not come, or they do not now.
 */
int stream_verify(struct stream *stream, struct digest *ret, struct error *err);

/* How many compressed bytes were read so far: for progress. */
uint64_t stream_blob_bytes(const struct stream *stream);

/* A read callback for a part of a file, by pread(2). Starts as { fd, offset, size }. */
struct stream_range {
	int fd; /* borrowed */
	uint64_t offset;
	uint64_t size; /* bytes left; ERR_CORRUPT when the file ends before */
};
int stream_read_range(void *range, void *data, size_t len, struct error *err);
/* For other read callbacks that wait: the stream is being freed, return -1. */
bool stream_is_stopping(void);
/*
 * A read callback for a pipe or a whole file: ctx points to an int. A wait for a
 * pipe ends when the stream is freed or cancel_check() says so.
 */
int stream_read_fd(void *fd, void *data, size_t len, struct error *err);

#endif
