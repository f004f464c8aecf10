/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull - an image from its registry into the store
 *
 * Layers that the store has are not fetched. No lock of the store is held while the network is
 * waited for. What fails tags nothing; layers that were finished stay as cache.
 * Source: spec/cli.md, "pull"; spec/registry-and-archive.md sections 5 and 6.
 */
#ifndef REGISTRY_PULL_H
#define REGISTRY_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "registry/registry.h"

struct reference; /* oci/reference.h */
struct store;

/* Who draws or prints; called by one thread at a time, but not always by the same. */
struct pull_report {
	/* "latest: Pulling from library/debian" */
	void (*say)(struct pull_report *self, const char *text);
	/*
	 * @id: 12 hex digits of the layer's blob; @phase: Docker's word
	 * Both are valid during the call.
	 */
	void (*phase)(struct pull_report *self, const char *id, const char *phase,
		      uint64_t done_bytes, uint64_t total_bytes);
};

struct pull_args {
	const struct reference *ref; /* with a tag or a digest */
	const char *platform;	     /* "os/arch[/variant]"; NULL or "": the host's */
	struct registry_options options;
	struct pull_report *report;
};

struct pull_result {
	struct digest digest; /* of what the name means at the registry */
	bool news;	      /* the name meant something else, or nothing, before */
};

/* Errors of resolve.h, download.h and layer_add(). */
int registry_pull(struct store *store, const struct pull_args *args, struct pull_result *ret,
		  struct error *err);

#endif
