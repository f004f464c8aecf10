/* SPDX-License-Identifier: Apache-2.0 */
#include "db/recover_volume.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/recover.h"
#include "db/rows_volume.h"
#include "db/volume_note.h"
#include "devlink.h"

static int drop(struct db *db, struct volume_pool *pool, const struct volume_row *row,
		struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	log_debug("volume '%s' was left by a killed rollback", row->name);
	if (db_begin(&tx, db, err) < 0 || journal_next_txid(db, &txid, err) < 0 ||
	    journal_intend_delete(db, txid, row->thin_id, err) < 0 || db_commit(&tx, err) < 0)
		return -1;
	return journal_fulfil(db, pool, txid, NULL, NULL, err);
}

/* 1: nothing of it is in the kernel any more; 0: it is used. */
static int stop(struct volume_pool *pool, const struct volume_row *row, struct error *err)
{
	if (*row->target && volume_unmount(pool, row->thin_id, row->target, err) < 0 &&
	    err->kind != ERR_NOT_FOUND)
		return err->kind == ERR_IN_USE ? 0 : -1;
	if (volume_deactivate(pool, row->thin_id, err) < 0)
		return err->kind == ERR_IN_USE ? 0 : -1;
	return 1;
}

static int end(const struct root *root, struct db *db, struct volume_pool *pool,
	       struct volume_row *row, struct error *err)
{
	int stopped = stop(pool, row, err);

	if (stopped < 0)
		return -1;
	if (stopped) {
		log_debug("ending '%s', left half way by a killed process", row->name);
		free(row->target);
		row->target = xstrdup("");
		row->attached = false;
		if (devlink_remove(row->name, err) < 0)
			return -1;
	}
	crash_point("recover-volume");
	/* A rollback settles what it made only with its note. */
	return note_write(root, row, err) < 0 ? -1 : rows_volume_use(db, row, true, err);
}

int recover_volumes(const struct root *root, struct db *db, struct volume_pool *pool,
		    struct error *err)
{
	auto_volume_rows struct volume_rows rows = { 0 };

	if (rows_volume_unsettled(db, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++) {
		struct volume_row *row = &rows.items[i];

		if ((*row->name == '.' ? drop(db, pool, row, err) : end(root, db, pool, row, err)) <
		    0)
			return err_add(err, "recover volume '%s'", row->name);
	}
	if (rows.nr)
		recover_mount_points(root, db);
	return 0;
}
