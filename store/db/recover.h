/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover - sessions of dead processes, and what nobody needs any more
 *
 * A session is alive while its owner holds the flock on sessions/ID. The
 * kernel lets go of it however the owner ended, so no state can lie. Called
 * under the store's lock with the journal already recovered: every step here
 * is a journal transaction of its own, and being killed between two of them
 * leaves less to do for the next one.
 */
#ifndef DB_RECOVER_H
#define DB_RECOVER_H

#include "db/db.h"
#include "root.h"
#include "volume.h"

/* A layer that is being removed. */
struct orphan {
	uint32_t thin_id;
	struct digest chain_id;
	struct digest blob; /* unset when none is kept */
	int64_t content_bytes;
	int64_t own_bytes; /* ROW_SIZE_UNKNOWN when never computed */
};

struct orphan_list {
	struct orphan *items; /* children before parents */
	size_t nr;
};

void orphan_list_done(struct orphan_list *list);
#define auto_orphan_list __attribute__((cleanup(orphan_list_done)))

/* Opens a session; *ret_fd holds its lock until closed. */
int recover_session_begin(const struct root *root, struct db *db, const char *command,
			  int64_t *ret_id, int *ret_fd, struct error *err);

/*
 * Removes what a session that ended has left: work volumes, pins, temporary
 * files, and layers that only it needed: those are appended to ret_orphans,
 * whose blobs are the caller's to remove (blob/gc).
 */
int recover_session_end(const struct root *root, struct db *db, struct volume_pool *pool,
			int64_t id, struct orphan_list *ret_orphans, struct error *err);

/* Ends every session whose owner is dead. */
int recover_dead_sessions(const struct root *root, struct db *db, struct volume_pool *pool,
			  struct orphan_list *ret_orphans, struct error *err);

/**
 * recover_mark_orphans - mark layers that no image, child, view or pin needs
 * @ret: appended to: what was marked
 *
 * Inside the caller's transaction. Fulfil txid afterwards, then remove their
 * blobs (blob/gc).
 */
int recover_mark_orphans(struct db *db, uint64_t txid, struct orphan_list *ret, struct error *err);

#endif
