/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remember - the build cache: which layer the step with a key made
 *
 * A row holds its layer while no image has it; the others go with their images.
 */
#ifndef BUILD_REMEMBER_H
#define BUILD_REMEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/rows.h"

struct store;

/**
 * build_cache_find - the layer of the step with a key
 * @ret_last: the last key of that step; unset when it is not known
 *
 * Reads the catalogue only. Returns 1 with the layer, which is not pinned, 0, or -1.
 */
int build_cache_find(struct store *store, const struct digest *key, struct layer_row *ret,
		     struct digest *ret_last, struct error *err);

/**
 * build_cache_put - the step made this layer, which the session has pinned
 * @last: of its keys the last, perhaps the same
 * @what: for people: "RUN make"
 *
 * Replaces what the key stood for.
 */
int build_cache_put(struct store *store, const struct digest *key, const struct digest *last,
		    const struct digest *chain_id, const char *what, struct error *err);

/* The step was found again: for whoever prunes what has not been used for long. */
int build_cache_touch(struct store *store, const struct digest *key, struct error *err);

/* One layer that steps made, for `system df -v`. */
struct build_cache_entry {
	struct digest chain_id;
	char *what;
	bool held; /* no image has it: pruning gives its space back */
	int64_t content_bytes;
	int64_t own_bytes; /* of the pool; ROW_SIZE_UNKNOWN */
	int64_t created_ns, used_ns;
	int64_t uses;
};

struct build_cache_list {
	struct build_cache_entry *items; /* used last first */
	size_t nr;
};

void build_cache_list_done(struct build_cache_list *list);
#define auto_build_cache_list __attribute__((cleanup(build_cache_list_done)))

int build_cache_list(struct store *store, struct build_cache_list *ret, struct error *err);

/**
 * build_cache_prune - forget steps, and delete the layers that nothing else needs
 * @all:      also steps whose layers are an image's
 * @until_ns: only what was last used before that time; INT64_MAX: whenever
 * @ret:      the entries that went; content_bytes and own_bytes of what was freed
 *
 * A build under way keeps its layers.
 */
int build_cache_prune(struct store *store, bool all, int64_t until_ns, struct build_cache_list *ret,
		      struct error *err);

#endif
