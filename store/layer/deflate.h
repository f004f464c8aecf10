/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deflate - a stream of bytes as one gzip member, with its digest
 *
 * For a tar that came uncompressed and has to be kept. The header has no time and no
 * name; the same bytes give the same result with the same library and processor.
 * No thread; memory stays at some 600 KiB.
 * Source: RFC 1952
 */
#ifndef LAYER_DEFLATE_H
#define LAYER_DEFLATE_H

#include <stddef.h>

#include "base/digest.h"

struct deflate;

/* The caller owns the result. write gets the compressed bytes in order; returns 0, or -1. */
struct deflate *
deflate_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err), void *ctx);
void deflate_free(struct deflate *deflate);

/* Returns 0, or -1 with what write said; after that it can only be freed. */
int deflate_add(struct deflate *deflate, const void *data, size_t len, struct error *err);
/* Nothing more will come; ret is the digest of the compressed bytes. */
int deflate_end(struct deflate *deflate, struct digest *ret, struct error *err);

#endif
