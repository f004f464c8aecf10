/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root - the store's folder, its fixed parts and its one lock
 *
 *	catalogue.db     SQLite (store/db)
 *	pool.json        the pool's devices (driver/pool)
 *	blobs/sha256/    documents and compressed layers, named by digest (store/blob)
 *	sessions/        one file per running command that makes something; its
 *	                 owner holds a flock on it, so a dead owner is noticed
 *	chains/          locks on layers in the making, named by chain id
 *	tmp/             unfinished files; swept when their session is dead
 *	mounts/          mount points that `mount` chooses itself
 *	containers/      a folder for each container that was started (db/recover_container.h)
 *	volumes/         local volumes of containers: plain folders
 *	disks/           what each named volume is (db/volume_note.h)
 *	verity/          for each layer the digests of its blocks, named by chain id; trees of
 *	                 verified views (store/verity)
 *	build/           caches of RUN --mount=type=cache, named by the digest of their id
 *	lock             flock: one process at a time changes pool and catalogue
 */
#ifndef ROOT_H
#define ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct root {
	int fd;
	int lock_fd;
	char *path; /* absolute */
};

/* Opens the folder at path, creating it and its parts. ERR_DENIED, ERR_IO. */
int root_open(const char *path, struct root *ret, struct error *err);
void root_done(struct root *root);

/* One below mounts/ was made by us and goes with the mount; others stay. */
void root_remove_mount_point(const struct root *root, const char *dir);

/*
 * The store's lock. Held for device-mapper calls and catalogue commits, never
 * across bulk I/O or the network. Not recursive. Waits up to a minute, then
 * ERR_IN_USE; ERR_CANCELLED on a signal.
 */
int root_lock(struct root *root, struct error *err);
void root_unlock(struct root *root);

/* Unlocks at the end of the scope: `auto_root_lock struct root *held = NULL;` */
static inline void auto_root_unlock_(struct root **held)
{
	if (*held)
		root_unlock(*held);
}
#define auto_root_lock __attribute__((cleanup(auto_root_unlock_)))

/**
 * root_lock_file - take the flock of a file below the root, creating the file
 * @wait_ms: how long to wait for another holder; 0 gives up at once
 *
 * Returns a new descriptor that holds the lock until it is closed, or -1:
 * ERR_IN_USE when the time is over, ERR_CANCELLED on a signal. The file that
 * is locked is the one that has the name at return, even when holders unlink it.
 */
int root_lock_file(const struct root *root, const char *name, int64_t wait_ms, struct error *err);

#endif
