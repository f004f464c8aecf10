/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim - give the host back what the store's disk does not use any more
 *
 * The guest could do it itself, by the mount option "discard": but in pieces of
 * 32 KiB, and what is not done when it unmounts is never done.
 */
#ifndef APPLIANCE_TRIM_H
#define APPLIANCE_TRIM_H

#include <stdint.h>

#include "base/err.h"

/**
 * trim_disk - make holes where an ext4 file system in a file has free blocks
 * @path: the file; nobody may have it mounted
 *
 * Only free blocks are touched, so a crash is harmless. Returns 0, also when
 * nothing was done because the file system was not unmounted, or -1.
 */
int trim_disk(const char *path, uint64_t *ret_bytes, struct error *err);

#endif
