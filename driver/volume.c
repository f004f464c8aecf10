/* SPDX-License-Identifier: Apache-2.0 */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "dm/devmap.h"
#include "fs/ext4_changes.h"
#include "fs/fs.h"
#include "fs/mount.h"
#include "pool/check.h"
#include "pool/devices.h"
#include "pool/metasnap.h"
#include "pool/pool.h"
#include "pool/sizing.h"
#include "pool/thinvol.h"
#include "tmeta/delta.h"
#include "tmeta/tmeta.h"
#include "tmeta/usage.h"

/* For programs that look at every new device; a real holder stays longer. */
#define PROBE_WAIT_MS 500

/* Of the disk below a pool on files: the catalogue and the pool's metadata lie there too. */
#define DISK_RESERVE_BYTES (8 * MIB)
/* Of the disk below that: its file system still has its journal and its tables to write. */
#define DISK_BELOW_RESERVE_BYTES (64 * MIB)

struct volume_pool {
	char *root;
	struct pool *pool;
	const struct pool_config *config;
	const struct fs_kind *fs;
	char *disk_below; /* NULL: nothing is known of one */
};

struct volume {
	struct volume_pool *pool;
	uint32_t id;
	char name[POOL_NAME_BYTES];
	char node[DEVMAP_NODE_BYTES];
	bool keep;
	bool frozen;
};

/* A pool whose device runs needs nothing but a look at what killed processes left. */
static int activate_if_needed(struct volume_pool *pool, struct error *err)
{
	struct devmap_info info;

	if (devmap_info(pool_name(pool->pool), &info, err) < 0)
		return -1;
	if (info.exists && info.has_table && !info.suspended)
		return 0;
	return pool_activate(pool->root, err);
}

int volume_pool_open(const char *root, struct volume_pool **ret, struct error *err)
{
	auto_volume_pool struct volume_pool *pool = xcalloc(1, sizeof(*pool));
	struct pool_status status;

	pool->root = xstrdup(root);
	if (pool_open(root, &pool->pool, err) < 0)
		return -1;
	pool->config = pool_config(pool->pool);
	pool->fs = fs_find(pool->config->fs, err);
	if (!pool->fs || pool_refuse_half_repaired(root, err) < 0 ||
	    activate_if_needed(pool, err) < 0 || pool_status(pool->pool, &status, err) < 0 ||
	    pool_check_health(pool->pool, &status, err) < 0 ||
	    thinvol_resume_all(pool->pool, err) < 0 || metasnap_sweep(pool->pool, &status, err) < 0)
		return -1;
	*ret = take_ptr(pool);
	return 0;
}

void volume_pool_close(struct volume_pool *pool)
{
	if (!pool)
		return;
	pool_close(pool->pool);
	free(pool->root);
	free(pool->disk_below);
	free(pool);
}

void volume_pool_set_disk_below(struct volume_pool *pool, const char *path)
{
	free(pool->disk_below);
	pool->disk_below = xstrdup(path);
}

int volume_pool_repair(const char *root, bool rebuild, struct buf *ret_report,
		       struct pool_loss **ret_losses, size_t *ret_nr, struct error *err)
{
	return pool_repair(root, rebuild, ret_report, ret_losses, ret_nr, err);
}

int volume_pool_repair_end(const char *root, const uint32_t *ids, size_t nr, struct error *err)
{
	return pool_repair_end(root, ids, nr, err);
}

int volume_pool_info(struct volume_pool *pool, struct volume_pool_info *ret, struct error *err)
{
	const struct pool_config *config = pool->config;
	struct pool_status status;

	if (pool_status(pool->pool, &status, err) < 0)
		return -1;
	if (!status.active)
		return err_set(err, ERR_NOT_FOUND, "the pool %s is not active any more",
			       pool_name(pool->pool));
	*ret = (struct volume_pool_info){
		.store_id = config->store_id,
		.fs = config->fs,
		.data_path = config->data_path,
		.meta_path = config->meta_path,
		.on_files = config->on_files,
		.volume_bytes = config->volume_bytes,
		.block_bytes = config->block_bytes,
		.transaction_id = status.stat.transaction_id,
		.data_used_bytes = status.data_used_bytes,
		.data_total_bytes = status.data_total_bytes,
		.meta_used_bytes = status.meta_used_bytes,
		.meta_total_bytes = status.meta_total_bytes,
		.read_only = status.stat.read_only || status.stat.failed,
		.out_of_data = status.stat.out_of_data,
		.failed = status.stat.failed,
		.needs_check = status.stat.needs_check,
	};
	return 0;
}

