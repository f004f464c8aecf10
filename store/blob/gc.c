/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/gc.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/blob.h"
#include "db/rows.h"
#include "verity/list.h"

int gc_announce(struct db *db, const struct digest *blob, struct error *err)
{
	return db_exec(db, err, "INSERT OR IGNORE INTO doubt VALUES (?1)", "d", blob);
}

static int read_doubts(struct db *db, struct digest **ret, size_t *ret_nr, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	auto_free struct digest *blobs = NULL;
	size_t nr = 0;
	int got;

	if (db_prepare(db, "SELECT digest FROM doubt", &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		blobs = xrealloc(blobs, (nr + 1) * sizeof(*blobs));
		db_digest(stmt, 0, &blobs[nr++]);
	}
	*ret = take_ptr(blobs);
	*ret_nr = nr;
	return got;
}

/* The digests of a layer that is gone (schema, version 8). */
static int remove_digests(const struct root *root, struct db *db, const struct digest *chain,
			  bool *ret_removed, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int used;

	if (db_prepare(db, "SELECT 1 FROM layer WHERE chain_id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, chain->text);
	used = db_step(stmt, err);
	if (used)
		return used < 0 ? -1 : 0;
	*ret_removed = true;
	return verity_remove(root, chain, err);
}

int gc_blobs(const struct root *root, struct db *db, struct error *err)
{
	auto_free struct digest *blobs = NULL;
	bool removed = false, removed_digests = false;
	size_t nr = 0;

	if (read_doubts(db, &blobs, &nr, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		int used = rows_blob_is_used(db, &blobs[i], err);

		if (used < 0 || (!used && blob_remove(root, &blobs[i], err) < 0) ||
		    remove_digests(root, db, &blobs[i], &removed_digests, err) < 0)
			return -1;
		removed |= !used;
		crash_point("blob-removed");
	}
	/* Before the doubt is: nobody would look for one that a power cut brings back. */
	if ((removed && blob_sync(root, err) < 0) ||
	    (removed_digests && verity_sync(root, err) < 0))
		return -1;
	/* An entry that a power cut brings back costs one look. */
	return nr ? db_exec(db, err, "DELETE FROM doubt", "") : 0;
}
