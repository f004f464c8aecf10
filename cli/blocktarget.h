/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocktarget - what an operand means that names a block device, in any way
 *
 * A thin id, a node or link of a device, its device-mapper name, or a folder of
 * the file system in it.
 */
#ifndef BLOCKTARGET_H
#define BLOCKTARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "pool/devname.h"

struct blocktarget {
	bool has_device; /* false: a thin id that is not active */
	dev_t device;
	char node[32];	     /* "/dev/dm-7" */
	struct devname name; /* kind is DEVNAME_VOLUME for a thin id, too */
};

/**
 * blocktarget_find - the device of an operand
 * @store_id: of the store, or NULL when it has no pool
 *
 * ERR_NOT_FOUND when there is nothing of that name, or when it is a device of
 * something else: the text says of what.
 */
int blocktarget_find(const char *operand, const char *store_id, struct blocktarget *ret,
		     struct error *err);

/* The id of the store's pool, from ROOT/pool.json; returns 0 without one, or 1. */
int blocktarget_store_id(const char *root, char ret[9], struct error *err);

#endif
