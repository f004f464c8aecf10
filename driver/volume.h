/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume - pools, thin volumes, file systems and mounts, as the store sees them
 *
 * The store's only door to the driver. It knows thin ids, never images. Calling
 * sequence:
 *
 *	volume_pool_open()             the pool of a root is active and healthy
 *	volume_snapshot()              a new thin id, inside the store's transaction
 *	volume_activate()              a block device
 *	volume_mount()                 a detached mount: a descriptor, no path
 *	volume_boundary()              freeze, snapshot, thaw: a layer is born
 *
 * Nothing here locks: the caller serialises changes of one pool with the
 * store's lock, and holds it for the ioctls only, never for bulk I/O.
 * Single-threaded, because libdevmapper is.
 */
#ifndef VOLUME_H
#define VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

#define VOLUME_LABEL_BYTES 1024 /* room for the label of one volume */
#define VOLUME_ID_MAX	   ((UINT32_C(1) << 24) - 1)

struct volume_pool;
struct volume;

/* What the pool's configuration file and its status line say. */
struct volume_pool_info {
	const char *store_id;  /* 8 hex digits, part of every device name; borrowed */
	const char *fs;	       /* "ext4" or "xfs"; borrowed */
	const char *data_path; /* block device or file; borrowed */
	const char *meta_path; /* may equal data_path; borrowed */
	bool on_files;	       /* sparse files with loop devices */
	uint64_t volume_bytes; /* virtual size of the template */
	uint64_t block_bytes;  /* pool block */
	uint64_t transaction_id;
	uint64_t data_used_bytes;
	uint64_t data_total_bytes;
	uint64_t meta_used_bytes; /* includes the kernel's own reserve */
	uint64_t meta_total_bytes;
	bool read_only;	  /* no change is possible */
	bool out_of_data; /* writers wait or fail */
	bool failed;
	bool needs_check;
};

/**
 * volume_pool_open - the pool of the store at root, activated if it was not
 *
 * Returns 0, or -1: ERR_NOT_FOUND when root has no pool, ERR_CORRUPT when it
 * needs_check, is failed or is not ours (the text says what to do next),
 * ERR_UNSUPPORTED when the kernel has no thin-pool target. The caller owns
 * *ret; closing it leaves the pool active.
 */
int volume_pool_open(const char *root, struct volume_pool **ret, struct error *err);
/*
 * Likewise, but for a look only, which needs no lock: nothing is activated, which is
 * ERR_NOT_FOUND, and what killed processes left stays.
 */
int volume_pool_look(const char *root, struct volume_pool **ret, struct error *err);
/* A running pool whatever its state: its volumes can be unmounted and deactivated, no more. */
int volume_pool_open_ill(const char *root, struct volume_pool **ret, struct error *err);
void volume_pool_close(struct volume_pool *pool);
#define auto_volume_pool __attribute__((cleanup(volume_pool_close_)))
static inline void volume_pool_close_(struct volume_pool **pool)
{
	volume_pool_close(*pool);
}

/*
 * For a pool on files: their disk is itself a sparse file, on the disk that the
 * folder at path lies on. What that has free bounds the room too.
 */
void volume_pool_set_disk_below(struct volume_pool *pool, const char *path);

/*
 * Check and mend the metadata of the pool of root, which is stopped and started
 * again; then delete what is not whole any more and need not be kept. See
 * pool_repair() in pool/check.h. how: enum pool_repair_how. And only looking, see pool_check().
 */
struct pool_loss; /* pool/pool.h */
int volume_pool_repair(const char *root, unsigned how, uint64_t txid, struct buf *ret_report,
		       struct pool_loss **ret_losses, size_t *ret_nr, struct error *err);
int volume_pool_check(const char *root, struct buf *ret_report, struct error *err);
int volume_pool_repair_end(const char *root, const uint32_t *ids, size_t nr, struct error *err);

/**
 * volume_pool_verify - read the whole map of every volume, each shared part once
 * @ret_leak_bytes: what the pool counts as used although no volume has it; 0 while any volume
 *                  is active, since its writes would be counted
 *
 * ERR_CORRUPT when some of it is damaged, which the kernel only finds when those
 * blocks are used. A power cut can leave a leak, which volume_pool_repair() gives back: dm-thin
 * counts a block as used before it is written and mapped, and until its discard has ended, and
 * commits in between. Takes 8 bytes of memory for each block in use.
 */
int volume_pool_verify(struct volume_pool *pool, uint64_t *ret_leak_bytes, struct error *err);

/*
 * A descriptor that poll(2) finds readable after the next event of any device of the kernel, and
 * forgetting what has happened so far. See dm/dmevent.h.
 */
int volume_events_open(struct error *err);
int volume_events_arm(int fd, struct error *err);