static int check_part(const char *what, const char *option, uint64_t used, uint64_t total,
		      uint64_t reserve, struct error *err)
{
	uint64_t free_bytes = used < total ? total - used : 0;

	if (free_bytes >= reserve)
		return 0;
	return err_set(err, ERR_NO_SPACE,
		       "the pool has %" PRIu64 " KiB of %s left, and keeps %" PRIu64
		       " KiB in reserve: remove images, or run 'veneer pool grow%s'",
		       free_bytes / KIB, what, reserve / KIB, option);
}

static int free_bytes(const char *path, uint64_t reserve_bytes, uint64_t *ret, struct error *err)
{
	struct statvfs disk;
	uint64_t room;

	if (statvfs(path, &disk) < 0)
		return err_sys(err, errno, "look at '%s'", path);
	room = (uint64_t)disk.f_bavail * disk.f_frsize;
	*ret = room > reserve_bytes ? room - reserve_bytes : 0;
	return 0;
}

/*
 * How much can be written before the disk of a sparse file is full. What the file has already counts
 * for nothing unless it has everything: dm-thin does not look for it.
 */
static int disk_room(struct volume_pool *pool, uint64_t *ret, struct error *err)
{
	const char *path = pool->config->data_path;
	uint64_t owned, room, below = UINT64_MAX;
	struct stat file;

	if (stat(path, &file) < 0)
		return err_sys(err, errno, "look at '%s'", path);
	if (free_bytes(path, DISK_RESERVE_BYTES, &room, err) < 0 ||
	    (pool->disk_below &&
	     free_bytes(pool->disk_below, DISK_BELOW_RESERVE_BYTES, &below, err) < 0))
		return -1;
	owned = (uint64_t)file.st_blocks * SECTOR_BYTES;
	if ((uint64_t)file.st_size <= owned + room)
		room = UINT64_MAX;
	*ret = room < below ? room : below;
	return 0;
}

static int pool_is_full(const struct pool_status *status, struct error *err)
{
	return err_set(err, ERR_NO_SPACE,
		       "no space left in the pool: %" PRIu64 " of %" PRIu64
		       " MiB are in use; remove images, or run 'veneer pool grow'",
		       status->data_used_bytes / MIB, status->data_total_bytes / MIB);
}

static int disk_is_full(const struct volume_pool *pool, struct error *err)
{
	return err_set(err, ERR_NO_SPACE,
		       "no space left on the disk that holds the pool's files ('%s')",
		       pool->config->data_path);
}

int volume_pool_room(struct volume_pool *pool, uint64_t min_bytes, uint64_t *ret_bytes,
		     struct error *err)
{
	struct pool_status status;
	uint64_t total, taken, room, on_disk = UINT64_MAX;

	if (pool_status(pool->pool, &status, err) < 0)
		return -1;
	total = status.data_total_bytes;
	taken = status.data_used_bytes + sizing_data_reserve_bytes(total);
	room = total > taken ? total - taken : 0;
	if (room < min_bytes)
		return pool_is_full(&status, err);
	if (pool->config->on_files && disk_room(pool, &on_disk, err) < 0)
		return -1;
	if (on_disk < min_bytes)
		return disk_is_full(pool, err);
	*ret_bytes = on_disk < room ? on_disk : room;
	return 0;
}

int volume_pool_check_reserve(struct volume_pool *pool, struct error *err)
{
	struct pool_status status;

	if (pool_status(pool->pool, &status, err) < 0 ||
	    pool_check_writable(pool->pool, &status, err) < 0)
		return -1;
	/* Metadata first: a pool without it cannot even delete. */
	if (check_part("metadata", " --metadata-size SIZE", status.meta_used_bytes,
		       status.meta_total_bytes, sizing_meta_reserve_bytes(status.meta_total_bytes),
		       err) < 0)
		return -1;
	return check_part("data", "", status.data_used_bytes, status.data_total_bytes,
			  sizing_data_reserve_bytes(status.data_total_bytes), err);
}

