/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localvolume - the folders that containers share by name, or have for themselves
 *
 * Each is ROOT/volumes/NAME, and its files are in _data there.
 */
#ifndef RUN_LOCALVOLUME_H
#define RUN_LOCALVOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct local_volume {
	char *name;
	bool anonymous;	       /* nobody gave it its name */
	int64_t created_ns;    /* since 1970 */
	int64_t nr_containers; /* that use it, running or not */
	int64_t size_bytes;    /* of its files, each once */
};

/* By name. Starts as { 0 }. */
struct local_volume_list {
	struct local_volume *items;
	size_t nr;
};

void local_volume_list_done(struct local_volume_list *list);
#define auto_local_volume_list __attribute__((cleanup(local_volume_list_done)))

/* All of them. Looks at every file: what running containers change meanwhile counts as it is met. */
int local_volume_list(struct store *store, struct local_volume_list *ret, struct error *err);

/* A list of one, or of none where there is no such volume. */
int local_volume_find(struct store *store, const char *name, struct local_volume_list *ret,
		      struct error *err);

/* With its files. ERR_NOT_FOUND; ERR_IN_USE "volume is in use - [ID, ...]" */
int local_volume_remove(struct store *store, const char *name, struct error *err);

#endif
