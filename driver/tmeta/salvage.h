/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage - is a volume in mended metadata what the damaged metadata says, as far as that can be read?
 *
 * thin_repair 0.9 leaves out what it cannot read. From 1.0 on it may take the roots of an earlier moment
 * instead: whole trees, whose data blocks others may have been given since.
 */
#ifndef TMETA_SALVAGE_H
#define TMETA_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tmeta/tmeta.h"

struct tmeta_salvage {
	bool other;		/* it maps what it did not, or elsewhere: another moment's */
	uint64_t lost_blocks;	/* mapped in what can be read, and not in the mended one */
	uint64_t unsure_blocks; /* mapped in the mended one, where the damaged one cannot be read */
};

/**
 * tmeta_salvage - compare one volume
 * @damaged: the superblock of which can be read
 * @mended:  whole
 * @id:      of a volume in the mended one
 *
 * Counts pool blocks. A volume of which the damaged metadata cannot say anything is unsure as a whole.
 * Returns 0, or -1: ERR_CORRUPT for the mended one, ERR_CANCELLED.
 */
int tmeta_salvage(struct tmeta *damaged, struct tmeta *mended, uint32_t id,
		  struct tmeta_salvage *ret, struct error *err);

#endif
