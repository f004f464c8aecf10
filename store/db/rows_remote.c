/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows_remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "db/rows.h"

void remote_blob_free_list(struct remote_blob *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(list[i].media_type);
		free(list[i].repository);
	}
	free(list);
}

int rows_remote_put(struct db *db, const struct remote_blob *blob, struct error *err)
{
	return db_exec(db, err,
		       "INSERT OR REPLACE INTO remote_blob"
		       " (diff_id, repository, digest, size_bytes, media_type, seen_ns)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		       "dsdisi", &blob->diff_id, blob->repository, &blob->digest, blob->size_bytes,
		       blob->media_type, rows_now_ns());
}

int rows_remote_list(struct db *db, const struct digest *diff_id, struct remote_blob **ret,
		     size_t *ret_nr, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct remote_blob *list = NULL;
	size_t nr = 0;
	int got;

	if (db_prepare(db,
		       "SELECT digest, size_bytes, media_type, repository FROM remote_blob"
		       " WHERE diff_id = ?1 ORDER BY seen_ns DESC, repository",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, diff_id->text);
	while ((got = db_step(stmt, err)) > 0) {
		list = xrealloc(list, (nr + 1) * sizeof(*list));
		list[nr] = (struct remote_blob){
			.diff_id = *diff_id,
			.size_bytes = db_int(stmt, 1),
			.media_type = xstrdup(db_text(stmt, 2)),
			.repository = xstrdup(db_text(stmt, 3)),
		};
		db_digest(stmt, 0, &list[nr++].digest);
	}
	if (got < 0) {
		remote_blob_free_list(list, nr);
		return -1;
	}
	*ret = list;
	*ret_nr = nr;
	return 0;
}

int rows_manifest_put(struct db *db, const struct digest *image, const struct buf *bytes,
		      bool replace, struct error *err)
{
	if (memchr(bytes->data, '\0', bytes->len))
		return 0; /* no text; it can be made anew */
	return db_exec(db, err,
		       replace ? "INSERT OR REPLACE INTO manifest (image, document) VALUES (?1, ?2)"
			       : "INSERT OR IGNORE INTO manifest (image, document) VALUES (?1, ?2)",
		       "ds", image, bytes->data);
}

int rows_manifest_get(struct db *db, const struct digest *image, struct buf *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, "SELECT document FROM manifest WHERE image = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, image->text);
	got = db_step(stmt, err);
	if (got > 0)
		buf_puts(ret, db_text(stmt, 0));
	return got;
}
