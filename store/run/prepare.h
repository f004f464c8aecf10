/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prepare - what a start needs on disk: the bundle, host files, volumes
 *
 * Works on the container's volume through a detached mount, without the store's
 * lock. Everything can be done again.
 */
#ifndef RUN_PREPARE_H
#define RUN_PREPARE_H

#include <jansson.h>

#include "base/err.h"
#include "db/rows_container.h"
#include "run/account.h"
#include "run/bundle.h"

struct store;

/**
 * prepare_start - write FOLDER/config.json and what it refers to
 * @folder:  absolute, exists
 * @root_fd: the container's root folder
 *
 * ERR_USAGE for a user or a mount that is not there, with Docker's text.
 */
int prepare_start(struct store *store, const struct container_row *row, const json_t *document,
		  const char *folder, int root_fd, struct error *err);

/* Environment of a process: the container's, HOSTNAME, HOME, and TERM on a terminal. */
void prepare_env(const json_t *document, const struct account *account, bool tty,
		 struct strlist *ret);

/* The folder with the content of a local volume; new. */
char *prepare_volume_path(const struct store *store, const char *name);

#endif
