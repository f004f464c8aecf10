/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - the catalogue's layers and views, read and written
 *
 * A layer or view exists for readers once its thin id is live (db/journal).
 */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include "base/digest.h"
#include "db/db.h"

#define ROW_SIZE_UNKNOWN (-1)

struct layer_row {
	struct digest chain_id;
	struct digest parent; /* unset for a base layer */
	struct digest diff_id;
	uint32_t thin_id;
	int64_t tar_bytes;
	int64_t content_bytes;
	int64_t own_bytes; /* ROW_SIZE_UNKNOWN until computed */
	int64_t created_ns;
	char *created_by;   /* new; never NULL */
	struct digest blob; /* unset when no blob is kept */
};

void layer_row_done(struct layer_row *row);
#define auto_layer_row __attribute__((cleanup(layer_row_done)))

/* Returns 1 and fills ret, 0 when there is no such live layer, -1 on failure. */
int rows_layer_get(struct db *db, const struct digest *chain_id, struct layer_row *ret,
		   struct error *err);
/* Likewise, and it is pinned, so that it stays. */
int rows_layer_take(struct db *db, int64_t session, const struct digest *chain_id,
		    struct layer_row *ret, struct error *err);
/* Inside the transaction that intends the thin id. */
int rows_layer_put(struct db *db, const struct layer_row *row, struct error *err);
int rows_layer_set_own(struct db *db, uint32_t thin_id, int64_t own_bytes, struct error *err);
/* Keeps a layer while the session lives; put again is fine. */
int rows_pin(struct db *db, int64_t session, const struct digest *chain_id, struct error *err);

/* The template's thin id, or 0 when the pool has none yet; -1 on failure. */
int64_t rows_template(struct db *db, struct error *err);

/* Returns 1 or 0: a layer or an image needs this blob. -1 on failure. */
int rows_blob_is_used(struct db *db, const struct digest *digest, struct error *err);

/* Unix time in ns, for the created_ns columns. */
int64_t rows_now_ns(void);

#endif
