/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_tar - the bytes that a layer is named by, again
 *
 * Its tar comes from the blob that was kept, else out of its volume in the one
 * form that layer/tar_emit has, which is that of every layer made here. Either is
 * verified while it is given out: whoever takes the bytes throws them away when
 * the call fails.
 * Source: spec/registry-and-archive.md section 1, design 10
 */
#ifndef LAYER_LAYER_TAR_H
#define LAYER_LAYER_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "db/rows.h"
#include "layer/inflate.h"

struct store;

/* The bytes of a layer as they came, where they are kept. Starts as { .fd = -1 }. */
struct layer_blob {
	int fd; /* -1: they are not */
	struct digest digest;
	uint64_t size;
	enum inflate_kind kind;
};

void layer_blob_done(struct layer_blob *blob);
#define auto_layer_blob __attribute__((cleanup(layer_blob_done)))

/* Returns 1, 0 when the layer has none, -1. */
int layer_blob_open(const struct store *store, const struct layer_row *row, struct layer_blob *ret,
		    struct error *err);

/* Where the bytes go. Everything borrowed. */
struct layer_sink {
	/* Gets the bytes in order; returns 0, or -1 with err filled. */
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	struct progress *progress; /* may be NULL */
	const char *phase;	   /* for it: a static string */
};

/* ERR_CORRUPT when the file does not have the digest it is named by. */
int layer_blob_write(const struct layer_blob *blob, const struct layer_row *row,
		     const struct layer_sink *sink, struct error *err);

/**
 * layer_tar_write - the uncompressed tar, of row->tar_bytes bytes
 * @store: with a session that has the layer pinned; its pool is opened where it is needed
 *
 * ERR_CORRUPT as above; ERR_UNSUPPORTED when no blob is kept and the volume's tar is
 * another one than the layer is named by; the errors of diff_volumes() and tar_emit().
 */
int layer_tar_write(struct store *store, const struct layer_row *row, const struct layer_sink *sink,
		    struct error *err);

#endif