/*
 * The writable file systems of the pool's volumes that are mounted where this process sees them
 * give the blocks of deleted files back. Returns how many did, or -1.
 */
int volume_pool_trim(const char *root, struct error *err);

/* A fresh status; strings are valid until the pool is closed. */
int volume_pool_info(struct volume_pool *pool, struct volume_pool_info *ret, struct error *err);

/*
 * Bytes of new data that may still be written: what the pool has above its
 * reserve and, for a pool on sparse files, what their disk lets these grow.
 * ERR_NO_SPACE when these are less than min_bytes.
 */
int volume_pool_room(struct volume_pool *pool, uint64_t min_bytes, uint64_t *ret_bytes,
		     struct error *err);

/*
 * Fails with ERR_NO_SPACE when metadata (or data) is below the reserve that a
 * new volume needs, and with ERR_DENIED when the pool cannot be written to.
 */
int volume_pool_check_reserve(struct volume_pool *pool, struct error *err);

/* The metadata that check_reserve wants free, of so much. Pure. */
uint64_t volume_meta_reserve(uint64_t meta_total_bytes);

/**
 * volume_pool_advance - move the pool's transaction id from old_id to new_id
 *
 * The kernel compares and swaps. Returns 0, or -1 with ERR_CORRUPT when the
 * pool was not at old_id.
 */
int volume_pool_advance(struct volume_pool *pool, uint64_t old_id, uint64_t new_id,
			struct error *err);

/* Thin id messages. EEXIST: ERR_EXISTS. Absent: ERR_NOT_FOUND. Active: ERR_IN_USE. */
int volume_create(struct volume_pool *pool, uint32_t id, struct error *err);
/* The origin must be inactive, or frozen by the caller. */
int volume_snapshot(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err);
/*
 * Deactivates it first where nobody holds it open. The disk below a pool on sparse files has back
 * what only this volume had.
 * @origin_id: the volume whose blocks it shares, or 0: makes finding these blocks cheap
 */
int volume_delete(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err);

/* All thin ids in the pool, rising, from a metadata snapshot. *ret_ids is new (free it). */
int volume_list(struct volume_pool *pool, uint32_t **ret_ids, size_t *ret_nr, struct error *err);

/**
 * volume_format - make the pool's kind of file system on a just created id
 *
 * Lazily initialised, without lost+found, so that snapshots stay small.
 */
int volume_format(struct volume_pool *pool, uint32_t id, struct error *err);
/* Likewise on a device of its own size, apart from all others: see volume_set_apart(). */
int volume_format_sized(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			struct error *err);
/* The smallest size for that. */
uint64_t volume_min_bytes(struct volume_pool *pool);

enum volume_mode {
	VOLUME_READ_ONLY,
	VOLUME_READ_WRITE,
};

/**
 * volume_activate - make a block device of a thin id
 *
 * An id that is active already is taken over as it is. volume_free()
 * deactivates it again unless volume_keep() was called or another holder has
 * it open.
 */
int volume_activate(struct volume_pool *pool, uint32_t id, enum volume_mode mode,
		    struct volume **ret, struct error *err);
/*
 * Read-only, for whoever only looks at it: a device of its own, whoever else has this volume, which
 * nobody writes to. size_bytes as below. The dead ones of killed processes are removed by recovery.
 */
int volume_activate_to_read(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			    struct volume **ret, struct error *err);
int volume_remove_dead_readers(struct volume_pool *pool, struct error *err);
/* Likewise with a size of its own: a multiple of the pool's block; 0 is the pool's size for volumes. */
int volume_activate_sized(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			  enum volume_mode mode, struct volume **ret, struct error *err);
/* Stops an id that an earlier process left active; ERR_IN_USE while somebody has it open. */
int volume_deactivate(struct volume_pool *pool, uint32_t id, struct error *err);
bool volume_is_active(struct volume_pool *pool, uint32_t id);
void volume_keep(struct volume *volume);
void volume_free(struct volume *volume);
#define auto_volume __attribute__((cleanup(volume_free_)))
static inline void volume_free_(struct volume **volume)
{
	volume_free(*volume);
}

/* "/dev/dm-7": exists as soon as the volume is active. Borrowed. */
const char *volume_device(const struct volume *volume);
/* Its device-mapper name. Borrowed. */
const char *volume_name(const struct volume *volume);
uint32_t volume_id(const struct volume *volume);

enum volume_mount_use {
	VOLUME_MOUNT_VIEW,   /* read-only, for looking at a committed layer */
	VOLUME_MOUNT_UNPACK, /* fast and unsafe: whatever crashes is thrown away */
	VOLUME_MOUNT_WRITE,  /* a private writable copy that must survive */
};

