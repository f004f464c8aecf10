/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - an opened store: its root, its catalogue and, once needed, its pool
 *
 * Opening is cheap and touches no device. The pool is activated by the first
 * store_pool(); that is also where what a killed command left is put right
 * (db/recover). One process has one store open, single-threaded.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "pool/pool.h"
#include "root.h"
#include "volume.h"

/* How layers of load, import and pull get into their volumes. */
enum layer_writer {
	LAYER_WRITER_AUTO,   /* as blocks where that is possible: see volume_tree_open() */
	LAYER_WRITER_DIRECT, /* likewise, and where it is not somebody is told */
	LAYER_WRITER_MOUNT,  /* by system calls on a mount */
};

struct store_options {
	const char *root;    /* folder; created when missing */
	const char *command; /* for the session's row: what runs here */
	bool drop_blobs;     /* do not keep the layers' blobs */
	enum layer_writer writer;
	bool fsck_layers;  /* e2fsck looks at each layer that was written as blocks */
	bool no_catalogue; /* for store_rebuild(): the catalogue may be lost or damaged */
	/* The pool that the first command makes when there is none; NULL: defaults. */
	const struct pool_create_args *pool_defaults;
	const char *disk_below; /* see volume_pool_set_disk_below(); NULL: none; borrowed */
	/* Tells the user something once, on stderr; may be NULL. */
	void (*notice)(const char *text);
};

struct store {
	struct root root;
	struct db *db;
	struct volume_pool *pool; /* NULL until store_pool() */
	int64_t session;	  /* 0 until store_session() */
	int session_fd;
	struct store_options options;
};

/* The caller owns *ret. ERR_DENIED, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_IO. */
int store_open(const struct store_options *options, struct store **ret, struct error *err);
/* Ends the session: what it pinned and nothing else uses goes away. */
void store_close(struct store *store);
static inline void store_close_(struct store **store)
{
	store_close(*store);
}
#define auto_store __attribute__((cleanup(store_close_)))

/**
 * store_pool - the active pool, made if there is none, recovered if need be
 * @ret: borrowed from the store
 *
 * Errors of volume_pool_open(); ERR_CORRUPT also when the pool's transaction
 * id does not fit the catalogue.
 */
int store_pool(struct store *store, struct volume_pool **ret, struct error *err);
/* Like store_pool(), but ERR_NOT_FOUND when there is no pool yet. */
int store_existing_pool(struct store *store, struct volume_pool **ret, struct error *err);

/* Makes the pool and its template. ERR_EXISTS when the store has one. */
int store_create_pool(struct store *store, const struct pool_create_args *args, struct error *err);
/*
 * Takes the pool and everything in the catalogue away. ERR_IN_USE while
 * anything is mounted, attached or loading. force goes on when the pool is
 * gone or does not open.
 */
int store_destroy_pool(struct store *store, bool force, struct error *err);

/*
 * For check, under the store's lock: the pool active, but nothing recovered;
 * and then the recovery, which fails with ERR_CORRUPT where store_pool() does.
 */
int store_open_as_is(struct store *store, struct error *err);
int store_settle(struct store *store, struct error *err);
/* Has the root a pool.json? */
bool store_has_pool(const struct store *store);

/**
 * store_lock_pool - begin a change of the pool: pool open, lock held, journal settled
 * @ret_held: for auto_root_lock
 *
 * Errors of store_pool() and root_lock().
 */
int store_lock_pool(struct store *store, struct root **ret_held, struct error *err);

/* Likewise, but ERR_NOT_FOUND while the pool is not active: for whoever must not start it. */
int store_lock_active_pool(struct store *store, struct root **ret_held, struct error *err);

/*
 * Likewise, for whoever ends the use of a volume: no repair of a pool can begin while it is used.
 * ret_ill: the pool runs, but cannot be changed, and nothing was recovered.
 */
int store_lock_pool_to_end(struct store *store, struct root **ret_held, bool *ret_ill,
			   struct error *err);

/**
 * store_session - this process is making something
 *
 * Working volumes, pins and temporary files belong to a session. When its
 * process dies, whoever opens the pool next removes them. Idempotent.
 */
int store_session(struct store *store, struct error *err);

#endif
