/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "pool/check.h"
#include "pool/devices.h"
#include "pool/metasnap.h"
#include "pool/sizing.h"
#include "pool/thinvol.h"
#include "tmeta/tmeta.h"
#include "tmeta/usage.h"
#include "volume_private.h"

/* Of the disk below a pool on files: the catalogue and the pool's metadata lie there too. */
#define DISK_RESERVE_BYTES (8 * MIB)
/* Of the disk below that: its file system still has its journal and its tables to write. */
#define DISK_BELOW_RESERVE_BYTES (64 * MIB)

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

static int open_config(const char *root, struct volume_pool *pool, struct error *err)
{
	pool->root = xstrdup(root);
	if (pool_open(root, &pool->pool, err) < 0)
		return -1;
	pool->config = pool_config(pool->pool);
	pool->fs = fs_find(pool->config->fs, err);
	return pool->fs ? pool_refuse_half_repaired(root, err) : -1;
}

int volume_pool_look(const char *root, struct volume_pool **ret, struct error *err)
{
	auto_volume_pool struct volume_pool *pool = xcalloc(1, sizeof(*pool));
	struct pool_status status;

	if (open_config(root, pool, err) < 0 || pool_status(pool->pool, &status, err) < 0 ||
	    pool_check_health(pool->pool, &status, err) < 0)
		return -1;
	*ret = take_ptr(pool);
	return 0;
}

int volume_pool_open_ill(const char *root, struct volume_pool **ret, struct error *err)
{
	auto_volume_pool struct volume_pool *pool = xcalloc(1, sizeof(*pool));
	struct pool_status status;

	if (open_config(root, pool, err) < 0 || pool_status(pool->pool, &status, err) < 0)
		return -1;
	if (!status.active)
		return pool_check_health(pool->pool, &status, err);
	if (thinvol_resume_all(pool->pool, err) < 0)
		return -1;
	*ret = take_ptr(pool);
	return 0;
}

int volume_pool_open(const char *root, struct volume_pool **ret, struct error *err)
{
	auto_volume_pool struct volume_pool *pool = xcalloc(1, sizeof(*pool));
	struct pool_status status;

	if (open_config(root, pool, err) < 0 || activate_if_needed(pool, err) < 0 ||
	    pool_status(pool->pool, &status, err) < 0 ||
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

int volume_pool_repair(const char *root, unsigned how, uint64_t txid, struct buf *ret_report,
		       struct pool_loss **ret_losses, size_t *ret_nr, struct error *err)
{
	return pool_repair(root, how, txid, ret_report, ret_losses, ret_nr, err);
}

int volume_pool_check(const char *root, struct buf *ret_report, struct error *err)
{
	return pool_check(root, ret_report, err);
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
	uint64_t owned, room = 0, below = UINT64_MAX;
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

uint64_t volume_meta_reserve(uint64_t meta_total_bytes)
{
	return sizing_meta_reserve_bytes(meta_total_bytes);
}

int volume_pool_advance(struct volume_pool *pool, uint64_t old_id, uint64_t new_id,
			struct error *err)
{
	return thinvol_set_transaction_id(pool->pool, old_id, new_id, err);
}

int volume_pool_explain(struct volume_pool *pool, struct error *err)
{
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
