/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - where a pull has its documents and layers from: a registry, or whoever asks it for us
 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/pull.h"
#include "registry/resolve.h"

struct source {
	/* Fill the manifest, and then the config, of what is pulled. */
	int (*get_manifest)(struct source *self, struct resolved *ret, struct error *err);
	int (*get_config)(struct source *self, struct resolved *resolved, struct error *err);
	/* Once both are there: layers that are not unwanted may come. */
	int (*start)(struct source *self, const bool *unwanted, size_t nr_layers,
		     struct error *err);
	/* As those of download.h, of the layer that was begun last. */
	void (*begin)(struct source *self, size_t layer);
	int (*read)(void *self, void *data, size_t len, struct error *err);
	void (*end)(struct source *self, size_t layer);
	/* After bytes that are not those of the digest: begins anew where that may help. */
	bool (*restart)(struct source *self, size_t layer);
	bool (*was_resumed)(struct source *self, size_t layer); /* NULL where nobody asks */
	/* Why its bytes did not come; false when they did. */
	bool (*get_error)(struct source *self, size_t layer, struct error *ret);
	bool (*is_complete)(struct source *self, size_t layer);
	/* For the user; any thread. */
	void (*show)(struct source *self, size_t layer, const char *phase, uint64_t done_bytes,
		     uint64_t total_bytes);
};

/* The pull itself. resolved starts as { 0 }, and the source may look at it. */
int pull_from(struct store *store, const struct reference *ref, const char *platform,
	      struct source *source, struct resolved *resolved, struct pull_result *ret,
	      struct error *err);

/* A registry. args, resolved and the folder are borrowed. The caller owns *ret. */
int source_open(const struct pull_args *args, const struct resolved *resolved, int folder_fd,
		const char *folder, struct source **ret, struct error *err);
void source_free(struct source *source);
static inline void source_free_(struct source **source)
{
	source_free(*source);
}
#define auto_source __attribute__((cleanup(source_free_)))

#endif
