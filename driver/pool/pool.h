/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - the one thin pool of a store: make it, start it, stop it, take it away
 *
 * A pool is known by its store's root folder. ROOT/pool.json says where its
 * devices are; each device begins with a header (pool/header) that says whose
 * it is and how it is divided. Device-mapper devices, for the store id abcdef01:
 *
 *	veneer-abcdef01-data	linear, data without the header
 *	veneer-abcdef01-meta	linear, metadata without the header
 *	veneer-abcdef01-pool	thin-pool on these two
 *	veneer-abcdef01-7	the volume with thin id 7 (pool/thinvol)
 *
 * Nothing here locks: the caller holds the store's lock during every function
 * that changes something. Crash safety: see pool/create.c and pool/grow.c.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pool/poolstat.h"

#define POOL_CONFIG_NAME "pool.json"	 /* in the root */
#define POOL_COPY_NAME	 "pool.repaired" /* metadata that is being put in place: pool/check.c */
#define POOL_FILES_NAME	 "pool"		 /* folder in the root: the files of a file pool */
#define POOL_NAME_BYTES	 64		 /* room for a device-mapper name of ours */

/* A zeroed struct asks for all defaults: a file pool, 64 KiB blocks, ext4, volumes of 10 GiB. */
struct pool_create_args {
	const char *data;      /* block device, or NULL for sparse files in the root */
	const char *meta;      /* block device for metadata, or NULL: shares data */
	uint64_t files_bytes;  /* data size of a file pool; 0: 100 GiB or 80 % of the free space */
	uint64_t meta_bytes;   /* 0: by pool/sizing */
	uint64_t block_bytes;  /* 0: 64 KiB */
	const char *fs;	       /* "ext4", "xfs", or NULL: ext4 */
	uint64_t volume_bytes; /* virtual size of every volume; 0: 10 GiB */
	bool force;	       /* take devices that carry a signature */
};

/* What pool.json says. */
struct pool_config {
	char uuid[37];	       /* of the store; in every header */
	char store_id[9];      /* the first 8 hex digits of uuid */
	char fs[8];	       /* "ext4" or "xfs" */
	char *data_path;       /* block device or file */
	char *meta_path;       /* may equal data_path */
	bool on_files;	       /* both are files that we made */
	uint64_t block_bytes;  /* pool block */
	uint64_t volume_bytes; /* virtual size of every volume */
};

struct pool_status {
	bool active;	      /* everything below is zero while it is not */
	struct poolstat stat; /* counters in blocks */
	uint64_t data_used_bytes;
	uint64_t data_total_bytes;
	uint64_t meta_used_bytes; /* includes the kernel's own reserve */
	uint64_t meta_total_bytes;
};

/* A volume that a repair of the metadata could not keep whole. */
struct pool_loss {
	uint32_t id;
	uint64_t had_blocks;
	uint64_t lost_blocks; /* they read as zeros now */
};

enum pool_repair_how {
	/* Also when it is sound: for blocks that are counted and belong to nothing, which thin_check
	   does not see. */
	POOL_REPAIR_REBUILD = 1 << 0,
	/* The metadata is copied first in any case, to where damaged metadata is kept. */
	POOL_REPAIR_KEEP = 1 << 1,
	/* That copy is there, from an earlier step of the same repair. */
	POOL_REPAIR_KEPT = 1 << 2,
};

/* An opened configuration; the pool itself may be active or not. */
struct pool;

/**
 * pool_create - make the pool of a store and activate it
 * @root: an existing folder
 * @args: NULL asks for all defaults
 *
 * The pool is empty and at transaction id 0; its template is the caller's to
 * make. Returns 0, or -1 with nothing left behind: ERR_EXISTS when the root
 * has a pool, ERR_USAGE, ERR_IN_USE for a device that is open or mounted,
 * ERR_DENIED for one with a signature (unless force), ERR_NO_SPACE for a too
 * small one, ERR_UNSUPPORTED when the kernel has no thin-pool target.
 */
int pool_create(const char *root, const struct pool_create_args *args, struct error *err);

/*
 * Idempotent. ERR_NOT_FOUND without a pool, ERR_CORRUPT when a device is not
 * ours, ERR_IN_USE when something else is on one.
 */
