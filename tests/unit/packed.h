/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed - for tests of what unpacks: data in any compression
 */
#ifndef PACKED_H
#define PACKED_H

#include <bzlib.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "layer/inflate.h"
#include "unit.h"

static inline void add_gzip(struct buf *ret, const void *data, size_t len)
{
	size_t room = len + 1000;
	struct isal_zstream stream;

	isal_deflate_stateless_init(&stream);
	stream.gzip_flag = IGZIP_GZIP;
	stream.end_of_stream = 1;
	stream.next_in = (uint8_t *)data;
	stream.avail_in = (uint32_t)len;
	stream.next_out = xmalloc(room);
	stream.avail_out = (uint32_t)room;
	CU_ASSERT_EQUAL_FATAL(COMP_OK, isal_deflate_stateless(&stream));
	buf_append(ret, stream.next_out - stream.total_out, stream.total_out);
	free(stream.next_out - stream.total_out);
}

/* With a checksum, as the tools write it. */
static inline void add_zstd(struct buf *ret, const void *data, size_t len)
{
	size_t room = ZSTD_compressBound(len);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	void *out = xmalloc(room);

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	buf_append(ret, out, ZSTD_compress2(ctx, out, room, data, len));
	ZSTD_freeCCtx(ctx);
	free(out);
}

static inline void add_bzip2(struct buf *ret, const void *data, size_t len)
{
	unsigned int room = (unsigned int)len + 1000;
	char *out = xmalloc(room);

	CU_ASSERT_EQUAL_FATAL(BZ_OK, BZ2_bzBuffToBuffCompress(out, &room, (char *)data,
							      (unsigned int)len, 1, 0, 0));
	buf_append(ret, out, room);
	free(out);
}

static inline void add_xz(struct buf *ret, const void *data, size_t len)
{
	size_t room = lzma_stream_buffer_bound(len), at = 0;
	uint8_t *out = xmalloc(room);

	CU_ASSERT_EQUAL_FATAL(LZMA_OK, lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, len,
							       out, &at, room));
	buf_append(ret, out, at);
	free(out);
}

static inline void compress(enum inflate_kind kind, struct buf *ret, const void *data, size_t len)
{
	struct buf one = { 0 };

	switch (kind) {
	case INFLATE_GZIP:
		add_gzip(&one, data, len);
		break;
	case INFLATE_ZSTD:
		add_zstd(&one, data, len);
		break;
	case INFLATE_BZIP2:
		add_bzip2(&one, data, len);
		break;
	case INFLATE_XZ:
		add_xz(&one, data, len);
		break;
	default:
		buf_append(&one, data, len);
	}
	buf_append(ret, one.data, one.len);
	buf_done(&one);
}

#endif
