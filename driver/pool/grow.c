/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why every crash point is safe. First the file grows, then the header says
 * that the new space is in use, then the tables follow. A file longer than its
 * header says is harmless; headers that are ahead of the tables are caught up
 * with by devices_apply(), which every start of the pool runs, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "pool/config.h"
#include "pool/devices.h"
#include "pool/loop.h"
#include "pool/pool.h"
#include "pool/sizing.h"

static int grow_file(struct backing *backing, uint64_t wanted_bytes, struct error *err)
{
	if (wanted_bytes <= backing->size_bytes)
		return 0;
	if (truncate(backing->path, (off_t)wanted_bytes) < 0)
		return err_sys(err, errno, "enlarge '%s'", backing->path);
	if (loop_resize(backing->node, err) < 0)
		return -1;
	return backing_refresh(backing, err);
}

/* What the device has behind the last segment. */
static uint64_t room(const struct backing *backing, const struct header *header)
{
	uint64_t end = header_end(header);

	return end < backing->size_bytes ? size_round_down(backing->size_bytes - end, MIB) : 0;
}

static uint64_t missing(uint64_t wanted_bytes, uint64_t present_bytes)
{
	return wanted_bytes > present_bytes ? size_round_up(wanted_bytes - present_bytes, MIB) : 0;
}

static int no_room(const struct backing *backing, uint64_t room_bytes, uint64_t wanted_bytes,
		   struct error *err)
{
	return err_set(err, ERR_NO_SPACE,
		       "'%s' has %" PRIu64 " MiB more than the pool uses, and %" PRIu64
		       " MiB are asked for",
		       backing->path, room_bytes / MIB, wanted_bytes / MIB);
}

static int extend(struct backing *backing, struct header *header, enum header_role role,
		  uint64_t bytes, struct error *err)
{
	uint64_t room_bytes = room(backing, header);

	if (!bytes)
		return 0;
	if (bytes > room_bytes)
		return no_room(backing, room_bytes, bytes, err);
	header->device_bytes = backing->size_bytes;
	return header_add_segment(header, role, bytes, err);
}

/* Extra metadata in bytes: what was asked for, or what the rule wants if there is room. */
static uint64_t extra_meta(const struct pool_grow_args *args, uint64_t new_data_bytes,
			   uint64_t block_bytes, uint64_t present_bytes, uint64_t room_bytes)
{
	uint64_t extra;

	if (args->meta_bytes)
		return missing(args->meta_bytes, present_bytes);
	extra = missing(sizing_meta_bytes(new_data_bytes, block_bytes), present_bytes);
	return extra < room_bytes ? extra : room_bytes;
}

static int grow_shared(const struct pool_config *config, struct devices *devices,
		       const struct pool_grow_args *args, struct error *err)
{
	struct header *header = &devices->data_header;
	uint64_t data_bytes = header_bytes(header, HEADER_DATA);
	uint64_t meta_bytes = header_bytes(header, HEADER_META);
	uint64_t room_bytes = room(&devices->data, header);
	uint64_t data_extra = missing(args->data_bytes, data_bytes), meta_extra;

	if (!args->data_bytes && !args->meta_bytes)
		data_extra = room_bytes;
	/* By the rule, metadata takes its part from what data would get, or from the rest. */
	meta_extra = extra_meta(
		args, data_bytes + data_extra, config->block_bytes, meta_bytes,
		args->data_bytes ? room_bytes - (data_extra < room_bytes ? data_extra : room_bytes)
				 : room_bytes / 2);
	if (!args->data_bytes && !args->meta_bytes)
		data_extra -= meta_extra;
	if (extend(&devices->data, header, HEADER_META, meta_extra, err) < 0)
		return -1;
	return extend(&devices->data, header, HEADER_DATA, data_extra, err);
}

