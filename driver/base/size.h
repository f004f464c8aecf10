/* SPDX-License-Identifier: Apache-2.0 */
/*
 * size - the one place where bytes, sectors and blocks are converted
 */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdint.h>

#include "base/err.h"

#define SECTOR_BYTES 512u
#define KIB	     UINT64_C(1024)
#define MIB	     (UINT64_C(1024) * KIB)
#define GIB	     (UINT64_C(1024) * MIB)

/**
 * size_parse - "64K", "10G", "1.5T", "4096" as bytes
 *
 * Units are binary, as everywhere in block storage; a trailing "b", "B" or
 * "iB" is allowed, case does not matter. Returns 0, or -1 with ERR_USAGE for
 * anything else, for a negative number or one beyond 2^63-1.
 */
int size_parse(const char *text, uint64_t *ret_bytes, struct error *err);

static inline uint64_t size_to_sectors(uint64_t bytes)
{
	return bytes / SECTOR_BYTES;
}

static inline uint64_t size_from_sectors(uint64_t sectors)
{
	return sectors * SECTOR_BYTES;
}

static inline uint64_t size_round_down(uint64_t bytes, uint64_t unit)
{
	return bytes - bytes % unit;
}

static inline uint64_t size_round_up(uint64_t bytes, uint64_t unit)
{
	return size_round_down(bytes + unit - 1, unit);
}

#endif
