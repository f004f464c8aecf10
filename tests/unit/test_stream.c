/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/stream.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "base/clock.h"
#include "layer/chunkq.h"
#include "layerbox.h"

/* More than all queues hold. */
#define BIG_BYTES (CHUNKQ_CHUNK_BYTES * CHUNKQ_CHUNKS * 3 + 12345)

static const enum stream_threads modes[] = { STREAM_THREADS_NEVER, STREAM_THREADS_ALWAYS };

struct pair {
	struct buf plain;
	struct buf zstd;
};

static struct pair big_pair(void)
{
	struct pair pair = { 0 };
	uint32_t x = 1;

	pair.plain.data = xmalloc(BIG_BYTES);
	pair.plain.len = BIG_BYTES;
	for (size_t i = 0; i < BIG_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		pair.plain.data[i] = (char)(x >> 28);
	}
	pair.zstd.data = xmalloc(ZSTD_compressBound(BIG_BYTES));
	pair.zstd.len = ZSTD_compress(pair.zstd.data, ZSTD_compressBound(BIG_BYTES),
				      pair.plain.data, BIG_BYTES, 1);
	return pair;
}

static void pair_done(struct pair *pair)
{
	buf_done(&pair->plain);
	buf_done(&pair->zstd);
}

static int tee_to_buf(void *ctx, const void *data, size_t len, struct error *err UNUSED)
{
	buf_append(ctx, data, len);
	return 0;
}

static int tee_fails(void *ctx UNUSED, const void *data UNUSED, size_t len UNUSED,
		     struct error *err)
{
	return err_set(err, ERR_NO_SPACE, "no room for it");
}

/* Fails after two chunks. */
static int read_fails(void *ctx, void *data, size_t len, struct error *err)
{
	struct memory *memory = ctx;

	if (memory->step++ > 1)
		return err_set(err, ERR_REMOTE, "the line is dead");
	memset(data, 'x', len);
	return (int)len;
}

static void check_whole(const struct buf *in, const struct buf *plain, enum stream_threads mode)
{
	auto_buf struct buf out = { 0 }, copy = { 0 };
	struct memory memory = { in->data, in->len, 70001 };
	struct stream_options options = { .read = read_memory,
					  .read_ctx = &memory,
					  .tee = tee_to_buf,
					  .tee_ctx = &copy,
					  .threads = mode };
	auto_stream struct stream *stream = NULL;
	struct stream_result result, again;
	struct digest digest;
	const void *block;
	struct error err;
	size_t len;

	buf_puts(&out, "");
	buf_puts(&copy, "");
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	while (stream_next(stream, &block, &len, &err) == 0 && len)
		buf_append(&out, block, len);
	CU_ASSERT_EQUAL_FATAL(out.len, plain->len);
	CU_ASSERT_EQUAL(0, memcmp(out.data, plain->data, plain->len));
	CU_ASSERT_EQUAL_FATAL(0, stream_finish(stream, &result, &err));
	CU_ASSERT_EQUAL(0, stream_finish(stream, &again, &err));
	CU_ASSERT_EQUAL(0, memcmp(&result, &again, sizeof(again)));
	digest_of(in->data, in->len, &digest);
	CU_ASSERT_TRUE(digest_equal(&digest, &result.blob));
	digest_of(plain->data, plain->len, &digest);
	CU_ASSERT_TRUE(digest_equal(&digest, &result.diff_id));
	CU_ASSERT_EQUAL(result.blob_bytes, in->len);
	CU_ASSERT_EQUAL(result.tar_bytes, plain->len);
	CU_ASSERT_EQUAL(stream_blob_bytes(stream), in->len);
	CU_ASSERT_EQUAL_FATAL(copy.len, in->len);
	CU_ASSERT_EQUAL(0, memcmp(copy.data, in->data, in->len));
}

static void test_digests(void)
{
	struct pair pair = big_pair();
	auto_buf struct buf empty = { 0 };

	buf_puts(&empty, "");
	for (int i = 0; i < 2; i++) {
		check_whole(&pair.zstd, &pair.plain, modes[i]);
		check_whole(&pair.plain, &pair.plain, modes[i]);
		check_whole(&empty, &empty, modes[i]);
	}
	pair_done(&pair);
}

