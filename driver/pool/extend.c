/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "base/size.h"
#include "pool/config.h"
#include "pool/devices.h"
#include "pool/devname.h"
#include "pool/pool.h"
#include "pool/sizing.h"

#define LVEXTEND_DEADLINE_MS (60 * 1000)
/* The disk of a pool on files has its catalogue and its blobs to keep as well. */
#define DISK_KEPT_BYTES (64 * MIB)

uint64_t pool_growth_next(const struct pool_growth *growth, uint64_t data_bytes)
{
	uint64_t step = growth->step_bytes;
	uint64_t next;

	if (!step)
		step = data_bytes / 100 * growth->step_percent;
	step = size_round_up(step ? step : 1, MIB);
	next = data_bytes > UINT64_MAX - step ? UINT64_MAX : data_bytes + step;
	if (next > growth->max_bytes)
		next = size_round_down(growth->max_bytes, MIB);
	return next > data_bytes ? next : data_bytes;
}

static bool is_logical_volume(const struct backing *backing)
{
	struct devname_texts texts;

	return devname_read(backing->device, &texts) && strncmp(texts.uuid, "LVM-", 4) == 0;
}

static int extend_lv(const struct backing *backing, uint64_t bytes, struct error *err)
{
	auto_free char *size = xasprintf("+%" PRIu64 "m", size_round_up(bytes, MIB) / MIB);
	auto_free char *path = NULL;
	struct devname_texts texts;

	if (!devname_read(backing->device, &texts))
		return err_set(err, ERR_NOT_FOUND, "the logical volume '%s' is gone",
			       backing->path);
	path = xasprintf("/dev/mapper/%s", texts.name);
	{
		const char *const argv[] = { "lvextend", "--quiet", "--size", size, path, NULL };

		if (proc_check(argv, LVEXTEND_DEADLINE_MS, err) == 0)
			return 0;
	}
	/* It says why, and mostly that the volume group is full. */
	if (err->kind == ERR_IO)
		err->kind = ERR_NO_SPACE;
	return err_add(err, "enlarge the logical volume '%s'", path);
}

static uint64_t room(const struct backing *backing, const struct header *header)
{
	uint64_t end = header_end(header);

	return end < backing->size_bytes ? size_round_down(backing->size_bytes - end, MIB) : 0;
}

static int disk_has(const struct backing *backing, uint64_t bytes, struct error *err)
{
	struct statvfs disk;
	uint64_t free_bytes;

	if (statvfs(backing->path, &disk) < 0)
		return err_sys(err, errno, "look at '%s'", backing->path);
	free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free_bytes >= bytes + DISK_KEPT_BYTES)
		return 0;
	return err_set(err, ERR_NO_SPACE,
		       "the disk of '%s' has %" PRIu64 " MiB left, and %" PRIu64
		       " MiB more are needed",
		       backing->path, free_bytes / MIB, (bytes + DISK_KEPT_BYTES) / MIB);
}

/* Sees to it that a backing has bytes more than the pool uses. */
static int provide(const struct pool_config *config, const struct backing *backing,
		   const struct header *header, uint64_t bytes, bool may_extend, struct error *err)
{
	uint64_t there = room(backing, header);

	if (config->on_files)
		return disk_has(backing, bytes, err);
	if (there >= bytes)
		return 0;
	if (may_extend && is_logical_volume(backing))
		return extend_lv(backing, bytes - there, err);
	return err_set(err, ERR_NO_SPACE,
		       "'%s' has %" PRIu64 " MiB more than the pool uses, and %" PRIu64
		       " MiB are needed",
		       backing->path, there / MIB, bytes / MIB);
}

int pool_extend_data(const char *root, const struct pool_growth *growth, struct error *err)
{
	auto_config struct pool_config config = { 0 };
	auto_devices struct devices devices = { 0 };
	struct pool_grow_args args = { 0 };
	uint64_t present;

	if (config_load(root, POOL_CONFIG_NAME, &config, err) < 0 ||
	    devices_open_ours(&config, &devices, err) < 0)
		return -1;
	present = header_bytes(&devices.data_header, HEADER_DATA);
	args.data_bytes = pool_growth_next(growth, present);
	if (args.data_bytes <= present)
		return err_set(err, ERR_LIMIT,
			       "the pool has %" PRIu64 " MiB of data, the most it may have",
			       present / MIB);
	if (provide(&config, &devices.data, &devices.data_header, args.data_bytes - present, true,
		    err) < 0)
		return -1;
	return pool_grow(root, &args, err);
}

int pool_extend_meta(const char *root, const struct pool_growth *growth, struct error *err)
{
	auto_config struct pool_config config = { 0 };
	auto_devices struct devices devices = { 0 };
	struct pool_grow_args args = { 0 };
	uint64_t present;

	if (config_load(root, POOL_CONFIG_NAME, &config, err) < 0 ||
	    devices_open_ours(&config, &devices, err) < 0)
		return -1;
	present = header_bytes(devices_meta_header(&devices), HEADER_META);
	args.meta_bytes = size_round_down(2 * present, MIB);
	if (args.meta_bytes > SIZING_META_MAX_BYTES)
		args.meta_bytes = SIZING_META_MAX_BYTES;
	if (args.meta_bytes <= present)
		return err_set(err, ERR_LIMIT,
			       "the pool has %" PRIu64
			       " MiB of metadata, the most that the kernel uses",
			       present / MIB);
	if (provide(&config, devices_meta(&devices), devices_meta_header(&devices),
		    args.meta_bytes - present, growth->max_bytes > 0, err) < 0)
		return -1;
	return pool_grow(root, &args, err);
}