int volume_pool_advance(struct volume_pool *pool, uint64_t old_id, uint64_t new_id,
			struct error *err)
{
	return thinvol_set_transaction_id(pool->pool, old_id, new_id, err);
}

int volume_create(struct volume_pool *pool, uint32_t id, struct error *err)
{
	if (thinvol_create(pool->pool, id, err) < 0)
		return err_add(err, "create volume %" PRIu32, id);
	return 0;
}

int volume_snapshot(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	if (thinvol_snapshot(pool->pool, id, origin_id, err) < 0)
		return err_add(err, "create volume %" PRIu32 " from %" PRIu32, id, origin_id);
	return 0;
}

/* Pool blocks. */
struct range {
	uint64_t start, length;
};

struct range_list {
	struct range *items;
	size_t nr;
};

static void range_list_done(struct range_list *list)
{
	free(list->items);
}
#define auto_range_list __attribute__((cleanup(range_list_done)))

static int add_own(void *ctx, enum tmeta_change change, uint64_t start, uint64_t length,
		   struct error *err)
{
	struct range_list *list = ctx;

	(void)err;
	if (change == TMETA_DROPPED)
		return 0;
	if ((list->nr & (list->nr - 1)) == 0) /* full at 0, 1, 2, 4, ... */
		list->items =
			xrealloc(list->items, (list->nr ? 2 * list->nr : 1) * sizeof(*list->items));
	list->items[list->nr++] = (struct range){ start, length };
	return 0;
}

/* The metadata is held no longer than this takes: meanwhile nothing is freed. */
static int find_own(struct volume_pool *pool, uint32_t id, uint32_t origin_id,
		    struct range_list *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta delta;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0)
		return -1;
	if (tmeta_delta_ranges(tmeta, origin_id, id, add_own, ret, &delta, err) == 0)
		return 0;
	/* The origin may be gone. */
	return err->kind == ERR_NOT_FOUND && origin_id != TMETA_EMPTY
		       ? tmeta_delta_ranges(tmeta, TMETA_EMPTY, id, add_own, ret, &delta, err)
		       : -1;
}

static int discard_own(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	auto_range_list struct range_list own = { 0 };
	auto_volume struct volume *volume = NULL;
	uint64_t block_bytes = pool->config->block_bytes;
	auto_fd int fd = -1;

	if (find_own(pool, id, origin_id, &own, err) < 0)
		return -1;
	if (!own.nr)
		return 0;
	if (volume_activate(pool, id, VOLUME_READ_WRITE, &volume, err) < 0)
		return -1;
	fd = open(volume->node, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < own.nr; i++) {
		uint64_t bytes[2] = { own.items[i].start * block_bytes,
				      own.items[i].length * block_bytes };

		if (fd < 0 || ioctl(fd, BLKDISCARD, bytes) < 0)
			return err_sys(err, errno, "discard blocks of %s", volume->node);
	}
	return 0;
}

int volume_delete(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	struct error why;

	if (thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err) < 0)
		return err_add(err, "delete volume %" PRIu32, id);
	if (pool->config->on_files && discard_own(pool, id, origin_id, &why) < 0)
		log_debug("%s", why.text);
	if (thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err) < 0 ||
	    thinvol_delete(pool->pool, id, err) < 0)
		return err_add(err, "delete volume %" PRIu32, id);
	return 0;
}

int volume_list(struct volume_pool *pool, uint32_t **ret_ids, size_t *ret_nr, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0)
		return -1;
	return tmeta_list_ids(tmeta, ret_ids, ret_nr, err);
}

int volume_pool_verify(struct volume_pool *pool, uint64_t *ret_leak_bytes, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	auto_free struct tmeta_volume *volumes = NULL;
	auto_strlist struct strlist active = { 0 };
	struct pool_status status;
	uint64_t mapped_blocks;
	size_t nr;

	if (devices_list_volumes(pool->config, &active, err) < 0 ||
	    metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_usage(tmeta, &volumes, &nr, &mapped_blocks, err) < 0 ||
	    pool_status(pool->pool, &status, err) < 0)
		return err_add(err, "read the maps of the volumes");
	*ret_leak_bytes = 0;
	if (!active.nr && status.stat.data_used_blocks > mapped_blocks)
		*ret_leak_bytes =
			(status.stat.data_used_blocks - mapped_blocks) * pool->config->block_bytes;
	return 0;
}

