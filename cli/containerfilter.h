/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerfilter - what `ps --filter` and `container prune --filter` ask for
 *
 * Source: spec/cli.md, "Filters" and "ps".
 */
#ifndef CONTAINERFILTER_H
#define CONTAINERFILTER_H

#include <jansson.h>

#include "base/buf.h"
#include "db/rows_container.h"

struct store;

struct container_filter {
	struct strlist ids, names; /* regular expressions; one must match */
	struct strlist labels, not_labels;
	struct strlist states, exit_codes, volumes;
	struct strlist ancestors; /* image ids */
	bool has_before, has_since, has_until;
	int64_t before_ns, since_ns, until_ns;
};

void container_filter_done(struct container_filter *filter);
#define auto_container_filter __attribute__((cleanup(container_filter_done)))

/**
 * container_filter_parse - read "key=value" words
 * @prune: only until, label and label! are known
 *
 * ERR_USAGE "invalid filter 'x'"; ERR_NOT_FOUND for a container that before or since names.
 */
int container_filter_parse(struct store *store, const struct strlist *words,
			   const struct container_rows *rows, bool prune,
			   struct container_filter *ret, struct error *err);

/* Are states or exit codes asked for? Then `ps` shows stopped containers too. */
bool container_filter_wants_stopped(const struct container_filter *filter);

/* Returns 1 or 0, or -1 for an expression that does not compile. */
int container_filter_match(const struct container_filter *filter, const struct container_row *row,
			   const json_t *document, struct error *err);

#endif
