/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume_private - what the files behind the facade (volume.h) share
 */
#ifndef VOLUME_PRIVATE_H
#define VOLUME_PRIVATE_H

#include "dm/devmap.h"
#include "fs/fs.h"
#include "pool/pool.h"
#include "volume.h"

/* For programs that look at every new device; a real holder stays longer. */
#define PROBE_WAIT_MS 500

struct volume_pool {
	char *root;
	struct pool *pool;
	const struct pool_config *config;
	const struct fs_kind *fs;
	char *disk_below; /* NULL: nothing is known of one */
};

struct volume {
	struct volume_pool *pool;
	uint32_t id;
	char name[POOL_NAME_BYTES];
	char node[DEVMAP_NODE_BYTES];
	bool keep;
	bool frozen;
	bool reader;   /* a device of its own, see thinvol_activate_reader() */
	bool verified; /* the device over it, see pool/verified.h */
};

/* Where the pool, or the disk below it, is full, err becomes ERR_NO_SPACE and says so. Returns -1. */
int volume_pool_explain(struct volume_pool *pool, struct error *err);

#endif
