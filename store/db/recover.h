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
 * files, and layers that only it needed. Then blobs may be in doubt (blob/gc).
 */
int recover_session_end(const struct root *root, struct db *db, struct volume_pool *pool,
			int64_t id, struct error *err);

/* Ends every session whose owner is dead, also one that was killed before its row or after. */
int recover_dead_sessions(const struct root *root, struct db *db, struct volume_pool *pool,
			  struct error *err);

/* Returns 1 when a session's owner lives, 0 when none does, -1 on failure. Needs no pool. */
int recover_any_session(const struct root *root, struct error *err);

/* Removes lock files of layers whose maker was killed. */
void recover_chain_locks(const struct root *root);

/**
 * recover_views - finish what was killed while it made or ended a view
 *
 * A view that is not settled belongs to whoever has the store's lock: seen by
 * the next one, its owner is dead. It is ended, unless somebody uses it: then
 * it stays as the view that it is.
 */
int recover_views(const struct root *root, struct db *db, struct volume_pool *pool,
		  struct error *err);
/* Where the hash tree of a verified view is, below the root. Returns new. */
char *recover_tree_name(uint32_t thin_id);
/*
 * A verified view of this thin id ends, while its row is there: unless another one needs them, its
 * device and its tree go. ERR_IN_USE.
 */
int recover_stop_verified(const struct root *root, struct db *db, struct volume_pool *pool,
			  uint32_t thin_id, struct error *err);
/* Removes mount points of ours that no view has. */
void recover_mount_points(const struct root *root, struct db *db);

/**
 * recover_mark_orphans - mark layers that no image, child, view or pin needs
 * @ret: appended to: what was marked
 *
 * Inside the caller's transaction. Fulfil txid afterwards, then remove their
 * blobs (blob/gc).
 */
int recover_mark_orphans(struct db *db, uint64_t txid, struct orphan_list *ret, struct error *err);

#endif
