/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - a dm-verity hash tree of an image's device, made of its layers' lists
 *
 * Nothing of the device is read: what no layer lists is a block of zeros. The form is that
 * of `veritysetup format --no-superblock --salt=-`: SHA-256, 4096 bytes for data and hash
 * blocks, the top block first, then level by level down to the digests of the data.
 * Source: Linux Documentation/admin-guide/device-mapper/verity.rst, drivers/md/dm-verity-target.c
 */
#ifndef VERITY_TREE_H
#define VERITY_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "verity/list.h"

/**
 * tree_write - write the tree to a file, from its begin on
 * @lists:        base first, each above the one before; of one pool block size
 * @device_bytes: of the device, in whole pool blocks. What lists have behind it is left out.
 * @ret_root:     digest of the top block
 *
 * ERR_CORRUPT when a list is not above the one before it, ERR_LIMIT, ERR_IO, ERR_NO_SPACE.
 */
int tree_write(const struct verity_list *lists, size_t nr_lists, uint64_t device_bytes, int fd,
	       unsigned char ret_root[DIGEST_RAW_LEN], struct error *err);

/* How long that file gets. */
uint64_t tree_bytes(uint64_t device_bytes);

#endif
