/* SPDX-License-Identifier: Apache-2.0 */
/*
 * still - a container's file system as it stood at one moment
 *
 * A snapshot that belongs to the session, whether the container runs or not. A
 * running one is frozen for the moment in which the snapshot is made; nothing
 * of it is touched otherwise.
 *
 * Crash safety: the snapshot is the session's 'work'. A volume that a killed
 * process left frozen is thawed by whoever opens the pool next, and the control
 * group by recover_containers().
 */
#ifndef RUN_STILL_H
#define RUN_STILL_H

#include <stdbool.h>
#include <stdint.h>

#include "db/rows_container.h"

struct store;
struct volume;

/* Starts with STILL_NONE. */
struct still {
	struct store *store;
	struct container_row row; /* as it was found */
	uint32_t id;		  /* the snapshot; 0: none, or somebody else's now */
	struct volume *volume;	  /* of the snapshot, while it is mounted */
	int mount_fd;
};

#define STILL_NONE(of_store) ((struct still){ .store = (of_store), .mount_fd = -1 })

/**
 * still_take - snapshot a container
 * @operand: as in container_find()
 * @pause:   none of its processes runs at that moment
 *
 * ERR_NOT_FOUND; ERR_IN_USE when another command has it for too long;
 * ERR_NO_SPACE at the pool's reserve.
 */
int still_take(struct still *still, const char *operand, bool pause, struct error *err);

/* Mounts the snapshot, which is private: it may be written to. */
int still_mount(struct still *still, struct error *err);
/* Everything written is on the device afterwards. */
int still_unmount(struct still *still, struct error *err);

/* Deletes what is left. */
void still_done(struct still *still);
#define auto_still __attribute__((cleanup(still_done)))

#endif
