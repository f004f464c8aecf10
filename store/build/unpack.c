/* SPDX-License-Identifier: Apache-2.0 */
#include "build/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "layer/inflate.h"
#include "layer/stream.h"
#include "layer/tar_apply.h"
#include "layer/tar_header.h"
#include "limits.h"

#define HEAD_BYTES (64 * 1024)
/* Of the header: POSIX pax(1), "ustar Interchange Format". */
#define CHECKSUM_OFFSET 148
#define CHECKSUM_BYTES	8

/* The number in a header's checksum, or -1. */
static long read_checksum(const uint8_t *field)
{
	long sum = 0;
	int at = 0, digits = 0;

	while (at < CHECKSUM_BYTES && field[at] == ' ')
		at++;
	for (; at < CHECKSUM_BYTES && field[at] >= '0' && field[at] <= '7'; at++, digits++)
		sum = sum << 3 | (field[at] - '0');
	if (!digits || (at < CHECKSUM_BYTES && field[at] && field[at] != ' '))
		return -1;
	return sum;
}

/* Old writers added the bytes up as signed ones. */
bool unpack_is_header(const void *data)
{
	const uint8_t *block = data;
	long plain = 0, with_sign = 0, said = read_checksum(block + CHECKSUM_OFFSET);

	for (unsigned i = 0; i < TAR_BLOCK_BYTES; i++) {
		bool in_sum = i >= CHECKSUM_OFFSET && i < CHECKSUM_OFFSET + CHECKSUM_BYTES;

		plain += in_sum ? ' ' : block[i];
		with_sign += in_sum ? ' ' : (int8_t)block[i];
	}
	return said >= 0 && (said == plain || said == with_sign);
}

static ssize_t read_at(int fd, uint8_t *data, uint64_t offset, struct error *err)
{
	ssize_t len;

	do
		len = pread(fd, data, HEAD_BYTES, (off_t)offset);
	while (len < 0 && errno == EINTR);
	return len < 0 ? err_sys(err, errno, "read") : len;
}

/* The first block of what is inside. Returns 1, 0 when there is none, -1. */
static int inflate_block(int fd, enum inflate_kind kind, uint8_t *in, uint8_t *block,
			 struct error *err)
{
	auto_inflate struct inflate *inflate = inflate_new(kind, LIMIT_ARCHIVE_WINDOW_BYTES);
	struct inflate_io io = { .out = block, .out_len = TAR_BLOCK_BYTES };
	uint64_t offset = 0;

	for (;;) {
		ssize_t len = read_at(fd, in, offset, err);

		if (len < 0 || cancel_check(err) < 0)
			return -1;
		if (len == 0)
			return 0;
		offset += (uint64_t)len;
		io.in = in;
		io.in_len = (size_t)len;
		/* What is damaged is no tar, and copied as it is. */
		if (inflate_step(inflate, &io, err) < 0)
			return err->kind == ERR_LIMIT ? -1 : 0;
		if (io.out_len == 0)
			return 1;
	}
}

int unpack_is_tar(int fd, struct error *err)
{
	auto_free uint8_t *head = xmalloc(HEAD_BYTES);
	uint8_t block[TAR_BLOCK_BYTES];
	ssize_t len = read_at(fd, head, 0, err);
	enum inflate_kind kind;
	int found;

	if (len < 0)
		return -1;
	kind = inflate_detect(head, (size_t)len);
	if (kind == INFLATE_PLAIN)
		return len >= (ssize_t)TAR_BLOCK_BYTES && unpack_is_header(head);
	found = inflate_block(fd, kind, head, block, err);
	return found > 0 ? unpack_is_header(block) : found;
}

int unpack_into(const struct unpack_args *args, bool *ret_removed, struct error *err)
{
	struct stream_range range = { args->fd, 0, args->size_bytes };
	struct stream_options options = { .read = stream_read_range,
					  .read_ctx = &range,
					  .kinds = INFLATE_ALL_KINDS,
					  .no_digests = true };
	struct tar_apply_args apply = { .tree = args->tree,
					.base = true,
					.plain = true,
					.adjust = args->adjust,
					.adjust_ctx = args->adjust_ctx,
					.take_space = args->take_space,
					.take_space_ctx = args->take_space_ctx };
	auto_stream struct stream *stream = NULL;
	struct tar_apply_result result;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	apply.stream = stream;
	if (tar_apply(&apply, &result, err) < 0)
		return -1;
	*ret_removed = result.removed;
	return 0;
}