static int grow_separate(const struct pool_config *config, struct devices *devices,
			 const struct pool_grow_args *args, struct error *err)
{
	uint64_t data_bytes = header_bytes(&devices->data_header, HEADER_DATA);
	uint64_t meta_bytes = header_bytes(&devices->meta_header, HEADER_META);
	uint64_t data_extra = missing(args->data_bytes, data_bytes), meta_extra;
	uint64_t meta_room = SIZING_META_MAX_BYTES - meta_bytes;

	if (!args->data_bytes && !args->meta_bytes)
		data_extra = room(&devices->data, &devices->data_header);
	if (!config->on_files && room(&devices->meta, &devices->meta_header) < meta_room)
		meta_room = room(&devices->meta, &devices->meta_header);
	/* As when the pool was made: nothing else can use the rest of such a device. */
	if (!config->on_files && !args->data_bytes && !args->meta_bytes)
		meta_extra = meta_room;
	else
		meta_extra = extra_meta(args, data_bytes + data_extra, config->block_bytes,
					meta_bytes, meta_room);
	if (config->on_files &&
	    (grow_file(&devices->meta, header_end(&devices->meta_header) + meta_extra, err) < 0 ||
	     grow_file(&devices->data, header_end(&devices->data_header) + data_extra, err) < 0))
		return -1;
	if (extend(&devices->meta, &devices->meta_header, HEADER_META, meta_extra, err) < 0)
		return -1;
	return extend(&devices->data, &devices->data_header, HEADER_DATA, data_extra, err);
}

static bool has_room(const struct devices *devices)
{
	return room(&devices->data, &devices->data_header) ||
	       (devices->meta.path && room(&devices->meta, &devices->meta_header));
}

static int check_request(const struct pool_config *config, struct devices *devices,
			 const struct pool_grow_args *args, struct error *err)
{
	uint64_t data_bytes = header_bytes(&devices->data_header, HEADER_DATA);
	uint64_t meta_bytes = header_bytes(devices_meta_header(devices), HEADER_META);

	if (config->on_files && !args->data_bytes && !args->meta_bytes)
		return err_set(err, ERR_USAGE,
			       "say with --size how large the pool's files shall become");
	if (!args->data_bytes && !args->meta_bytes && !has_room(devices))
		return err_set(err, ERR_NO_SPACE,
			       "the pool uses all of '%s': enlarge the device first",
			       devices->data.path);
	if (args->data_bytes && args->data_bytes < data_bytes)
		return err_set(err, ERR_USAGE,
			       "the pool has %" PRIu64 " MiB of data: it cannot shrink",
			       data_bytes / MIB);
	if (args->meta_bytes && args->meta_bytes < meta_bytes)
		return err_set(err, ERR_USAGE,
			       "the pool has %" PRIu64 " MiB of metadata: it cannot shrink",
			       meta_bytes / MIB);
	if (args->meta_bytes > SIZING_META_MAX_BYTES)
		return err_set(err, ERR_USAGE,
			       "the kernel uses at most %" PRIu64 " MiB of metadata",
			       SIZING_META_MAX_BYTES / MIB);
	return 0;
}

int pool_grow(const char *root, const struct pool_grow_args *args, struct error *err)
{
	auto_pool struct pool *pool = NULL;
	auto_devices struct devices devices = { 0 };
	const struct pool_config *config;
	struct pool_status status;
	int grown;

	if (pool_open(root, &pool, err) < 0 || pool_status(pool, &status, err) < 0 ||
	    pool_check_health(pool, &status, err) < 0)
		return -1;
	config = pool_config(pool);
	if (devices_open_ours(config, &devices, err) < 0 ||
	    check_request(config, &devices, args, err) < 0)
		return err_add(err, "grow the pool of '%s'", root);
	grown = devices.meta.path ? grow_separate(config, &devices, args, err)
				  : grow_shared(config, &devices, args, err);
	crash_point("pool-grown-files");
	if (grown < 0 ||
	    (devices.meta.path && header_write(devices.meta.fd, &devices.meta_header, err) < 0) ||
	    header_write(devices.data.fd, &devices.data_header, err) < 0)
		return err_add(err, "grow the pool of '%s'", root);
	crash_point("pool-grown-header");
	if (devices_apply(config, &devices, err) < 0)
		return err_add(err, "grow the pool of '%s'", root);
	return 0;
}
