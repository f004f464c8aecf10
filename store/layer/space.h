/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space - stop writing to a volume before the pool is full
 *
 * A pool without space fails writes long after write(2) has returned, and those
 * of its other writers with them. So what goes into the page cache is counted,
 * and the pool is asked anew when half of what it had left is used up. A pool
 * with much room is asked once for each layer.
 */
#ifndef LAYER_SPACE_H
#define LAYER_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "volume.h"

struct space {
	struct volume_pool *pool;
	int mount_fd; /* of the volume that is written to; -1: what is written is not kept back */
	uint64_t left_bytes;
	bool asked;
};

/* Returns 0, or -1 with ERR_NO_SPACE, or the error of writing back what was written before. */
int space_take(void *space, uint64_t bytes, struct error *err);

/*
 * Writing to the mount failed with ENOSPC: where the volume has no blocks or no inodes left, err
 * says so and what to do, else it stays. Returns -1.
 */
int space_explain(int mount_fd, struct error *err);

/* Likewise for a volume that is not mounted, of which these are known. */
int space_explain_room(uint64_t nr_bytes, uint64_t free_bytes, uint64_t nr_inodes,
		       uint64_t free_inodes, struct error *err);

/* Everything that was written to a mount is in its volume. */
int space_flush(int mount_fd, struct error *err);

#endif
