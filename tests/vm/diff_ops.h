/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_ops - random changes to a file tree, the same ones for the same seed
 *
 * Everything that may be done to a tree is done: names, contents, holes,
 * attributes, owners, times, links, devices, large directories, whole trees
 * moved, replaced and removed. Some sets of operations change nothing in the end.
 */
#ifndef DIFF_OPS_H
#define DIFF_OPS_H

#include <stdint.h>

#include "base/buf.h"

struct ops {
	uint64_t random; /* the seed, then the generator's state; not 0 */
	int root_fd;
	struct strlist dirs;   /* paths that were there when the set began; "." is the root */
	struct strlist others; /* anything but directories */
	struct buf log;	       /* one line for each operation of this set */
};

/* Below limit. */
uint64_t ops_random(struct ops *ops, uint64_t limit);
/* Does nr operations, and writes them to the log. Those that the kernel refuses count, too. */
void ops_run(struct ops *ops, unsigned nr);
void ops_done(struct ops *ops);

#endif
