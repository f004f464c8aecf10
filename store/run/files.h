/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - a container's files as it sees them: its root with binds and volumes
 *
 * To read: a snapshot. To write into one that runs: its own volume, mounted once more. Into one
 * that does not: a snapshot, too, which takes the place of its volume when everything is written,
 * and nobody starts it meanwhile. Volumes are mounted in a mount namespace of our own. As with
 * Docker, what only the processes see (/proc, /dev, tmpfs) is not there.
 *
 * Crash safety: the snapshot is the session's (layer/work.h) until one transaction of the catalogue
 * makes it the container's and what was there before it garbage (db/journal.h). So a container
 * that does not run has all of what is copied or nothing. What went into volumes, or into one that
 * runs, stays written.
 */
#ifndef RUN_FILES_H
#define RUN_FILES_H

#include <jansson.h>

#include "layer/work.h"
#include "layer/work_tree.h"
#include "run/still.h"

struct store;

/* Starts with FILES_NONE. */
struct files {
	struct store *store;
	struct still still; /* has the row */
	json_t *document;
	int root_fd; /* borrowed; -1 since blocks are written */
	/* To write. */
	struct work work; /* id 0: the container's own volume, as it runs */
	struct work_tree tree;
	int lock_fd;
	char *place; /* where it is mounted, in our namespace; or NULL */
};

#define FILES_NONE(of_store)                            \
	((struct files){ .store = (of_store),           \
			 .still = STILL_NONE(of_store), \
			 .root_fd = -1,                 \
			 .work = WORK_NONE(of_store),   \
			 .lock_fd = -1 })

/* ERR_NOT_FOUND; ERR_IN_USE when another command has it for too long. */
int files_open_read(struct files *files, const char *operand, struct error *err);
int files_open_write(struct files *files, const char *operand, struct error *err);
/**
 * files_tree - the writer of what was opened to write; its paths begin at the root
 * @ret: borrowed
 *
 * Nothing can be looked up below root_fd afterwards. Blocks are written where nothing else is
 * mounted (layer/work_tree.h).
 */
int files_tree(struct files *files, struct tree_writer **ret, struct error *err);
/* What was written is on the device, and the container's. */
int files_close(struct files *files, struct error *err);
/* For a way out that has failed already. */
void files_done(struct files *files);
#define auto_files __attribute__((cleanup(files_done)))

#endif
