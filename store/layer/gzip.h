/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip - a stream of bytes as one gzip member, compressed by all CPUs, with its digest
 *
 * For a layer that was made here and goes to a registry. The input is cut into blocks of one
 * size, each of which is compressed by itself, so the result is the same however many threads
 * there are, with the same library and processor. The header has no time and no name.
 * Source: RFC 1952; RFC 1951 section 3.2.4 (an empty stored block ends on a byte)
 */
#ifndef LAYER_GZIP_H
#define LAYER_GZIP_H

#include <stddef.h>

#include "base/digest.h"

struct gzip;

/**
 * gzip_new - begin
 * @write: gets the compressed bytes in order, in the caller's thread; returns 0, or -1
 * @threads: 0: as many as there are CPUs
 *
 * Memory: some 2.5 MiB for each thread. ERR_IO when threads cannot be started. The caller owns
 * *ret.
 */
int gzip_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err), void *ctx,
	     unsigned int threads, struct gzip **ret, struct error *err);
void gzip_free(struct gzip *gzip);
static inline void gzip_free_(struct gzip **gzip)
{
	gzip_free(*gzip);
}
#define auto_gzip __attribute__((cleanup(gzip_free_)))

/* Returns 0, or -1 with what write said; after that it can only be freed. */
int gzip_add(struct gzip *gzip, const void *data, size_t len, struct error *err);
/* Nothing more will come; ret is the digest of the compressed bytes. */
int gzip_end(struct gzip *gzip, struct digest *ret, struct error *err);

#endif