/**
 * volume_mount - mount without a place in the tree
 * @ret_fd: new descriptor of the mount's root; attach it with volume_attach_mount(),
 *          or close it, which unmounts
 */
int volume_mount(struct volume *volume, enum volume_mount_use use, int *ret_fd, struct error *err);
/**
 * volume_mount_device - a further mount of an active volume, for a process without the pool
 * @fs:     kind of file system, as volume_pool_info says it
 * @device: as volume_device() says it
 */
int volume_mount_device(const char *fs, const char *device, int *ret_fd, struct error *err);
/*
 * The file system fills its device, which is larger than it was. ERR_UNSUPPORTED: not this kind.
 * A mounted one must have been set apart.
 */
int volume_grow_fs(struct volume *volume, struct error *err);
/*
 * The unmounted file system, a copy, gets its own UUID and room to grow while it is mounted.
 * Nothing is done where the kind of file system knows no such thing.
 */
int volume_set_apart(struct volume *volume, struct error *err);
/* The device of an active volume gets another size while it is used. */
int volume_resize(struct volume_pool *pool, uint32_t id, uint64_t size_bytes, struct error *err);
/* "ro,nodev": see mount_set_options() in fs/mount.h. NULL, or options that are known: 0. */
int volume_mount_options(int mount_fd, const char *options, struct error *err);
int volume_check_options(const char *options, struct error *err);
/* Puts a detached mount at dir, an existing folder. */
int volume_attach_mount(int mount_fd, const char *dir, struct error *err);
/* Unmounts dir if it is a mount of this thin id, verified or not; ERR_NOT_FOUND when it is not, ERR_IN_USE when busy. */
int volume_unmount(struct volume_pool *pool, uint32_t id, const char *dir, struct error *err);
/* Is this thin id mounted anywhere that this process can see? */
bool volume_is_mounted(struct volume_pool *pool, uint32_t id);

struct tree_writer; /* base/tree_writer.h */
struct blocksums;   /* base/blocksums.h */

/**
 * volume_tree_open - a tree writer that puts blocks on an active volume, which nobody has mounted
 *
 * See ext4w/ext4w.h: fast and unsafe as VOLUME_MOUNT_UNPACK. ERR_UNSUPPORTED, and why, where only
 * the kernel can write this file system; nothing is written before its first begin_layer. The
 * caller owns *ret, and volume_tree_free() comes before the volume's end.
 */
int volume_tree_open(struct volume *volume, struct tree_writer **ret, struct error *err);
void volume_tree_free(struct tree_writer *tree);
/* After end_layer: everything is on the device, for volume_freeze() without a mount. */
int volume_tree_flush(struct tree_writer *tree, struct error *err);
/* After a flush: ERR_CORRUPT with what e2fsck says, unless that finds nothing wrong. */
int volume_tree_check(const struct volume *volume, struct error *err);

/* Before its first layer: it makes the digests of what it writes, too. */
void volume_tree_sum(struct tree_writer *tree);
/*
 * After a flush: the digests of what was written since the last call, of blocks that only this
 * writer has written: not that of the label. The caller owns it; NULL without volume_tree_sum().
 */
struct blocksums *volume_tree_take_sums(const struct volume *volume, struct tree_writer *tree);

struct volume_tree_room {
	uint64_t nr_bytes;
	uint64_t free_bytes;
	uint32_t nr_inodes;
	uint32_t free_inodes;
};

/* What the file system has left. */
struct volume_tree_room volume_tree_room(const struct tree_writer *tree);

/**
 * volume_freeze - everything written is on the device and the file system rests
 * @mount_fd: the mount of this volume; -1: it is a disk of somebody else, and keeps what was
 *            flushed to it
 * @trim:     give blocks of deleted files back to the pool first
 *
 * Between freeze and thaw volume_snapshot() may name this volume as origin. A
 * frozen volume is thawed by volume_thaw(), and by volume_free().
 */
int volume_freeze(struct volume *volume, int mount_fd, bool trim, struct error *err);
int volume_thaw(struct volume *volume, struct error *err);

/*
 * Writing to a mounted volume failed with err, which may say EIO or nothing: where the pool, or the
 * disk below it, is full, err becomes ERR_NO_SPACE and says so, else it stays. Returns -1.
 */
int volume_explain(struct volume *volume, struct error *err);
/* What was written to one that is not mounted any more is durable. */
int volume_sync(struct volume *volume, struct error *err);
/* The volume will be deleted: the unmount need not write what is not written yet. */
void volume_abandon(int mount_fd);

/* Writes or reads the VOLUME_LABEL_BYTES that the file system leaves alone; mounted or not. */
int volume_write_label(struct volume *volume, const char label[VOLUME_LABEL_BYTES],
		       struct error *err);
