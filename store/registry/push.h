/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push - an image of the store into its registry
 *
 * A layer that came from a registry goes back as the bytes that it came as, where these are kept;
 * another is made anew from its volume and compressed. What the registry has is not sent. An
 * image whose layers all go as they came gets the manifest that it came with.
 * Source: spec/cli.md, "push"; spec/registry-and-archive.md section 5.
 */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

#include <stdbool.h>

#include "base/err.h"
#include "registry/pull.h"
#include "registry/registry.h"

struct origin; /* registry/origin.h */
struct reference;
struct store;

struct push_args {
	const struct reference *ref; /* its tag is pushed; NULL: all tags */
	struct registry_options options;
	struct pull_report *report; /* the ids of layers are those of their DiffIDs */
	/*
	 * MEDIA_OCI_LAYER_GZIP or _ZSTD: what all layers become but foreign ones; NULL: they go as they
	 * came, or as registries have them, and what is made here as gzip.
	 */
	const char *layer_type;
};

/**
 * push_from - push
 * @folder: below folder_fd, for what was compressed; nothing stays there
 *
 * Errors of origin.h, upload.h and put.h. What was pushed before a failure is known to the origin.
 */
int push_from(struct origin *origin, const struct push_args *args, int folder_fd,
	      const char *folder, struct error *err);

int registry_push(struct store *store, const struct push_args *args, struct error *err);

#endif
