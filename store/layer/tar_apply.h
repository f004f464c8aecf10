/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_apply - one layer's tar, entry by entry, onto a file tree
 *
 * ustar, PAX, GNU (long names, base-256, sparse, dumpdir), v7; whiteouts in the
 * AUFS form that images use. Names are bytes.
 * Source: OCI image-spec layer.md; spec/registry-and-archive.md section 4
 */
#ifndef LAYER_TAR_APPLY_H
#define LAYER_TAR_APPLY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/progress.h"
#include "base/tree_writer.h"
#include "layer/stream.h"

struct tar_apply_args {
	struct stream *stream;	  /* nothing taken from it yet */
	struct tree_writer *tree; /* borrowed */
	bool base;		  /* the lowest layer of its image */
	/* An archive and no layer: ".wh." begins a name like any; the root keeps its attributes. */
	bool plain;
	/* May change what an entry of this type (S_IFMT) will have; or NULL. */
	void (*adjust)(void *ctx, mode_t type, struct tree_attr *attr);
	void *adjust_ctx;
	/* Asked before bytes go into the tree, at least roughly; may be NULL. Returns 0 or -1. */
	int (*take_space)(void *ctx, uint64_t bytes, struct error *err);
	void *take_space_ctx;
	struct progress *progress;  /* may be NULL; counts compressed bytes */
	const char *progress_item;  /* e.g. "5f70bf18a086" */
	const char *progress_phase; /* NULL: "Loading layer" */
	uint64_t progress_total;    /* compressed bytes, 0 when nobody knows */
};

struct tar_apply_result {
	uint64_t entries;	     /* headers that were applied, whiteouts included */
	uint64_t content_bytes;	     /* Docker's SIZE: regular files' sizes in the headers */
	bool removed;		     /* a lower layer's file was deleted: worth a trim */
	struct stream_result stream; /* digests and sizes of everything read */
};

/**
 * tar_apply - unpack, then read on to the end of the stream
 *
 * Returns 0, or -1: ERR_CORRUPT (no tar, or a name that leaves the root),
 * ERR_LIMIT (store/limits.h), ERR_NO_SPACE, ERR_UNSUPPORTED, ERR_CANCELLED, the
 * stream's own error. What was applied before stays in the tree: the caller
 * throws the volume away. The digests are not compared with anything.
 */
int tar_apply(const struct tar_apply_args *args, struct tar_apply_result *ret, struct error *err);

#endif
