/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover_container - containers whose processes have ended, and what they leave
 *
 * There is no daemon: the end of a container is noticed by whoever has the
 * store's lock next. That is the ordinary way too: conmon, or the command that
 * a container is attached to, writes the exit status into a file and then takes
 * the lock. Every step can be done again, so being killed within only leaves
 * the rest to the next one.
 *
 * Nothing of a container is mounted in the host's tree. Its file system is
 * mounted in the mount namespace of its own processes only, and goes with them.
 *
 *	ROOT/containers/ID/	a container that was started; gone with it
 *		lock		flock: held while somebody starts it
 *		gate		flock, shared: held by the runtime while it makes the container
 *		token		there while a start is going on; recovery takes it away first,
 *				so that nothing is made behind its back
 *		exit		the exit status, written once
 *		log		what it printed (run/logfile)
 *	ROOT/volumes/NAME/	a local volume; ".gone-NAME" is on its way out
 *	/run/veneer/STORE/	what is true until the next boot: the runtime's state
 */
#ifndef DB_RECOVER_CONTAINER_H
#define DB_RECOVER_CONTAINER_H

#include <inttypes.h>

#include "db/rows_container.h"
#include "root.h"
#include "volume.h"

#define CONTAINER_RUN_DIR "/run/veneer"
#define CONTAINER_CGROUP  "/veneer"
#define CONTAINER_RUNTIME "crun"
/* Nobody saw how it ended. */
#define CONTAINER_EXIT_UNKNOWN 255

/* Inside the lock. Containers that ended become exited, or go when they are to be removed. */
int recover_containers(const struct root *root, struct db *db, struct volume_pool *pool,
		       struct error *err);
/* Folders of containers and volumes that have no row. */
int recover_container_folders(const struct root *root, struct db *db, struct error *err);

/**
 * recover_forget_container - the row, the volume and the folder of a stopped container
 * @volumes: its anonymous volumes too, unless others have them
 */
int recover_forget_container(const struct root *root, struct db *db, struct volume_pool *pool,
			     const struct container_row *row, bool volumes, struct error *err);

/*
 * The folder of a local volume whose row goes: hidden before, and removed after. A kill in between is
 * undone, or finished, by recover_container_folders(). Missing is fine.
 */
int recover_hide_volume(const struct root *root, const char *name, struct error *err);
int recover_remove_hidden_volume(const struct root *root, const char *name, struct error *err);

/**
 * recover_stop_container - nothing of it is left in the kernel
 *
 * Kills its processes, removes the runtime's state, deactivates its volume.
 * ERR_IN_USE when something of it does not end.
 */
int recover_stop_container(struct volume_pool *pool, const struct container_row *row,
			   struct error *err);

/* The name of its device below DEVLINK_DIR while it runs: "containers/NAME"; of a long one, the id. New. */
char *recover_container_link(const struct container_row *row);

/* A folder with all that is in it, but not what is mounted there; missing is fine. */
int recover_remove_tree(const char *path, struct error *err);

/* "/run/veneer/STORE" of this pool; new. */
int recover_run_dir(struct volume_pool *pool, char **ret, struct error *err);

/*
 * Steps of builds (run/step) of a session that has ended: their processes, and
 * what the runtime knows of them. Its control group, and its folder; new.
 */
int recover_steps(struct volume_pool *pool, int64_t session, struct error *err);
char *recover_steps_folder(const char *run_dir, int64_t session);
#define RECOVER_STEPS_CGROUP CONTAINER_CGROUP "/session-%" PRId64

/* Marks init volumes that no container has and whose layer is gone, inside a transaction. */
int recover_mark_inits(struct db *db, uint64_t txid, struct error *err);

#endif