static void test_finish_alone(void)
{
	struct pair pair = big_pair();

	for (int i = 0; i < 2; i++) {
		struct memory memory = { pair.zstd.data, pair.zstd.len, 0 };
		struct stream_options options = { .read = read_memory,
						  .read_ctx = &memory,
						  .no_digests = i == 1,
						  .threads = modes[i] };
		auto_stream struct stream *stream = NULL;
		struct stream_result result;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
		CU_ASSERT_EQUAL(0, stream_finish(stream, &result, &err));
		CU_ASSERT_EQUAL(result.tar_bytes, BIG_BYTES);
		CU_ASSERT_EQUAL(digest_is_set(&result.blob), i == 0);
		CU_ASSERT_EQUAL(digest_is_set(&result.diff_id), i == 0);
	}
	pair_done(&pair);
}

/* Reads everything; the failure comes when the data before it is used up. */
static void check_failure(const struct stream_options *options, uint64_t good_bytes,
			  enum err_kind kind, const char *text)
{
	for (int i = 0; i < 2; i++) {
		struct memory memory = *(struct memory *)options->read_ctx;
		struct stream_options mine = *options;
		auto_stream struct stream *stream = NULL; /* last: its reader uses the others */
		struct stream_result result;
		struct error err = { 0 };
		const void *block;
		uint64_t got = 0;
		size_t len;

		mine.read_ctx = &memory;
		mine.threads = modes[i];
		CU_ASSERT_EQUAL_FATAL(0, stream_open(&mine, &stream, &err));
		while (stream_next(stream, &block, &len, &err) == 0 && len)
			got += len;
		CU_ASSERT_EQUAL(err.kind, kind);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
		CU_ASSERT_EQUAL(got, good_bytes);
		memset(&err, 0, sizeof(err));
		CU_ASSERT_EQUAL(-1, stream_finish(stream, &result, &err));
		CU_ASSERT_EQUAL(err.kind, kind);
	}
}

static void test_failures(void)
{
	struct pair pair = big_pair();
	struct memory zstd = { pair.zstd.data, pair.zstd.len, 0 };
	struct memory cut = { pair.zstd.data, pair.zstd.len - 1, 0 };
	struct memory xz = { "\xfd\x37zXZ\0 and so on", 16, 0 };
	struct memory none = { 0 };

	check_failure(&(struct stream_options){ .read = read_fails, .read_ctx = &none },
		      2 * CHUNKQ_CHUNK_BYTES, ERR_REMOTE, "the line is dead");
	check_failure(&(struct stream_options){ .read = read_memory,
						.read_ctx = &zstd,
						.tee = tee_fails },
		      0, ERR_NO_SPACE, "no room for it");
	check_failure(&(struct stream_options){ .read = read_memory, .read_ctx = &xz }, 0,
		      ERR_UNSUPPORTED, "unsupported compression xz");
	check_failure(&(struct stream_options){ .read = read_memory,
						.read_ctx = &zstd,
						.max_tar_bytes = CHUNKQ_CHUNK_BYTES + 1 },
		      CHUNKQ_CHUNK_BYTES, ERR_LIMIT, "unpacks to more than");
	check_failure(&(struct stream_options){ .read = read_memory, .read_ctx = &cut },
		      BIG_BYTES / CHUNKQ_CHUNK_BYTES * CHUNKQ_CHUNK_BYTES, ERR_CORRUPT,
		      "unexpected end");
	pair_done(&pair);
}