int volume_delta(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		 struct volume_delta *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	uint64_t block_bytes = pool->config->block_bytes;
	struct tmeta_delta delta;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_delta(tmeta, parent_id ? parent_id : TMETA_EMPTY, child_id, &delta, err) < 0)
		return err_add(err, "compare volumes %" PRIu32 " and %" PRIu32, parent_id,
			       child_id);
	*ret = (struct volume_delta){
		.own_bytes = delta.own_blocks * block_bytes,
		.dropped_bytes = delta.dropped_blocks * block_bytes,
		.nodes_read = delta.nodes_read,
	};
	return 0;
}

int volume_format(struct volume_pool *pool, uint32_t id, struct error *err)
{
	auto_volume struct volume *volume = NULL;

	if (volume_activate(pool, id, VOLUME_READ_WRITE, &volume, err) < 0)
		return -1;
	if (pool->fs->make(volume->node, pool->config->volume_bytes, err) < 0)
		return err_add(err, "format volume %" PRIu32 " (%s)", id, volume->node);
	return 0;
}

int volume_activate(struct volume_pool *pool, uint32_t id, enum volume_mode mode,
		    struct volume **ret, struct error *err)
{
	struct volume *volume;
	dev_t device;

	if (thinvol_activate(pool->pool, id, mode == VOLUME_READ_ONLY, &device, err) < 0)
		return -1;
	volume = xcalloc(1, sizeof(*volume));
	volume->pool = pool;
	volume->id = id;
	thinvol_name(pool->pool, id, volume->name);
	devmap_node(device, volume->node);
	*ret = volume;
	return 0;
}

int volume_deactivate(struct volume_pool *pool, uint32_t id, struct error *err)
{
	return thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err);
}

static bool find_device(struct volume_pool *pool, uint32_t id, struct devmap_info *ret)
{
	char name[POOL_NAME_BYTES];
	struct error err;

	thinvol_name(pool->pool, id, name);
	if (devmap_info(name, ret, &err) == 0)
		return ret->exists && ret->has_table;
	log_debug("%s", err.text);
	return false;
}

int volume_activate_to_read(struct volume_pool *pool, uint32_t id, struct volume **ret,
			    struct error *err)
{
	struct devmap_info info;
	bool active = find_device(pool, id, &info);

	/* Activating would thaw it. */
	if (active && info.suspended)
		return err_set(err, ERR_IN_USE, "volume %" PRIu32 " is frozen", id);
	if (volume_activate(pool, id, VOLUME_READ_ONLY, ret, err) < 0)
		return -1;
	if (active)
		volume_keep(*ret);
	return 0;
}

bool volume_is_active(struct volume_pool *pool, uint32_t id)
{
	struct devmap_info info;

	return find_device(pool, id, &info);
}

void volume_keep(struct volume *volume)
{
	volume->keep = true;
}

void volume_free(struct volume *volume)
{
	struct error err;

	if (!volume)
		return;
	if (volume->frozen && volume_thaw(volume, &err) < 0)
		log_warn("%s", err.text);
	if (!volume->keep &&
	    thinvol_deactivate(volume->pool->pool, volume->id, PROBE_WAIT_MS, &err) < 0)
		log_debug("%s", err.text);
	free(volume);
}

const char *volume_device(const struct volume *volume)
{
	return volume->node;
}

uint32_t volume_id(const struct volume *volume)
{
	return volume->id;
}

static enum fs_use fs_use_of(enum volume_mount_use use)
{
	switch (use) {
	case VOLUME_MOUNT_VIEW:
		return FS_VIEW;
	case VOLUME_MOUNT_UNPACK:
		return FS_UNPACK;
	default:
		return FS_WRITE;
	}
}

int volume_mount(struct volume *volume, enum volume_mount_use use, int *ret_fd, struct error *err)
{
	if (mount_open(volume->pool->fs, volume->node, fs_use_of(use), ret_fd, err) < 0)
		return err_add(err, "volume %" PRIu32, volume->id);
	return 0;
}

int volume_attach_mount(int mount_fd, const char *dir, struct error *err)
{
	return mount_attach(mount_fd, dir, err);
}

