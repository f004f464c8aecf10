/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer - layers of one image, unpacked one after the other in one working volume
 *
 * The working volume stays mounted from the first layer to the last (design 3), or its blocks are
 * written without a mount (design 5). At the end of a layer it is frozen, snapshot, and thawed: the
 * snapshot is the layer. A layer that the store has is not unpacked again, and of two processes
 * that need the same one the second waits for the first.
 */
#ifndef LAYER_LAYER_H
#define LAYER_LAYER_H

#include "base/progress.h"
#include "db/rows.h"

struct store;
struct layer_builder;

/* Opens the store's pool and session. The caller owns *ret. */
int layer_builder_new(struct store *store, struct layer_builder **ret, struct error *err);
/* The last layer has its digests, too: before an image has it. */
int layer_builder_end(struct layer_builder *builder, struct error *err);
/* Removes the working volume; committed layers stay. */
void layer_builder_free(struct layer_builder *builder);
static inline void layer_builder_free_(struct layer_builder **builder)
{
	layer_builder_free(*builder);
}
#define auto_layer_builder __attribute__((cleanup(layer_builder_free_)))

/* Where a layer comes from and what it must be. */
struct layer_source {
	size_t index;		/* its place in the image, 0 is the base: for messages */
	struct digest parent;	/* chain id below; unset for a base layer */
	struct digest diff_id;	/* expected; unset: whatever it turns out to be */
	struct digest blob;	/* expected digest of the bytes as they come, or unset */
	const char *created_by; /* for people; may be NULL */
	/* As in struct stream_options; called at most once per layer, from its start. */
	int (*read)(void *ctx, void *data, size_t len, struct error *err);
	void *read_ctx;
	uint64_t total_bytes; /* for progress; 0 when nobody knows */
	struct progress *progress;
};

/*
 * layer_plan - the layers that layer_add() will be called with, base first, each with its diff id
 *
 * While one is unpacked the next are read and inflated, on a machine with several CPUs and within a
 * bound of memory: their read is called in other threads, at the same time, also for one that is never
 * added after a failure. Borrowed until the end of the builder; index is the place in the array.
 */
void layer_plan(struct layer_builder *builder, const struct layer_source *sources, size_t nr);

/**
 * layer_add - have this layer in the store
 * @ret: filled, whether it was there already or is new; pinned by the session
 *
 * Returns 0, or -1: ERR_CORRUPT (Docker's "invalid diffID for layer 0: expected …, got …"), the errors
 * of tar_apply(), ERR_NO_SPACE when the pool or its metadata is full. After a
 * failure the builder can only be freed.
 */
int layer_add(struct layer_builder *builder, const struct layer_source *source,
	      struct layer_row *ret, struct error *err);

#endif
