/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search - repositories whose name or description has a term
 *
 * Not part of the standard of registries: Docker Hub's old index, and whoever else serves
 * GET /v1/search. Credentials stored for the registry go along.
 * Source: spec/cli.md, "search"; moby registry/search.go.
 */
#ifndef REGISTRY_SEARCH_H
#define REGISTRY_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct registry_options; /* registry/registry.h */

#define SEARCH_LIMIT_MAX     100
#define SEARCH_LIMIT_DEFAULT 25

/* All text is somebody else's, but on one line and without control characters. */
struct search_result {
	char *name, *description;
	int64_t stars;
	bool official, automated;
};

struct search_results {
	struct search_result *items;
	size_t nr;
};

/**
 * search_ask - what the registry finds, in its order
 * @term:  "[HOST/]TERM", as in a reference; Docker Hub without a host
 * @limit: 1 to SEARCH_LIMIT_MAX
 * @ret:   overwritten; search_results_done() releases it, also after a failure
 *
 * Returns 0, or -1: ERR_USAGE for a term, ERR_REMOTE, ERR_DENIED, ERR_LIMIT, ERR_UNSUPPORTED,
 * ERR_CANCELLED, and the errors of credentials_find() and transport_open().
 */
int search_ask(const struct registry_options *options, const char *term, unsigned limit,
	       struct search_results *ret, struct error *err);
void search_results_done(struct search_results *results);
#define auto_search_results __attribute__((cleanup(search_results_done)))

/* What an answer says; bytes as they came. As search_ask(). */
int search_parse(const void *data, size_t len, struct search_results *ret, struct error *err);

#endif