int volume_unmount(struct volume_pool *pool, uint32_t id, const char *dir, struct error *err)
{
	struct devmap_info info;

	if (!find_device(pool, id, &info))
		return err_set(err, ERR_NOT_FOUND, "volume %" PRIu32 " is not active", id);
	return mount_remove(dir, info.device, err);
}

bool volume_is_mounted(struct volume_pool *pool, uint32_t id)
{
	struct devmap_info info;
	struct error err;
	bool mounted;

	if (!find_device(pool, id, &info))
		return false;
	if (mount_find(info.device, &mounted, &err) == 0)
		return mounted;
	log_warn("%s", err.text);
	return false;
}

int volume_explain(struct volume *volume, struct error *err)
{
	struct volume_pool *pool = volume->pool;
	struct pool_status status;
	struct error why;
	uint64_t room;

	if (pool_status(pool->pool, &status, &why) < 0)
		return -1;
	if (status.stat.out_of_data)
		return pool_is_full(&status, err);
	/* A loop device says EIO whatever its file's disk says. */
	if (pool->config->on_files && disk_room(pool, &room, &why) == 0 && room == 0)
		return disk_is_full(pool, err);
	return -1;
}

static int explain(struct volume *volume, struct error *err)
{
	volume_explain(volume, err);
	return err_add(err, "volume %" PRIu32, volume->id);
}

void volume_abandon(int mount_fd)
{
	mount_abandon(mount_fd);
}

static int refuse_full(struct volume *volume, struct error *err)
{
	struct pool_status status;

	if (pool_status(volume->pool->pool, &status, err) < 0)
		return -1;
	/* What was written last may be missing although nothing failed yet. */
	if (status.stat.out_of_data || status.stat.read_only || status.stat.failed)
		return err_set(err, ERR_IO, "the pool is %s", pool_health(&status));
	return 0;
}

int volume_freeze(struct volume *volume, int mount_fd, bool trim, struct error *err)
{
	if (volume->frozen)
		return err_set(err, ERR_IN_USE, "volume %" PRIu32 " is frozen already", volume->id);
	if (mount_sync(mount_fd, err) < 0 || (trim && mount_trim(mount_fd, err) < 0))
		return explain(volume, err);
	if (volume->pool->fs->empty_log)
		volume->pool->fs->empty_log(mount_fd);
	/* The kernel freezes the file system, then waits for what is under way. */
	if (devmap_suspend(volume->name, 0, err) < 0)
		return explain(volume, err);
	volume->frozen = true;
	crash_point("volume-frozen");
	if (refuse_full(volume, err) < 0) {
		struct error why;

		if (volume_thaw(volume, &why) < 0)
			log_warn("%s", why.text);
		return explain(volume, err);
	}
	return 0;
}

int volume_thaw(struct volume *volume, struct error *err)
{
	if (devmap_resume(volume->name, DEVMAP_ANONYMOUS, err) < 0)
		return err_add(err, "thaw volume %" PRIu32, volume->id);
	volume->frozen = false;
	return 0;
}

/* Through the page cache, which a mounted file system shares. */
static int open_label(struct volume *volume, int flags, uint64_t *ret_offset, struct error *err)
{
	int fd;

	if (volume->frozen)
		return err_set(err, ERR_IN_USE, "volume %" PRIu32 " is frozen", volume->id);
	*ret_offset = volume->pool->fs->label_offset(volume->pool->config->volume_bytes);
	fd = open(volume->node, flags | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s", volume->node) : fd;
}

int volume_write_label(struct volume *volume, const char label[VOLUME_LABEL_BYTES],
		       struct error *err)
{
	uint64_t offset;
	auto_fd int fd = open_label(volume, O_RDWR, &offset, err);

	if (fd < 0)
		return -1;
	if (io_pwrite(fd, label, VOLUME_LABEL_BYTES, offset, err) < 0)
		return explain(volume, err);
	if (fdatasync(fd) < 0) {
		err_sys(err, errno, "write label");
		return explain(volume, err);
	}
	return 0;
}

int volume_read_label(struct volume *volume, char ret[VOLUME_LABEL_BYTES], struct error *err)
{
	uint64_t offset;
	auto_fd int fd = open_label(volume, O_RDONLY, &offset, err);

	if (fd < 0)
		return -1;
	if (io_pread(fd, ret, VOLUME_LABEL_BYTES, offset, err) < 0)
		return err_add(err, "label of volume %" PRIu32, volume->id);
	return 0;
}

/* ---- changes ---- */

/* What the mapping says, in bytes. */
struct delta_ranges {
	uint64_t block_bytes;
	struct ext4_changes_range *items;
	size_t nr;
	size_t cap;
};

static int add_range(void *ctx, enum tmeta_change change, uint64_t start, uint64_t length,
		     struct error *err)
{
	struct delta_ranges *ranges = ctx;

	(void)change;
	(void)err;
	if (ranges->nr == ranges->cap) {
		ranges->cap = ranges->cap ? ranges->cap * 2 : 64;
		ranges->items = xrealloc(ranges->items, ranges->cap * sizeof(*ranges->items));
	}
	ranges->items[ranges->nr++] = (struct ext4_changes_range){
		start * ranges->block_bytes,
		length * ranges->block_bytes,
	};
	return 0;
}

static int read_ranges(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		       struct delta_ranges *ranges, struct volume_changes *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta delta;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_delta_ranges(tmeta, parent_id, child_id, add_range, ranges, &delta, err) < 0)
		return -1;
	ret->nodes_read = delta.nodes_read;
	ret->delta_bytes = (delta.own_blocks + delta.dropped_blocks) * ranges->block_bytes;
	return 0;
}

