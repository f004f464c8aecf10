/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/deflate.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/inflate.h"
#include "unit.h"

static int collect(void *ctx, const void *data, size_t len, struct error *err)
{
	struct buf *buf = ctx;

	if (buf->len > 4096 * 1024)
		return err_set(err, ERR_NO_SPACE, "full");
	buf_append(buf, data, len);
	return 0;
}

/* Half of it noise, half of it text, in pieces of any length. */
static void fill(struct buf *ret, size_t len)
{
	unsigned int seed = 7;

	while (ret->len < len) {
		buf_printf(ret, "line %zu of the text\n", ret->len);
		for (int i = 0; i < 20; i++)
			buf_putc(ret, (char)rand_r(&seed));
	}
}

static void pack(const struct buf *plain, size_t piece, struct buf *ret, struct digest *digest)
{
	struct deflate *deflate = deflate_new(collect, ret);
	struct error err;

	for (size_t at = 0; at < plain->len; at += piece) {
		size_t len = plain->len - at < piece ? plain->len - at : piece;

		CU_ASSERT_EQUAL_FATAL(deflate_add(deflate, plain->data + at, len, &err), 0);
	}
	CU_ASSERT_EQUAL_FATAL(deflate_end(deflate, digest, &err), 0);
	deflate_free(deflate);
}

static void unpack(const struct buf *packed, struct buf *ret)
{
	auto_inflate struct inflate *inflate = inflate_new(INFLATE_GZIP, 1 << 20);
	static uint8_t room[1 << 16];
	struct inflate_io io = { .in = (uint8_t *)packed->data, .in_len = packed->len };
	struct error err;

	CU_ASSERT_EQUAL(inflate_detect(packed->data, packed->len), INFLATE_GZIP);
	do {
		io.out = room;
		io.out_len = sizeof(room);
		CU_ASSERT_EQUAL_FATAL(inflate_step(inflate, &io, &err), 0);
		buf_append(ret, room, sizeof(room) - io.out_len);
	} while (io.in_len || !io.out_len);
	CU_ASSERT_EQUAL(inflate_end(inflate, &err), 0);
}

static void check(size_t len, size_t piece)
{
	auto_buf struct buf plain = { 0 }, packed = { 0 }, again = { 0 }, back = { 0 };
	struct digest digest, digest_again, found;

	fill(&plain, len);
	pack(&plain, piece, &packed, &digest);
	pack(&plain, piece, &again, &digest_again);
	CU_ASSERT_TRUE(digest_equal(&digest, &digest_again));
	digest_of(packed.data, packed.len, &found);
	CU_ASSERT_TRUE(digest_equal(&digest, &found));
	unpack(&packed, &back);
	CU_ASSERT_EQUAL_FATAL(back.len, plain.len);
	CU_ASSERT_TRUE(plain.len == 0 || memcmp(back.data, plain.data, plain.len) == 0);
	CU_ASSERT_TRUE(len < 10000 || packed.len < plain.len * 9 / 10);
}

static void test_what_goes_in_comes_out(void)
{
	check(0, 1);
	check(1, 1);
	check(70000, 13);
	check(3000000, 256 * 1024);
	check(3000000, 4000000);
}

static void test_an_error_of_the_writer_ends_it(void)
{
	auto_buf struct buf out = { 0 };
	auto_buf struct buf plain = { 0 };
	struct deflate *deflate = deflate_new(collect, &out);
	struct error err;

	fill(&plain, 16 << 20);
	CU_ASSERT_EQUAL(deflate_add(deflate, plain.data, plain.len, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
	deflate_free(deflate);
}

UNIT_SUITE(deflate, { "what goes in comes out", test_what_goes_in_comes_out },
	   { "an error of the writer ends it", test_an_error_of_the_writer_ends_it });
