/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/deflate.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/isal.h"

/* Level 0 is no faster and gains less, level 2 gains one per cent more. */
#define LEVEL	  1
#define OUT_BYTES ((size_t)64 * 1024)
#define IN_MAX	  ((size_t)1 << 30) /* the library counts in 32 bits */

struct deflate {
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	struct hasher *hasher;
	uint8_t *level_buf;
	uint8_t *out;
	struct isal_zstream stream;
};

struct deflate *
deflate_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err), void *ctx)
{
	struct deflate *deflate = xcalloc(1, sizeof(*deflate));

	deflate->write = write;
	deflate->ctx = ctx;
	deflate->hasher = hasher_new();
	deflate->level_buf = xmalloc(ISAL_DEF_LVL1_DEFAULT);
	deflate->out = xmalloc(OUT_BYTES);
	isal_get()->deflate_init(&deflate->stream);
	deflate->stream.gzip_flag = IGZIP_GZIP;
	deflate->stream.level = LEVEL;
	deflate->stream.level_buf = deflate->level_buf;
	deflate->stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	return deflate;
}

void deflate_free(struct deflate *deflate)
{
	if (!deflate)
		return;
	hasher_free(deflate->hasher);
	free(deflate->level_buf);
	free(deflate->out);
	free(deflate);
}

/* Until the input is used up and the output was not filled to its end. */
static int run(struct deflate *deflate, struct error *err)
{
	struct isal_zstream *stream = &deflate->stream;

	do {
		size_t got;
		int result;

		stream->next_out = deflate->out;
		stream->avail_out = OUT_BYTES;
		result = isal_get()->deflate(stream);
		if (result != COMP_OK)
			return err_set(err, ERR_IO, "compress: error %d", result);
		got = OUT_BYTES - stream->avail_out;
		hasher_add(deflate->hasher, deflate->out, got);
		if (got && deflate->write(deflate->ctx, deflate->out, got, err) < 0)
			return -1;
	} while (stream->avail_in || !stream->avail_out);
	return 0;
}

int deflate_add(struct deflate *deflate, const void *data, size_t len, struct error *err)
{
	const uint8_t *at = data;

	while (len) {
		size_t piece = len < IN_MAX ? len : IN_MAX;

		deflate->stream.next_in = (uint8_t *)at;
		deflate->stream.avail_in = (uint32_t)piece;
		if (run(deflate, err) < 0)
			return -1;
		at += piece;
		len -= piece;
	}
	return 0;
}

int deflate_end(struct deflate *deflate, struct digest *ret, struct error *err)
{
	deflate->stream.end_of_stream = 1;
	deflate->stream.next_in = NULL;
	deflate->stream.avail_in = 0;
	do {
		if (run(deflate, err) < 0)
			return -1;
	} while (deflate->stream.internal_state.state != ZSTATE_END);
	hasher_end(deflate->hasher, ret);
	return 0;
}
