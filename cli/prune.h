/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prune - what the prune commands do and print, but for the question and the total
 *
 * Each prints "Deleted Images:" or its like, what went, and an empty line; nothing
 * when nothing went.
 * Source: spec/cli.md, "image prune", "container prune", "system prune".
 */
#ifndef PRUNE_H
#define PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

struct cli;
struct store;

/* What goes with -a, in the warnings. */
#define PRUNE_ALL_IMAGES "all images without at least one container associated to them"

/* The filters of the command line, and Docker's configuration where it says no opposite. */
void prune_filters(const struct cli *cli, const struct strlist *given, struct strlist *ret);

/* Each adds to *freed_bytes. */
int prune_containers(struct store *store, const struct strlist *filters, int64_t *freed_bytes,
		     struct error *err);
int prune_images(struct store *store, bool all, const struct image_filter *filter,
		 int64_t *freed_bytes, struct error *err);
int prune_cache(struct store *store, bool all, int64_t until_ns, int64_t *freed_bytes,
		struct error *err);

/* Folders of containers, and with all those that have a name; never disks. In words, for warnings: */
const char *prune_which_volumes(bool all);
int prune_volumes(struct store *store, bool all, int64_t *freed_bytes, struct error *err);

void prune_print_total(int64_t freed_bytes);

#endif
