/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/gzip.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/inflate.h"
#include "layer/zstd.h"
#include "unit.h"

#define BLOCK ((size_t)1024 * 1024) /* of the input */

static int collect(void *ctx, const void *data, size_t len, struct error *err)
{
	struct buf *buf = ctx;

	if (buf->len > 24 * BLOCK)
		return err_set(err, ERR_NO_SPACE, "full");
	buf_append(buf, data, len);
	return 0;
}

/* Half of it noise, half of it text. */
static void fill(struct buf *ret, size_t len)
{
	unsigned int seed = 7;

	while (ret->len < len) {
		if (ret->len / BLOCK % 2 == 0)
			buf_printf(ret, "line %zu of the text\n", ret->len);
		for (int i = 0; i < 20; i++)
			buf_putc(ret, (char)rand_r(&seed));
	}
	ret->len = len;
}

static void pack(const struct buf *plain, size_t piece, unsigned int threads, struct buf *ret,
		 struct digest *digest)
{
	auto_gzip struct gzip *gzip = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(gzip_new(collect, ret, threads, &gzip, &err), 0);
	for (size_t at = 0; at < plain->len; at += piece) {
		size_t len = plain->len - at < piece ? plain->len - at : piece;

		CU_ASSERT_EQUAL_FATAL(gzip_add(gzip, plain->data + at, len, &err), 0);
	}
	CU_ASSERT_EQUAL_FATAL(gzip_end(gzip, digest, &err), 0);
}

static void unpack(const struct buf *packed, enum inflate_kind kind, struct buf *ret)
{
	auto_inflate struct inflate *inflate = inflate_new(kind, 8 << 20);
	auto_free uint8_t *room = xmalloc(1 << 16);
	struct inflate_io io = { .in = (uint8_t *)packed->data, .in_len = packed->len };
	struct error err;

	do {
		io.out = room;
		io.out_len = 1 << 16;
		CU_ASSERT_EQUAL_FATAL(inflate_step(inflate, &io, &err), 0);
		buf_append(ret, room, (1 << 16) - io.out_len);
	} while (io.in_len || io.out_len == 0);
	CU_ASSERT_EQUAL(inflate_end(inflate, &err), 0);
}

static void check_length(size_t len)
{
	auto_buf struct buf plain = { 0 }, one = { 0 }, many = { 0 }, back = { 0 };
	struct digest digest_one, digest_many, found;

	fill(&plain, len);
	pack(&plain, 100000, 1, &one, &digest_one);
	pack(&plain, 3 * BLOCK, 5, &many, &digest_many);
	CU_ASSERT_EQUAL_FATAL(one.len, many.len);
	CU_ASSERT_EQUAL(memcmp(one.data, many.data, one.len), 0);
	CU_ASSERT_TRUE(digest_equal(&digest_one, &digest_many));
	digest_of(one.data, one.len, &found);
	CU_ASSERT_TRUE(digest_equal(&digest_one, &found));
	unpack(&many, INFLATE_GZIP, &back);
	CU_ASSERT_EQUAL_FATAL(back.len, len);
	CU_ASSERT_TRUE(len == 0 || memcmp(back.data, plain.data, len) == 0);
}

static void test_threads(void)
{
	static const size_t lengths[] = {
		0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7, 7 * BLOCK + 5, 9 * BLOCK
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		check_length(lengths[i]);
}

/* gzip(1) and Go's reader take it as one member without a name or a time. */
static void test_header(void)
{
	static const char header[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
	auto_buf struct buf plain = { 0 }, packed = { 0 };
	struct digest digest;

	fill(&plain, 1000);
	pack(&plain, 10, 2, &packed, &digest);
	CU_ASSERT_EQUAL(memcmp(packed.data, header, sizeof(header) - 1), 0);
	CU_ASSERT_EQUAL(memcmp(packed.data + packed.len - 4, "\xe8\x03\0\0", 4), 0);
}

static void test_a_full_disk(void)
{
	auto_buf struct buf plain = { 0 }, out = { 0 };
	auto_gzip struct gzip *gzip = NULL;
	struct error err;
	int result = 0;

	fill(&plain, 3 * BLOCK);
	CU_ASSERT_EQUAL_FATAL(gzip_new(collect, &out, 2, &gzip, &err), 0);
	for (int i = 0; i < 20 && result == 0; i++)
		result = gzip_add(gzip, plain.data, plain.len, &err);
	CU_ASSERT_EQUAL(result, -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
}

static void pack_zstd(const struct buf *plain, unsigned int threads, struct buf *ret,
		      struct digest *digest)
{
	auto_zstd struct zstd *zstd = zstd_new(collect, ret, threads);
	size_t half = plain->len / 2;
	struct error err;

	if (plain->len) {
		CU_ASSERT_EQUAL_FATAL(zstd_add(zstd, plain->data, half, &err), 0);
		CU_ASSERT_EQUAL_FATAL(zstd_add(zstd, plain->data + half, plain->len - half, &err),
				      0);
	}
	CU_ASSERT_EQUAL_FATAL(zstd_end(zstd, digest, &err), 0);
}

static void check_zstd(size_t len)
{
	auto_buf struct buf plain = { 0 }, one = { 0 }, many = { 0 }, back = { 0 };
	struct digest digest_one, digest_many, found;

	fill(&plain, len);
	pack_zstd(&plain, 1, &one, &digest_one);
	pack_zstd(&plain, 3, &many, &digest_many);
	CU_ASSERT_TRUE(digest_equal(&digest_one, &digest_many));
	digest_of(many.data, many.len, &found);
	CU_ASSERT_TRUE(digest_equal(&digest_many, &found));
	unpack(&many, INFLATE_ZSTD, &back);
	CU_ASSERT_EQUAL_FATAL(back.len, len);
	CU_ASSERT_TRUE(len == 0 || memcmp(back.data, plain.data, len) == 0);
}

static void test_zstd(void)
{
	auto_buf struct buf plain = { 0 }, out = { 0 };
	auto_zstd struct zstd *zstd = NULL;
	struct error err;
	int result = 0;

	check_zstd(0);
	check_zstd(1);
	check_zstd(20 * BLOCK + 5);
	fill(&plain, 3 * BLOCK);
	zstd = zstd_new(collect, &out, 2);
	for (int i = 0; i < 20 && result == 0; i++)
		result = zstd_add(zstd, plain.data, plain.len, &err);
	CU_ASSERT_EQUAL(result, -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
}

UNIT_SUITE(gzip, { "threads and pieces do not change the bytes", test_threads },
	   { "one member without a name or a time", test_header },
	   { "what takes the bytes may be full", test_a_full_disk },
	   { "zstd, likewise", test_zstd });
