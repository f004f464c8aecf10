/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - working volumes: snapshots that a session writes to and that die with it
 *
 * The content of a layer, to be changed and then snapshot (design 3). Whatever
 * becomes of the process, the thin id is the session's, and recovery removes it.
 */
#ifndef LAYER_WORK_H
#define LAYER_WORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"

struct store;
struct volume;

/* Starts with WORK_NONE. */
struct work {
	struct store *store; /* with its pool open and a session */
	uint32_t id;	     /* 0: there is none */
	struct digest chain; /* the layer whose content it has; unset: the template's */
	struct volume *volume;
	int mount_fd;	  /* -1: it is not mounted */
	struct stat root; /* of the root folder, as it was mounted first */
	bool discard;	  /* what it holds is of no use */
};

#define WORK_NONE(of_store) ((struct work){ .store = (of_store), .mount_fd = -1 })

/**
 * work_open - a mounted working volume with the content of a layer
 * @chain: unset: an empty file system
 *
 * ERR_NOT_FOUND when the layer is gone, ERR_NO_SPACE at the pool's reserve.
 */
int work_open(struct work *work, const struct digest *chain, struct error *err);
/* The same in two steps: active, and then mounted. */
int work_open_unmounted(struct work *work, const struct digest *chain, struct error *err);
int work_mount(struct work *work, struct error *err);
/* What is dirty is flushed. It may be mounted again. */
void work_unmount(struct work *work);
/* Unmounts, deactivates and deletes it. Nothing to do is fine. */
int work_drop(struct work *work, struct error *err);
/* Likewise, for a way out that cannot fail: the end of the session tries again. */
void work_done(struct work *work);
#define auto_work __attribute__((cleanup(work_done)))

/* A folder gets the owner, mode and times of another: no layer above the base can say those of the root. */
int work_restore_root(int root_fd, const struct stat *as, struct error *err);

/**
 * work_snapshot - the session's snapshot of an open one as it stands
 * @trim: what was deleted gives its blocks back first
 *
 * The root folder gets back what it was opened with. The bulk is written before the lock is taken.
 */
int work_snapshot(struct work *work, bool trim, uint32_t *ret_id, struct error *err);

/**
 * work_snapshot_of - a session's snapshot of any volume, under the store's lock
 * @origin:  inactive, or frozen by the caller
 * @prepare: as in journal_fulfil(): thaws it; may be NULL
 */
int work_snapshot_of(struct store *store, uint32_t origin,
		     int (*prepare)(void *ctx, struct error *err), void *ctx, uint32_t *ret_id,
		     struct error *err);
/* Takes the store's lock. Nobody has it open. */
int work_delete(struct store *store, uint32_t id, struct error *err);

/* The thin id whose content is that of a layer; unset: the template's. -1 on failure. */
int64_t work_thin_of_chain(struct store *store, const struct digest *chain, struct error *err);

#endif
