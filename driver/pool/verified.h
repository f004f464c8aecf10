/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verified - dm-verity devices over volumes: what differs from its hash tree is not shown
 *
 * One for each thin id, read-only: "veneer-<store>-verity.<id>". The tree is a file, by a loop
 * device that goes with the verified device. A block that does not match reads as EIO.
 */
#ifndef POOL_VERIFIED_H
#define POOL_VERIFIED_H

#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"
#include "pool/pool.h"

void verified_name(const struct pool *pool, uint32_t id, char ret[POOL_NAME_BYTES]);

/**
 * verified_activate - make the device; one that is there already is taken as it is
 * @volume:    the active volume
 * @tree_file: a whole dm-verity tree with digests without salt, and no header
 * @root:      the digest of its top block
 *
 * ERR_UNSUPPORTED when the kernel has no dm-verity.
 */
int verified_activate(struct pool *pool, uint32_t id, dev_t volume, uint64_t size_bytes,
		      const char *tree_file, const unsigned char root[DIGEST_RAW_LEN],
		      dev_t *ret_device, struct error *err);
/* Idempotent. ERR_IN_USE while it is open. */
int verified_remove(struct pool *pool, uint32_t id, int wait_ms, struct error *err);

#endif