int volume_read_label(struct volume *volume, char ret[VOLUME_LABEL_BYTES], struct error *err);

/* What one volume's mapping has that another's has not, in bytes of pool blocks. */
struct volume_delta {
	uint64_t own_bytes;	/* blocks only the child maps: what deleting it returns */
	uint64_t dropped_bytes; /* blocks of the parent that the child no longer maps */
	uint64_t nodes_read;	/* metadata blocks that had to be read */
};

/**
 * volume_delta - compare two volumes by their mapping trees
 * @parent_id: 0 compares with an empty volume
 *
 * Both must be frozen or inactive. The cost follows the difference.
 */
int volume_delta(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		 struct volume_delta *ret, struct error *err);

/* Where two volumes differ, in bytes of the virtual device: whole pool blocks. */
struct volume_range {
	uint64_t start_bytes;
	uint64_t len_bytes;
	bool dropped; /* only the parent maps it */
};

/* Starts as { 0 }. */
struct volume_ranges {
	struct volume_range *items; /* rising, not overlapping; neighbours of one kind are one */
	size_t nr;
	size_t cap;
};

/* As volume_delta(), with the places. */
int volume_ranges(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		  struct volume_ranges *ret, struct error *err);
void volume_ranges_done(struct volume_ranges *ranges);
#define auto_volume_ranges __attribute__((cleanup(volume_ranges_done)))

/**
 * volume_activate_verified - a device over an active volume that shows only what a hash tree says
 * @volume: must outlive *ret
 * @tree:   file with a dm-verity tree over the pool's size for volumes: SHA-256 without salt,
 *          blocks of 4096 bytes, no header
 * @root:   the digest of its top block
 *
 * Read-only; another block reads as EIO. There is one for each thin id: one that is active is taken
 * as it is, and then nobody looks at the tree. volume_free() and volume_keep() as for others; what
 * was kept ends by volume_remove_verified(). ERR_UNSUPPORTED when the kernel has no dm-verity.
 */
int volume_activate_verified(struct volume *volume, const char *tree,
			     const unsigned char root[DIGEST_RAW_LEN], struct volume **ret,
			     struct error *err);
bool volume_is_verified(struct volume_pool *pool, uint32_t id);
/* Idempotent; before volume_deactivate(). ERR_IN_USE while it is open. */
int volume_remove_verified(struct volume_pool *pool, uint32_t id, struct error *err);

/* Whose block it is, see fs/ext4_owner.h. */
struct volume_owner {
	const char *what; /* "content of", "inode table", "free block", …; static */
	const char *path; /* absolute, or NULL */
};

/**
 * volume_block_owners - tell what damaged blocks belong to
 * @blocks: numbers of blocks of 4096 bytes, rising
 * @found:  called with the index of a block, once or more for each
 *
 * ERR_UNSUPPORTED where the volumes carry another file system than ext4, ERR_CORRUPT where it
 * cannot be understood any more.
 */
int volume_block_owners(struct volume *volume, const uint64_t *blocks, size_t nr,
			int (*found)(void *ctx, size_t index, const struct volume_owner *owner,
				     struct error *err),
			void *ctx, struct error *err);

enum volume_change_kind {
	VOLUME_ADDED,
	VOLUME_CHANGED,
	VOLUME_DELETED,
};

struct volume_change {
	enum volume_change_kind kind;
	bool is_dir; /* in the child; of what was deleted, in the parent */
	char *path;  /* relative, without a slash in front */
};

/* Starts as { 0 }. */
struct volume_changes {
	bool must_walk;		     /* nothing else is filled but why: both have to be walked */
	char why[512];		     /* in words, for a log */
	struct volume_change *items; /* a directory before its entries */
	size_t nr;
	size_t cap;
	uint64_t blocks_read; /* of 4096 bytes, from both volumes */
	uint64_t nodes_read;  /* metadata blocks of the pool */
	uint64_t delta_bytes; /* in which the volumes differ */
};

/**
 * volume_changes - the paths in which a volume differs from the one it was made from
 * @parent_id:   the volume that the child descends from, or another state of it
 * @child_bytes: size of the child's device; 0: the pool's size for volumes
 *
 * Found from the pool's mapping and the file system's structure, without a mount;
 * the rules are those of fs/ext4_changes.h. Nobody may write to either: of a
 * volume in use take a snapshot. Returns 0, or -1: ERR_LIMIT, ERR_NOT_FOUND, ERR_IO,
 * ERR_CANCELLED.
 */
int volume_changes(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		   uint64_t child_bytes, struct volume_changes *ret, struct error *err);
void volume_changes_done(struct volume_changes *changes);
#define auto_volume_changes __attribute__((cleanup(volume_changes_done)))

#endif