int pool_activate(const char *root, struct error *err);
/* ERR_CORRUPT while a repair is not finished: what lost blocks is still there as if whole. */
int pool_refuse_half_repaired(const char *root, struct error *err);
/* Stops volumes and pool, detaches loop devices. Idempotent. ERR_IN_USE names the holder's volume. */
int pool_deactivate(const char *root, struct error *err);
/**
 * pool_destroy - deactivate, then forget: headers wiped, files removed, pool.json gone
 *
 * A device that is not ours (any more) is left alone. ERR_IN_USE, ERR_NOT_FOUND.
 */
int pool_destroy(const char *root, struct error *err);

/* What to grow to, in bytes; 0 for all the space that a block device has. */
struct pool_grow_args {
	uint64_t data_bytes; /* file pool: must be given unless meta_bytes is */
	uint64_t meta_bytes; /* 0: by pool/sizing for the new data size, where the space is there */
};

/**
 * pool_grow - enlarge an active pool while it is used
 *
 * Returns 0 when the pool is now at least that large, or -1: ERR_USAGE for a
 * size below the present one, ERR_NO_SPACE when the device has no more, also
 * when all that it has was asked for.
 */
int pool_grow(const char *root, const struct pool_grow_args *args, struct error *err);

/* How a pool grows. Starts as { 0 }: not at all. */
struct pool_growth {
	uint64_t step_bytes;   /* of data; 0: by step_percent of what there is */
	unsigned step_percent; /* at least a MiB comes of it */
	uint64_t max_bytes;    /* of data */
};

/* What a pool of that size would have after a step; the same size when there is none. Pure. */
uint64_t pool_growth_next(const struct pool_growth *growth, uint64_t data_bytes);

/**
 * pool_extend_data - one step, where the running pool can get the space by itself
 * @root: of the store; the caller holds its lock
 *
 * A pool on sparse files gets it from their disk, one on a logical volume from its volume group
 * (with lvextend), any other from what its device has and the pool does not use yet.
 * Returns 0, or -1: ERR_LIMIT at the maximum, ERR_NO_SPACE when there is nothing to take it from,
 * and the errors of pool_grow().
 */
int pool_extend_data(const char *root, const struct pool_growth *growth, struct error *err);

/*
 * Twice the metadata, but not more than the kernel can use. A volume group is asked only where
 * growth allows data to grow. Errors as above.
 */
int pool_extend_meta(const char *root, const struct pool_growth *growth, struct error *err);

/* Reads pool.json; no device is touched. ERR_NOT_FOUND, ERR_CORRUPT. The caller owns *ret. */
int pool_open(const char *root, struct pool **ret, struct error *err);
void pool_close(struct pool *pool);
#define auto_pool __attribute__((cleanup(pool_close_)))
static inline void pool_close_(struct pool **pool)
{
	pool_close(*pool);
}

/**
 * pool_set_low_water - have the kernel make an event once so few bytes of data are free
 * @again: also if that is the mark already: it makes one event, and no more before that
 *
 * The caller holds the store's lock. Whatever else loads a table of the pool forgets the mark.
 */
int pool_set_low_water(struct pool *pool, uint64_t free_bytes, bool again, struct error *err);
/* The mark that the running pool has. */
int pool_low_water(struct pool *pool, uint64_t *ret_free_bytes, struct error *err);
/* Counts the events of the running pool; 0 when it does not run. */
uint32_t pool_event_nr(struct pool *pool);

/* Borrowed from pool. */
const struct pool_config *pool_config(const struct pool *pool);
/* Name of its thin-pool device. */
const char *pool_name(const struct pool *pool);
int pool_status(struct pool *pool, struct pool_status *ret, struct error *err);

/*
 * Fails with ERR_CORRUPT and the next step when the pool has failed or needs
 * checking, and with ERR_NOT_FOUND when it is not active.
 */
int pool_check_health(struct pool *pool, const struct pool_status *status, struct error *err);

/* ERR_DENIED, or ERR_NO_SPACE without metadata, with the next step, when messages are refused. */
int pool_check_writable(struct pool *pool, const struct pool_status *status, struct error *err);

/* The health in words, for people: "ok", "needs check", "out of data space", ... */
const char *pool_health(const struct pool_status *status);

#endif
