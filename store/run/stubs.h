/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs - the places in a root folder that the runtime mounts onto
 *
 * A container has them for good, in its init volume: diff and commit start
 * there. A step of a build has them while it runs: what was not there before
 * is taken away again, and the folders around it keep their times.
 */
#ifndef RUN_STUBS_H
#define RUN_STUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/err.h"

/**
 * stubs_make_all - the stubs of an init volume
 *
 * As in Docker's: folders /dev/pts, /dev/shm, /proc, /sys; empty files
 * /.dockerenv, /dev/console, /etc/hosts, /etc/hostname, /etc/resolv.conf, and the link
 * /etc/mtab, in place of whatever is no folder there.
 */
int stubs_make_all(int root_fd, struct error *err);
/* The same places, relative, for diff_volumes(): what is there is the runtime's; NULL at the end. */
extern const char *const stubs_paths[];

/* What was made for a while. */
struct stubs {
	struct stub *items; /* in the order in which they were made */
	size_t nr;
	struct stub_times *times;
	size_t nr_times;
};

/**
 * stubs_add - have a folder or a file at path, and what leads to it
 * @path: absolute, clean
 *
 * Returns 1, 0 when there is something that cannot be mounted onto (a link that
 * leads nowhere), or -1.
 */
int stubs_add(struct stubs *stubs, int root_fd, const char *path, bool folder, struct error *err);
/* Everything is made: from now on a change of the folders around is somebody else's. */
void stubs_settle(struct stubs *stubs, int root_fd);
/* Takes away what was made and is still as it was; empties stubs. */
void stubs_remove(struct stubs *stubs, int root_fd);

#endif
