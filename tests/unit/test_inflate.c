/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "packed.h"
#include "unit.h"

#define MANY	   (UINT64_C(1) << 30)
#define TEXT_BYTES 20000

/* Compressible, but not too well. */
static void make_text(char *text)
{
	unsigned int x = 1;

	for (size_t i = 0; i < TEXT_BYTES; i++) {
		x = x * 1103515245 + 12345;
		text[i] = (char)('a' + (x >> 16) % (i % 1000 < 300 ? 20 : 2));
	}
}

/* Input in pieces of in_step, output in pieces of out_step. */
static int run(const struct buf *in, size_t in_step, size_t out_step, uint64_t max_bytes,
	       struct buf *ret, struct error *err)
{
	auto_inflate struct inflate *inflate =
		inflate_new(inflate_detect(in->data, in->len), max_bytes);
	uint8_t out[4096];
	size_t at = 0;

	buf_reset(ret);
	for (;;) {
		size_t len = in->len - at < in_step ? in->len - at : in_step;
		struct inflate_io io = { (const uint8_t *)in->data + at, len, NULL, 0 };

		while (!io.out_len) {
			io.out = out;
			io.out_len = out_step;
			if (inflate_step(inflate, &io, err) < 0)
				return -1;
			buf_append(ret, out, out_step - io.out_len);
		}
		CU_ASSERT_EQUAL_FATAL(io.in_len, 0);
		at += len;
		if (!len)
			return inflate_end(inflate, err);
	}
}

static const enum inflate_kind compressed[] = { INFLATE_GZIP, INFLATE_ZSTD, INFLATE_BZIP2,
						INFLATE_XZ };

static void check_same(const struct buf *in, size_t in_step, size_t out_step, const char *expected,
		       size_t len)
{
	auto_buf struct buf out = { 0 };
	struct error err = { 0 };

	if (run(in, in_step, out_step, MANY, &out, &err) < 0) {
		printf("%s (steps of %zu and %zu) ", err.text, in_step, out_step);
		CU_FAIL("inflate");
		return;
	}
	CU_ASSERT_EQUAL_FATAL(out.len, len);
	CU_ASSERT_EQUAL(0, memcmp(out.data, expected, len));
}

static void check_bad(const struct buf *in, enum err_kind kind, const char *part)
{
	const size_t steps[] = { 1, 7, 1 << 20 };

	for (size_t i = 0; i < 3; i++) {
		auto_buf struct buf out = { 0 };
		struct error err = { 0 };

		CU_ASSERT_EQUAL(-1, run(in, steps[i], 4096, MANY, &out, &err));
		CU_ASSERT_EQUAL(err.kind, kind);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, part));
		if (!strstr(err.text, part))
			printf("expected: %s, got: %s (%zu) ", part, err.text, in->len);
	}
}

static void test_detect(void)
{
	CU_ASSERT_EQUAL(inflate_detect("\x1f\x8b\x08\0", 4), INFLATE_GZIP);
	CU_ASSERT_EQUAL(inflate_detect("\x28\xb5\x2f\xfd", 4), INFLATE_ZSTD);
	CU_ASSERT_EQUAL(inflate_detect("\x53\x2a\x4d\x18", 4), INFLATE_ZSTD);
	CU_ASSERT_EQUAL(inflate_detect("\xfd\x37zXZ\0", 6), INFLATE_XZ);
	CU_ASSERT_EQUAL(inflate_detect("BZh91AY&SY", 10), INFLATE_BZIP2);
	CU_ASSERT_EQUAL(inflate_detect("BZhello wo", 10), INFLATE_PLAIN);
	CU_ASSERT_EQUAL(inflate_detect("\x1f\x8b", 2), INFLATE_PLAIN);
	CU_ASSERT_EQUAL(inflate_detect("", 0), INFLATE_PLAIN);
	CU_ASSERT_STRING_EQUAL(inflate_kind_name(INFLATE_XZ), "xz");
}

static void test_any_split(void)
{
	const size_t steps[][2] = { { 1, 1 },	 { 1, 4096 }, { 3, 5 },
				    { 511, 64 }, { 4096, 1 }, { 1 << 20, 4096 } };
	char text[TEXT_BYTES];

	make_text(text);
	for (size_t kind = 0; kind < 4; kind++) {
		auto_buf struct buf in = { 0 };

		compress(compressed[kind], &in, text, sizeof(text));
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
			check_same(&in, steps[i][0], steps[i][1], text, sizeof(text));
	}
}

/* All positions of the cut between two reads, trailers and member headers included. */
static void test_members(void)
{
	static const char zeros[700];

	for (size_t kind = 0; kind < 4; kind++) {
		auto_buf struct buf in = { 0 };

		compress(compressed[kind], &in, "one", 3);
		compress(compressed[kind], &in, "", 0);
		compress(compressed[kind], &in, " two", 4);
		for (size_t step = 1; step <= in.len; step++)
			check_same(&in, step, 4096, "one two", 7);
		buf_append(&in, zeros, sizeof(zeros));
		for (size_t step = 1; step <= in.len; step++)
			check_same(&in, step, 3, "one two", 7);
	}
}

