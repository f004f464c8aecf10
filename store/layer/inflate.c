/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/inflate.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/buf.h"
#include "base/isal.h"

/* Where a decoder stands between the members of its input. */
enum member {
	MEMBER_START,	/* nothing of a member was seen; only the very first may be missing */
	MEMBER_INSIDE,	/* the end of the input would cut it short */
	MEMBER_BETWEEN, /* one is complete: another, padding or the end may follow */
	MEMBER_PADDING, /* zero bytes up to the end */
};

struct inflate {
	enum inflate_kind kind;
	enum member member;
	uint64_t max_bytes;
	union {
		struct inflate_state *gzip; /* large: it holds its window */
		ZSTD_DCtx *zstd;
		bz_stream bzip2;
		lzma_stream xz;
	};
};

static bool is_skippable_zstd(const uint8_t *head)
{
	return (head[0] & 0xf0) == 0x50 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0;
}

/* "BZh", a level, and the magic of a block or of an empty stream's end: text can start with BZh. */
static bool is_bzip2(const uint8_t *head)
{
	return memcmp(head, "BZh", 3) == 0 && head[3] >= '1' && head[3] <= '9' &&
	       (memcmp(head + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
		memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

enum inflate_kind inflate_detect(const void *data, size_t len)
{
	uint8_t head[INFLATE_MAGIC_BYTES] = { 0 };

	if (len)
		memcpy(head, data, len < sizeof(head) ? len : sizeof(head));
	if (memcmp(head, "\x1f\x8b\x08", 3) == 0)
		return INFLATE_GZIP;
	if (memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 || is_skippable_zstd(head))
		return INFLATE_ZSTD;
	if (is_bzip2(head))
		return INFLATE_BZIP2;
	if (memcmp(head, "\xfd\x37zXZ\0", 6) == 0)
		return INFLATE_XZ;
	return INFLATE_PLAIN;
}

const char *inflate_kind_name(enum inflate_kind kind)
{
	switch (kind) {
	case INFLATE_GZIP:
		return "gzip";
	case INFLATE_ZSTD:
		return "zstd";
	case INFLATE_BZIP2:
		return "bzip2";
	case INFLATE_XZ:
		return "xz";
	default:
		return "plain";
	}
}

static int corrupt(const struct inflate *inflate, const char *what, struct error *err)
{
	return err_set(err, ERR_CORRUPT, "%s data: %s", inflate_kind_name(inflate->kind), what);
}

static void start_zstd(struct inflate *inflate)
{
	ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
	int window_log = bounds.lowerBound;

	inflate->zstd = ZSTD_createDCtx();
	if (!inflate->zstd)
		abort();
	while (window_log < bounds.upperBound && UINT64_C(2) << window_log <= inflate->max_bytes)
		window_log++;
	ZSTD_DCtx_setParameter(inflate->zstd, ZSTD_d_windowLogMax, window_log);
}

static void start_xz(struct inflate *inflate)
{
	inflate->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&inflate->xz, inflate->max_bytes, LZMA_TELL_UNSUPPORTED_CHECK) !=
	    LZMA_OK)
		abort(); /* only without memory */
}

static void start_bzip2(struct inflate *inflate)
{
	inflate->bzip2 = (bz_stream){ 0 };
	if (BZ2_bzDecompressInit(&inflate->bzip2, 0, 0) != BZ_OK)
		abort(); /* only without memory */
}

struct inflate *inflate_new(enum inflate_kind kind, uint64_t max_bytes)
{
	struct inflate *inflate = xcalloc(1, sizeof(*inflate));

	inflate->kind = kind;
	inflate->max_bytes = max_bytes;
	switch (kind) {
	case INFLATE_GZIP:
		inflate->gzip = xmalloc(sizeof(*inflate->gzip));
		isal_get()->inflate_init(inflate->gzip);
		inflate->gzip->crc_flag = ISAL_GZIP;
		break;
	case INFLATE_ZSTD:
		start_zstd(inflate);
		break;
	case INFLATE_BZIP2:
		start_bzip2(inflate);
		break;
	case INFLATE_XZ:
		start_xz(inflate);
		break;
	case INFLATE_PLAIN:
		break;
	}
	return inflate;
}

void inflate_free(struct inflate *inflate)
{
	if (!inflate)
		return;
	switch (inflate->kind) {
	case INFLATE_GZIP:
		free(inflate->gzip);
		break;
	case INFLATE_ZSTD:
		ZSTD_freeDCtx(inflate->zstd);
		break;
	case INFLATE_BZIP2:
		BZ2_bzDecompressEnd(&inflate->bzip2);
		break;
	case INFLATE_XZ:
		lzma_end(&inflate->xz);
		break;
	case INFLATE_PLAIN:
		break;
	}
	free(inflate);
}

/* Both libraries below count in 32 bits. */
static uint32_t clamp(size_t len)
{
	return len > 1u << 30 ? 1u << 30 : (uint32_t)len;
}

static void advance(struct inflate_io *io, size_t in, size_t out)
{
	io->in += in;
	io->in_len -= in;
	io->out += out;
	io->out_len -= out;
}

static int step_gzip(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	struct inflate_state *state = inflate->gzip;
	uint32_t in = clamp(io->in_len), out = clamp(io->out_len);
	int code;

	state->next_in = (uint8_t *)io->in;
	state->avail_in = in;
	state->next_out = io->out;
	state->avail_out = out;
	code = isal_get()->inflate(state);
	advance(io, in - state->avail_in, out - state->avail_out);
	if (code == ISAL_INCORRECT_CHECKSUM)
		return corrupt(inflate, "checksum error", err);
	if (code != ISAL_DECOMP_OK)
		return corrupt(inflate, "invalid", err);
	if (state->block_state == ISAL_BLOCK_FINISH)
		inflate->member = MEMBER_BETWEEN;
	return 0;
}

static int step_zstd(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	ZSTD_inBuffer in = { io->in, io->in_len, 0 };
	ZSTD_outBuffer out = { io->out, io->out_len, 0 };
	size_t code = ZSTD_decompressStream(inflate->zstd, &out, &in);

	advance(io, in.pos, out.pos);
	if (ZSTD_isError(code)) {
		if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
			return err_set(err, ERR_LIMIT,
				       "zstd data: the window is larger than %ju bytes",
				       (uintmax_t)inflate->max_bytes);
		return corrupt(inflate, ZSTD_getErrorName(code), err);
	}
	if (code == 0)
		inflate->member = MEMBER_BETWEEN;
	return 0;
}

static int step_bzip2(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	bz_stream *bz = &inflate->bzip2;
	uint32_t in = clamp(io->in_len), out = clamp(io->out_len);
	int code;

	bz->next_in = (char *)io->in;
	bz->avail_in = in;
	bz->next_out = (char *)io->out;
	bz->avail_out = out;
	code = BZ2_bzDecompress(bz);
	advance(io, in - bz->avail_in, out - bz->avail_out);
	if (code == BZ_MEM_ERROR)
		abort();
	if (code == BZ_STREAM_END)
		inflate->member = MEMBER_BETWEEN;
	else if (code != BZ_OK)
		return corrupt(inflate, "invalid", err);
	return 0;
}

static int step_xz(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	lzma_stream *xz = &inflate->xz;
	lzma_ret code;

	xz->next_in = io->in;
	xz->avail_in = io->in_len;
	xz->next_out = io->out;
	xz->avail_out = io->out_len;
	code = lzma_code(xz, LZMA_RUN);
	advance(io, io->in_len - xz->avail_in, io->out_len - xz->avail_out);
	switch (code) {
	case LZMA_STREAM_END:
		inflate->member = MEMBER_BETWEEN;
		return 0;
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress possible: more input or room is needed */
		return 0;
	case LZMA_MEM_ERROR:
		abort();
	case LZMA_MEMLIMIT_ERROR:
		return err_set(err, ERR_LIMIT, "xz data: needs more than %ju bytes of memory",
			       (uintmax_t)inflate->max_bytes);
	case LZMA_UNSUPPORTED_CHECK:
	case LZMA_OPTIONS_ERROR:
		return err_set(err, ERR_UNSUPPORTED, "xz data: unsupported options");
	default:
		return corrupt(inflate, "invalid", err);
	}
}

static void step_plain(struct inflate_io *io)
{
	size_t len = io->in_len < io->out_len ? io->in_len : io->out_len;

	if (!len)
		return;
	memcpy(io->out, io->in, len);
	advance(io, len, len);
}

static void skip_padding(struct inflate_io *io)
{
	while (io->in_len && *io->in == 0)
		advance(io, 1, 0);
}

/* Input follows a complete member: another member, or zeros to the very end. */
static int next_member(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	if (inflate->member == MEMBER_PADDING || *io->in == 0) {
		inflate->member = MEMBER_PADDING;
		skip_padding(io);
		return io->in_len ? corrupt(inflate, "garbage after the end", err) : 0;
	}
	/* Only the first byte is looked at, for the rest may not be here yet. */
	switch (inflate->kind) {
	case INFLATE_GZIP:
		if (*io->in != 0x1f)
			return corrupt(inflate, "garbage after the end", err);
		isal_get()->inflate_reset(inflate->gzip);
		inflate->gzip->crc_flag = ISAL_GZIP;
		break;
	case INFLATE_BZIP2:
		if (*io->in != 'B')
			return corrupt(inflate, "garbage after the end", err);
		BZ2_bzDecompressEnd(&inflate->bzip2);
		start_bzip2(inflate);
		break;
	case INFLATE_XZ:
		if (*io->in != 0xfd)
			return corrupt(inflate, "garbage after the end", err);
		lzma_end(&inflate->xz);
		start_xz(inflate);
		break;
	default: /* zstd starts its next frame by itself and knows its magic */
		break;
	}
	inflate->member = MEMBER_INSIDE;
	return 0;
}

static int step(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	switch (inflate->kind) {
	case INFLATE_GZIP:
		return step_gzip(inflate, io, err);
	case INFLATE_ZSTD:
		return step_zstd(inflate, io, err);
	case INFLATE_BZIP2:
		return step_bzip2(inflate, io, err);
	case INFLATE_XZ:
		return step_xz(inflate, io, err);
	default:
		step_plain(io);
		return 0;
	}
}

int inflate_step(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	unsigned int idle = 0;

	while (io->out_len) {
		size_t in_len = io->in_len, out_len = io->out_len;

		if (inflate->member >= MEMBER_BETWEEN) {
			if (!in_len)
				return 0;
			if (next_member(inflate, io, err) < 0)
				return -1;
			continue;
		}
		if (in_len)
			inflate->member = MEMBER_INSIDE;
		if (step(inflate, io, err) < 0)
			return -1;
		if (inflate->member == MEMBER_INSIDE && !io->in_len)
			return 0;
		/* With input and room a decoder moves on, or it never will. */
		idle = in_len == io->in_len && out_len == io->out_len ? idle + 1 : 0;
		if (idle > 2)
			return in_len ? corrupt(inflate, "invalid", err) : 0;
	}
	return 0;
}

int inflate_end(struct inflate *inflate, struct error *err)
{
	if (inflate->kind == INFLATE_PLAIN || inflate->member != MEMBER_INSIDE)
		return 0;
	return corrupt(inflate, "unexpected end", err);
}
