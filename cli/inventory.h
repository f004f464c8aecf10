/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory - every thin id of the pool, and what the catalogue says it is
 */
#ifndef INVENTORY_H
#define INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct inventory_item {
	uint32_t thin_id;
	bool in_pool;	   /* false: only the catalogue knows it */
	const char *kind;  /* "template", "layer", "work", "view", "init", "container", "unknown" */
	const char *state; /* "live", "creating", "deleting"; "unknown" */
	char *name;	   /* chain id, mount point, block device link, command; may be "" */
};

struct inventory {
	struct inventory_item *items; /* by thin id */
	size_t nr;
};

void inventory_done(struct inventory *inventory);
#define auto_inventory __attribute__((cleanup(inventory_done)))

/* Activates the pool. Errors of store_existing_pool(). */
int inventory_read(struct store *store, struct inventory *ret, struct error *err);

/* How many of a kind are in the pool. */
size_t inventory_count(const struct inventory *inventory, const char *kind);

#endif
