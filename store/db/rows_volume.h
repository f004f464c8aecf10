/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_volume - the catalogue's named volumes, read and written
 */
#ifndef DB_ROWS_VOLUME_H
#define DB_ROWS_VOLUME_H

#include <stdbool.h>

#include "base/digest.h"
#include "db/db.h"

struct volume_row {
	char *name;
	uint32_t thin_id;
	uint64_t size_bytes; /* of its device */
	struct digest image; /* unset: made empty */
	char *image_name;    /* as it was given; "" */
	char *origin;	     /* the volume that it is a snapshot of; "" */
	bool raw;	     /* no file system of ours */
	bool read_only;
	bool attached; /* what it was last; the kernel knows whether that is still so */
	char *target;  /* mount point; "": not mounted by us */
	int64_t created_ns;
};

void volume_row_done(struct volume_row *row);
#define auto_volume_row __attribute__((cleanup(volume_row_done)))

/* Starts as { 0 }. */
struct volume_rows {
	struct volume_row *items;
	size_t nr;
};

void volume_rows_done(struct volume_rows *rows);
#define auto_volume_rows __attribute__((cleanup(volume_rows_done)))

/* Those that are whole, by name. */
int rows_volume_list(struct db *db, struct volume_rows *ret, struct error *err);
/* Returns 1 and fills ret, 0 without such a volume, -1. */
int rows_volume_get(struct db *db, const char *name, struct volume_row *ret, struct error *err);
/* Those that whoever had the lock left between two states: unsettled, or with a name of ours. */
int rows_volume_unsettled(struct db *db, struct volume_rows *ret, struct error *err);

/* Inside the transaction that intends its thin id; created_ns is set. ERR_EXISTS. */
int rows_volume_put(struct db *db, const struct volume_row *row, struct error *err);
/* Its use; unsettled until the kernel is in that state. */
int rows_volume_use(struct db *db, const struct volume_row *row, bool settled, struct error *err);
int rows_volume_set_size(struct db *db, const char *name, uint64_t size_bytes, struct error *err);
/* ERR_EXISTS. */
int rows_volume_rename(struct db *db, const char *from, const char *to, struct error *err);

#endif
