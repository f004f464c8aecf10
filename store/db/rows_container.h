/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_container - the catalogue's containers and local volumes
 *
 * A container exists for readers once its thin id is live (db/journal).
 */
#ifndef DB_ROWS_CONTAINER_H
#define DB_ROWS_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/procmark.h"
#include "db/db.h"

enum container_state {
	CONTAINER_CREATED,
	CONTAINER_STARTING, /* the holder of its lock starts it */
	CONTAINER_RUNNING,
	CONTAINER_EXITED,
};

struct container_row {
	char *id; /* 64 hex digits */
	char *name;
	struct digest image; /* which may be gone */
	char *image_name;    /* as given at create */
	char *document;	     /* JSON text, store/run/document */
	uint32_t init_id;    /* thin ids: image with stubs, and the container's own; what it */
	uint32_t thin_id;    /* changed is what the second has and the first has not */
	uint64_t size_bytes; /* of its device, for volume_activate_sized(); 0: the pool's size */
	int64_t created_ns;
	bool auto_remove;
	enum container_state state;
	struct procmark process; /* the first in it, as the host sees it */
	int64_t started_ns;	 /* 0: never */
	int64_t finished_ns;
	int64_t exit_code;
	char *problem; /* why it could not be started; "" */
};

void container_row_done(struct container_row *row);
#define auto_container_row __attribute__((cleanup(container_row_done)))

struct container_rows {
	struct container_row *items;
	size_t nr;
};

void container_rows_done(struct container_rows *rows);
#define auto_container_rows __attribute__((cleanup(container_rows_done)))

/* All of them, newest first. */
int rows_container_list(struct db *db, struct container_rows *ret, struct error *err);
/* Those that are starting or running. */
int rows_container_active(struct db *db, struct container_rows *ret, struct error *err);
/* Returns 1, 0 when there is none, or -1. */
int rows_container_get(struct db *db, const char *id, struct container_row *ret, struct error *err);

/* Inside the transaction that intends the thin id. ERR_EXISTS when the name is taken. */
int rows_container_put(struct db *db, const struct container_row *row, struct error *err);
/* Writes state, process, times, exit code and problem. */
int rows_container_set(struct db *db, const struct container_row *row, struct error *err);

/* A volume that the container has; made when it is not there. Inside a transaction. */
int rows_container_volume(struct db *db, const char *container, const char *volume, bool anonymous,
			  struct error *err);
/* Anonymous volumes that only this container has. */
int rows_container_own_volumes(struct db *db, const char *container, struct strlist *ret,
			       struct error *err);

#endif