static void test_skippable(void)
{
	auto_buf struct buf in = { 0 };

	buf_append(&in, "\x50\x2a\x4d\x18\x05\0\0\0hello", 13);
	compress(INFLATE_ZSTD, &in, "one", 3);
	buf_append(&in, "\x5f\x2a\x4d\x18\x00\0\0\0", 8);
	compress(INFLATE_ZSTD, &in, " two", 4);
	buf_append(&in, "\x51\x2a\x4d\x18\x01\0\0\0x", 9);
	for (size_t step = 1; step <= in.len; step++)
		check_same(&in, step, 4096, "one two", 7);
}

static void test_truncated(void)
{
	for (size_t kind = 0; kind < 4; kind++) {
		auto_buf struct buf in = { 0 };
		size_t whole;

		compress(compressed[kind], &in, "some text", 9);
		whole = in.len;
		for (in.len = INFLATE_MAGIC_BYTES; in.len < whole; in.len++)
			check_bad(&in, ERR_CORRUPT, "unexpected end");
	}
}

/* Some bits do not matter: unused codes, two ways to say the same. */
static void check_flips(struct buf *in, const char *text)
{
	for (size_t at = 20; at < in->len; at += 97) {
		auto_buf struct buf out = { 0 };
		struct error err = { 0 };

		in->data[at] ^= 0x10;
		if (run(in, 4096, 4096, MANY, &out, &err) == 0) {
			CU_ASSERT_EQUAL_FATAL(out.len, TEXT_BYTES);
			CU_ASSERT_EQUAL(0, memcmp(out.data, text, TEXT_BYTES));
		}
		in->data[at] ^= 0x10;
	}
}

static void test_damaged(void)
{
	char text[TEXT_BYTES];
	const size_t trailer[] = { 6, 2, 3, 30 }; /* from the end: a checksum of the content */

	make_text(text);
	for (size_t kind = 0; kind < 4; kind++) {
		auto_buf struct buf in = { 0 };

		compress(compressed[kind], &in, text, sizeof(text));
		check_flips(&in, text);
		in.data[in.len - trailer[kind]] ^= 0x10;
		check_bad(&in, ERR_CORRUPT, inflate_kind_name(compressed[kind]));
	}
}

static void test_garbage(void)
{
	for (size_t kind = 0; kind < 4; kind++) {
		auto_buf struct buf in = { 0 };

		compress(compressed[kind], &in, "some text", 9);
		buf_append(&in, "x", 1);
		check_bad(&in, ERR_CORRUPT, compressed[kind] == INFLATE_ZSTD ? "zstd" : "garbage");
		in.len--;
		buf_append(&in, "\0\0\0x", 4);
		check_bad(&in, ERR_CORRUPT, "garbage");
		in.len -= 4;
		/* Another member must not follow padding. */
		buf_append(&in, "\0", 1);
		compress(compressed[kind], &in, "more", 4);
		check_bad(&in, ERR_CORRUPT, "garbage");
	}
}

static void test_windows(void)
{
	const size_t len = 2 << 20;
	auto_buf struct buf in = { 0 }, out = { 0 };
	char *data = xcalloc(1, len);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	struct error err = { 0 };

	in.data = xmalloc(ZSTD_compressBound(len));
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 21);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
	in.len = ZSTD_compress2(ctx, in.data, ZSTD_compressBound(len), data, len);
	CU_ASSERT_EQUAL(0, run(&in, 4096, 4096, len, &out, &err));
	CU_ASSERT_EQUAL(out.len, len);
	CU_ASSERT_EQUAL(-1, run(&in, 4096, 4096, len - 1, &out, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	ZSTD_freeCCtx(ctx);
	buf_reset(&in);
	compress(INFLATE_XZ, &in, data, len);
	CU_ASSERT_EQUAL(0, run(&in, 4096, 4096, 16 << 20, &out, &err));
	CU_ASSERT_EQUAL(-1, run(&in, 4096, 4096, 1 << 20, &out, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	free(data);
}

UNIT_SUITE(inflate, { "the kind is told by magic bytes", test_detect },
	   { "input and output may be cut anywhere", test_any_split },
	   { "members follow each other, and zeros the last one", test_members },
	   { "zstd's skippable frames are skipped", test_skippable },
	   { "an end that is missing is an error wherever the cut is", test_truncated },
	   { "damage is found by checksums", test_damaged },
	   { "garbage behind the last member is refused", test_garbage },
	   { "a window beyond the limit is refused", test_windows });
