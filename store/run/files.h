/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - a container's files as it sees them: its root with binds and volumes
 *
 * To read: a snapshot. To write: its own volume, which of a running container is
 * mounted once more, and of a stopped one is held so that nobody starts it
 * meanwhile. Volumes are mounted in a mount namespace of our own. As with
 * Docker, what only the processes see (/proc, /dev, tmpfs) is not there.
 *
 * Crash safety: a stopped container is marked as if it were being started, and
 * its lock is held: killed, the next holder of the store's lock deactivates the
 * volume and puts the old state back (db/recover_container.h). What was written
 * until then stays written.
 */
#ifndef RUN_FILES_H
#define RUN_FILES_H

#include <jansson.h>

#include "db/rows_container.h"
#include "run/still.h"

struct store;
struct volume;

/* Starts with FILES_NONE. */
struct files {
	struct store *store;
	struct still still; /* has the row */
	json_t *document;
	int root_fd; /* borrowed or own: see volume */
	/* To write. */
	struct volume *volume;
	int lock_fd; /* of a stopped one */
	enum container_state state_before;
	char *place; /* where it is mounted, in our namespace; or NULL */
};

#define FILES_NONE(of_store)                            \
	((struct files){ .store = (of_store),           \
			 .still = STILL_NONE(of_store), \
			 .root_fd = -1,                 \
			 .lock_fd = -1 })

/* ERR_NOT_FOUND; ERR_IN_USE when another command has it for too long. */
int files_open_read(struct files *files, const char *operand, struct error *err);
int files_open_write(struct files *files, const char *operand, struct error *err);
/* What was written is on the device. */
int files_close(struct files *files, struct error *err);
/* Likewise, for a way out that has failed already. */
void files_done(struct files *files);
#define auto_files __attribute__((cleanup(files_done)))

#endif
