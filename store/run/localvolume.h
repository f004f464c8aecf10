/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localvolume - the folders that containers share by name, or have for themselves
 */
#ifndef RUN_LOCALVOLUME_H
#define RUN_LOCALVOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct local_volume {
	char *name;
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

/* Looks at every file: what running containers change meanwhile counts as it is met. */
int local_volume_list(struct store *store, struct local_volume_list *ret, struct error *err);

#endif
