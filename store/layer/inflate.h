/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate - compressed bytes in, plain bytes out, piece by piece
 *
 * The kind is told by magic bytes, never by a name or a media type. Every kind
 * takes several members or frames in a row, checks its checksums and reports a
 * missing end. After the last member only zero bytes may follow (tar and tape
 * padding); anything else is ERR_CORRUPT, as gzip's own reader in Go has it.
 * No thread, no file: memory in, memory out.
 * Source: RFC 1952 (gzip), RFC 8878 (zstd), the manuals of libbz2 and liblzma
 */
#ifndef LAYER_INFLATE_H
#define LAYER_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum inflate_kind {
	INFLATE_PLAIN, /* no magic known: the bytes as they are */
	INFLATE_GZIP,
	INFLATE_ZSTD,
	INFLATE_BZIP2,
	INFLATE_XZ,
};

/* Layers come as these; an outer archive may come as any kind. */
#define INFLATE_LAYER_KINDS (1u << INFLATE_PLAIN | 1u << INFLATE_GZIP | 1u << INFLATE_ZSTD)
#define INFLATE_ALL_KINDS   (INFLATE_LAYER_KINDS | 1u << INFLATE_BZIP2 | 1u << INFLATE_XZ)

#define INFLATE_MAGIC_BYTES 10 /* inflate_detect() needs no more */

/* Fewer than INFLATE_MAGIC_BYTES are enough only at the end of the input. */
enum inflate_kind inflate_detect(const void *head, size_t len);
/* "gzip", "zstd", ..., "plain tar": for messages. */
const char *inflate_kind_name(enum inflate_kind kind);

struct inflate;

/**
 * inflate_new - a decoder for one kind; the caller owns it
 * @max_bytes: of memory that the input may make the decoder take (windows of
 *             zstd and xz); beyond, inflate_step() says ERR_LIMIT
 */
struct inflate *inflate_new(enum inflate_kind kind, uint64_t max_bytes);
void inflate_free(struct inflate *inflate);
static inline void inflate_free_(struct inflate **inflate)
{
	inflate_free(*inflate);
}
#define auto_inflate __attribute__((cleanup(inflate_free_)))

/* Where one step reads and writes; the step moves all four on. */
struct inflate_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

/**
 * inflate_step - go on until the input is used up or the output is full
 *
 * Returns 0 or -1 with ERR_CORRUPT (damaged, or trailing bytes), ERR_LIMIT (a
 * window larger than we give it). Output may still wait inside when in_len is 0
 * and out_len is 0: call again with room before giving new input.
 */
int inflate_step(struct inflate *inflate, struct inflate_io *io, struct error *err);

/* The input has ended: ERR_CORRUPT when that is in the middle of a member. */
int inflate_end(struct inflate *inflate, struct error *err);

#endif