/* With the queues empty, half full and full; and when nobody ever writes to the pipe. */
static void test_stop_early(void)
{
	struct pair pair = big_pair();
	const void *block;
	struct error err;
	int pipe_fds[2];
	size_t len;

	for (int blocks = 0; blocks < 20; blocks++) {
		struct memory memory = { pair.zstd.data, pair.zstd.len, 0 };
		struct stream_options options = { .read = read_memory,
						  .read_ctx = &memory,
						  .threads = STREAM_THREADS_ALWAYS };
		auto_stream struct stream *stream = NULL;

		CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
		for (int i = 0; i < blocks; i++)
			CU_ASSERT_EQUAL(0, stream_next(stream, &block, &len, &err));
	}
	CU_ASSERT_EQUAL_FATAL(0, pipe(pipe_fds));
	{
		struct stream_options options = { .read = stream_read_fd,
						  .read_ctx = &pipe_fds[0],
						  .threads = STREAM_THREADS_ALWAYS };
		auto_stream struct stream *stream = NULL;

		CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	pair_done(&pair);
}

/* Without an end. */
static int read_zeros(void *ctx UNUSED, void *data, size_t len, struct error *err UNUSED)
{
	memset(data, 0, len);
	return (int)len;
}

/* At least so much is read although nobody takes the tar. */
static void wait_for_chunks(const struct stream *stream, size_t nr)
{
	int64_t end_ms = clock_ms() + 60000;

	while (stream_blob_bytes(stream) < nr * CHUNKQ_CHUNK_BYTES && clock_ms() < end_ms)
		sched_yield();
	CU_ASSERT(stream_blob_bytes(stream) >= nr * CHUNKQ_CHUNK_BYTES);
}

/* Both queues fill up, the second with twice as much; only a decoder with a window waits. */
static void test_ahead(void)
{
	struct pair pair = big_pair();
	auto_buf struct buf many = { 0 };
	struct memory memory;
	struct stream_options options = { .read = read_memory,
					  .read_ctx = &memory,
					  .ahead = true,
					  .threads = STREAM_THREADS_ALWAYS };
	struct stream_options zeros = { .read = read_zeros,
					.ahead = true,
					.threads = STREAM_THREADS_ALWAYS };
	auto_stream struct stream *stream = NULL, *other = NULL;
	struct stream_result result;
	struct error err;

	for (int i = 0; i < 8; i++)
		buf_append(&many, pair.zstd.data, pair.zstd.len);
	CU_ASSERT_FATAL(many.len > CHUNKQ_CHUNKS * 3 * CHUNKQ_CHUNK_BYTES);
	memory = (struct memory){ many.data, many.len, 0 };
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	wait_for_chunks(stream, CHUNKQ_CHUNKS);
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&zeros, &other, &err));
	wait_for_chunks(other, CHUNKQ_CHUNKS * 3 - CHUNKQ_BATCH); /* whose last ones may be free */
	/* One in the hands of each of the two stages. */
	CU_ASSERT(stream_blob_bytes(stream) <= (CHUNKQ_CHUNKS + 2) * CHUNKQ_CHUNK_BYTES);
	CU_ASSERT(stream_blob_bytes(other) <= (CHUNKQ_CHUNKS * 3 + 2) * CHUNKQ_CHUNK_BYTES);
	CU_ASSERT_EQUAL(0, stream_finish(stream, &result, &err));
	CU_ASSERT_EQUAL(result.tar_bytes, 8 * BIG_BYTES);
	stream_free(take_ptr(stream));
	/* Dropped before its turn. */
	memory = (struct memory){ many.data, many.len, 0 };
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	wait_for_chunks(stream, 1);
	pair_done(&pair);
}

static void test_ranges(void)
{
	int fd = memfd_create("range", MFD_CLOEXEC);
	struct stream_range range = { fd, 3, 5 };
	struct error err;
	char data[16] = { 0 };

	CU_ASSERT_EQUAL_FATAL(write(fd, "0123456789", 10), 10);
	CU_ASSERT_EQUAL(2, stream_read_range(&range, data, 2, &err));
	CU_ASSERT_EQUAL(3, stream_read_range(&range, data + 2, 10, &err));
	CU_ASSERT_EQUAL(0, stream_read_range(&range, data, 10, &err));
	CU_ASSERT_STRING_EQUAL(data, "34567");
	range = (struct stream_range){ fd, 8, 5 };
	CU_ASSERT_EQUAL(2, stream_read_range(&range, data, 10, &err));
	CU_ASSERT_EQUAL(-1, stream_read_range(&range, data, 10, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(lseek(fd, 1, SEEK_SET), 1);
	CU_ASSERT_EQUAL(9, stream_read_fd(&fd, data, sizeof(data), &err));
	CU_ASSERT_EQUAL(0, stream_read_fd(&fd, data, sizeof(data), &err));
	close(fd);
	CU_ASSERT_EQUAL(-1, stream_read_fd(&fd, data, sizeof(data), &err));
}

UNIT_SUITE(stream, { "bytes, copy and both digests are right", test_digests },
	   { "finish alone reads everything", test_finish_alone },
	   { "an error of any stage comes behind the data before it", test_failures },
	   { "a stream can be dropped at any moment", test_stop_early },
	   { "before its turn a stream fills its queues", test_ahead },
	   { "a range of a file ends where it says", test_ranges });