static int add_change(void *ctx, enum ext4_change change, const char *path, bool is_dir,
		      struct error *err)
{
	static const enum volume_change_kind kinds[] = {
		[EXT4_ADDED] = VOLUME_ADDED,
		[EXT4_CHANGED] = VOLUME_CHANGED,
		[EXT4_DELETED] = VOLUME_DELETED,
	};
	struct volume_changes *changes = ctx;

	(void)err;
	if (changes->nr == changes->cap) {
		changes->cap = changes->cap ? changes->cap * 2 : 64;
		changes->items = xrealloc(changes->items, changes->cap * sizeof(*changes->items));
	}
	changes->items[changes->nr++] = (struct volume_change){
		.kind = kinds[change],
		.is_dir = is_dir,
		.path = xstrdup(path),
	};
	return 0;
}

static int find_changes(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
			const struct delta_ranges *ranges, struct volume_changes *ret,
			struct error *err)
{
	auto_volume struct volume *parent = NULL;
	auto_volume struct volume *child = NULL;
	struct ext4_changes_args args = {
		.ranges = ranges->items,
		.nr_ranges = ranges->nr,
		.found = add_change,
		.ctx = ret,
	};
	struct ext4_changes_cost cost;

	if (volume_activate_to_read(pool, parent_id, &parent, err) < 0 ||
	    volume_activate_to_read(pool, child_id, &child, err) < 0)
		return -1;
	args.parent = parent->node;
	args.child = child->node;
	if (ext4_changes(&args, &cost, err) == 0) {
		ret->blocks_read = cost.blocks_read;
		return 0;
	}
	if (err->kind != ERR_UNSUPPORTED && err->kind != ERR_CORRUPT)
		return -1;
	volume_changes_done(ret);
	ret->must_walk = true;
	snprintf(ret->why, sizeof(ret->why), "%.500s", err->text);
	return 0;
}

int volume_changes(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		   struct volume_changes *ret, struct error *err)
{
	struct delta_ranges ranges = { .block_bytes = pool->config->block_bytes };
	struct volume_changes changes = { 0 };
	int result = 0;

	if (strcmp(pool->fs->name, "ext4") != 0) {
		changes.must_walk = true;
		snprintf(changes.why, sizeof(changes.why), "volumes carry %s", pool->fs->name);
	} else {
		result = read_ranges(pool, parent_id, child_id, &ranges, &changes, err);
		if (result == 0 && ranges.nr)
			result = find_changes(pool, parent_id, child_id, &ranges, &changes, err);
		free(ranges.items);
	}
	if (result < 0) {
		volume_changes_done(&changes);
		return err_add(err, "compare volumes %" PRIu32 " and %" PRIu32, parent_id,
			       child_id);
	}
	*ret = changes;
	return 0;
}

void volume_changes_done(struct volume_changes *changes)
{
	for (size_t i = 0; i < changes->nr; i++)
		free(changes->items[i].path);
	free(changes->items);
	*changes = (struct volume_changes){ 0 };
}
