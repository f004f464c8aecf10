/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volumes - named writable volumes: the disks of servers and virtual machines
 *
 * A volume is a snapshot of an image's top layer, or starts empty, and is no part of the image from
 * then on: it has a size and an identity (UUID) of its own and stays until it is removed. A snapshot
 * of a volume is another one, only for reading, to which it can be rolled back.
 *
 * While a volume is used its device is DEVLINK_DIR/NAME. It is either mounted here or the disk
 * of somebody else (attached), never both. After a boot it is neither.
 *
 * Crash safety: a volume counts once its file system, size and note are there (db/journal). Its use is
 * recorded before the kernel hears of it and settled after; recover_volumes() ends what was not.
 * ROOT/disks/NAME.json notes what each volume is, so that a catalogue that is made again finds it.
 */
#ifndef VOLUME_VOLUMES_H
#define VOLUME_VOLUMES_H

#include "db/rows_volume.h"
#include "devlink.h"

struct store;

enum volume_use {
	VOLUME_UNUSED,
	VOLUME_ATTACHED,
	VOLUME_MOUNTED, /* by us, or by somebody who mounted its device */
};

/* What the kernel says; opens the pool. */
int volumes_use(struct store *store, const struct volume_row *row, enum volume_use *ret,
		struct error *err);

/* Pool bytes that it does not share with what it was made from. */
int volumes_own_bytes(struct store *store, const struct volume_row *row, int64_t *ret,
		      struct error *err);

/* By name. ERR_NOT_FOUND "no such volume: NAME". */
int volumes_find(struct store *store, const char *name, struct volume_row *ret, struct error *err);

struct volumes_create {
	const char *name;
	const char *image;   /* operand as in image_find(); NULL: empty */
	uint64_t size_bytes; /* 0: the pool's size for volumes; rounded up to its blocks */
	bool raw;	     /* without a file system; not with an image */
};

/* ERR_EXISTS; ERR_USAGE for a name or size; ERR_NO_SPACE at the pool's reserve. */
int volumes_create(struct store *store, const struct volumes_create *args, struct error *err);
/**
 * volumes_grow - make it larger, with its file system, while it is used
 *
 * The file system of a raw volume, and of an attached one, is its user's to grow. ERR_USAGE when it
 * would become smaller; the same size again finishes what was interrupted.
 */
int volumes_grow(struct store *store, const char *name, uint64_t size_bytes, struct error *err);
/**
 * volumes_snapshot - keep what it holds now, under another name
 * @writable: a volume like others, not only for reading
 *
 * What is mounted rests for that moment; an attached one has what its user has flushed.
 */
int volumes_snapshot(struct store *store, const char *name, const char *snapshot, bool writable,
		     struct error *err);
/* It gets the content and the size of a snapshot of it, which stays. ERR_IN_USE unless unused. */
int volumes_rollback(struct store *store, const char *name, const char *snapshot,
		     struct error *err);
/* ERR_IN_USE unless unused. */
int volumes_rename(struct store *store, const char *from, const char *to, struct error *err);
int volumes_remove(struct store *store, const char *name, struct error *err);

/**
 * volumes_mount - mount it
 * @dir:     existing folder, or NULL: a new one below the store's mounts/
 * @options: as in mount(8), for any kind of file system; may be NULL
 * @ret_dir: absolute path where it is mounted; new
 *
 * Mounting it again where it is mounted is done already. ERR_IN_USE elsewhere, or attached.
 */
int volumes_mount(struct store *store, const char *name, const char *dir, const char *options,
		  char **ret_dir, struct error *err);
/* @target: its name or its mount point */
int volumes_unmount(struct store *store, const char *target, struct error *err);
/* @ret_link: "/dev/veneer/NAME"; new. Attaching it again is done already. ERR_IN_USE while mounted. */
int volumes_attach(struct store *store, const char *name, char **ret_link, struct error *err);
/* @target: its name or its link. ERR_IN_USE while it is open. */
int volumes_detach(struct store *store, const char *target, struct error *err);

#endif
