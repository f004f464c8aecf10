/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd - a stream of bytes as one zstd frame, compressed by all CPUs, with its digest
 *
 * The result is the same however many threads there are, with the same library.
 * Source: RFC 8878; zstd.h, "ZSTD_c_nbWorkers"
 */
#ifndef LAYER_ZSTD_H
#define LAYER_ZSTD_H

#include <stddef.h>

#include "base/digest.h"

struct zstd;

/**
 * zstd_new - begin
 * @write: gets the compressed bytes in order, in the caller's thread; returns 0, or -1
 * @threads: 0: as many as there are CPUs
 *
 * Memory: some 10 MiB for each thread. The caller owns what is returned.
 */
struct zstd *zstd_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err),
		      void *ctx, unsigned int threads);
void zstd_free(struct zstd *zstd);
static inline void zstd_free_(struct zstd **zstd)
{
	zstd_free(*zstd);
}
#define auto_zstd __attribute__((cleanup(zstd_free_)))

/* Returns 0, or -1 with what write said; after that it can only be freed. */
int zstd_add(struct zstd *zstd, const void *data, size_t len, struct error *err);
/* Nothing more will come; ret is the digest of the compressed bytes. */
int zstd_end(struct zstd *zstd, struct digest *ret, struct error *err);

#endif
