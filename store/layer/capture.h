/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture - what was written to a snapshot of a layer becomes the layer above it
 *
 * Of a build's step and of `commit`. The changes are found by blocks, the DiffID
 * is the digest of the tar that they give (layer/tar_emit), which is written
 * nowhere, and the snapshot itself is the layer's volume. It holds what the tar
 * says and nothing else: what no layer can say is removed from it, and a hard link to a file below
 * the layer becomes a file of its own.
 *
 * Crash safety: the snapshot is the session's 'work' until one transaction of
 * the catalogue makes it a layer; the pool does not hear of it. Its label is
 * written before.
 */
#ifndef LAYER_CAPTURE_H
#define LAYER_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/rows.h"

struct store;

/* Everything borrowed. */
struct capture_args {
	struct store *store;  /* with its pool open and a session, which has the parent pinned */
	struct digest parent; /* chain id of the layer below; unset: none */
	uint32_t id; /* 'work' of the session, descended from the parent's volume, inactive */
	uint64_t size_bytes; /* of its device; 0: the pool's size for volumes */
	int root_fd; /* a mounted tree of the same content, at rest; -1: it is mounted for this */
	const char *created_by; /* for people */
	bool *purged;	 /* set when the snapshot was made other than root_fd is; may be NULL */
	bool skip_empty; /* no layer when nothing changed */
};

/**
 * capture_layer - take the snapshot into the catalogue
 * @ret: filled when 1 is returned; pinned by the session
 *
 * Returns 1, also when the store had this layer, 0 when nothing changed and
 * skip_empty is set, or -1: the errors of diff_volumes() and tar_emit(). The
 * snapshot is the layer's then, or deleted, whatever is returned.
 */
int capture_layer(const struct capture_args *args, struct layer_row *ret, struct error *err);

#endif
