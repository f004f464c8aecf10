/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why every crash point is safe. Before anything is touched, pool.json.part
 * says durably which store id and devices are meant. The last step of making a
 * pool renames it to pool.json, the first step of destroying one renames it
 * back. A root with a .part only has no pool; the next create or destroy first
 * takes away whatever the .part names: device-mapper devices by the store id
 * in their names, headers that carry the store's uuid, files in the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "fs/fs.h"
#include "pool/config.h"
#include "pool/devices.h"
#include "pool/pool.h"
#include "pool/sizing.h"

#define DEFAULT_BLOCK_BYTES  (64 * KIB)
#define META_LEAST_BYTES     (2 * MIB) /* the kernel's limit; by the rule it is more */
#define DEFAULT_VOLUME_BYTES (10 * GIB)

/* Numbers that pool.json does not keep. */
struct plan {
	struct pool_config config;
	uint64_t data_bytes; /* of a file pool */
	uint64_t meta_bytes;
	bool force;
};

static void plan_done(struct plan *plan)
{
	config_done(&plan->config);
}
#define auto_plan __attribute__((cleanup(plan_done)))

static int remove_files(const char *root, const struct pool_config *config, struct error *err)
{
	auto_free char *folder = xasprintf("%s/%s", root, POOL_FILES_NAME);

	if (!config->on_files)
		return 0;
	if ((unlink(config->data_path) < 0 && errno != ENOENT) ||
	    (unlink(config->meta_path) < 0 && errno != ENOENT))
		return err_sys(err, errno, "remove the pool's files in '%s'", folder);
	/* Something else may be in it. */
	if (rmdir(folder) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, errno, "remove '%s'", folder);
	return 0;
}

/* A device that is gone or unreadable cannot be wiped: that must not keep the pool alive. */
static void wipe_one(const char *path, const char *uuid)
{
	auto_backing struct backing backing = { .fd = -1, .claim_fd = -1 };
	struct error err;

	if (backing_open(path, false, &backing, &err) < 0 || backing_wipe(&backing, uuid, &err) < 0)
		log_debug("header of '%s' not wiped: %s", path, err.text);
}

/* Idempotent. The .part is there, and goes last. */
static int take_away(const char *root, const struct pool_config *config, struct error *err)
{
	if (devices_remove(config, err) < 0)
		return -1;
	if (!config->on_files) {
		wipe_one(config->data_path, config->uuid);
		if (strcmp(config->data_path, config->meta_path) != 0)
			wipe_one(config->meta_path, config->uuid);
	}
	crash_point("pool-take-away");
	/* A copy of this pool's metadata must not be put into the next one. */
	if (remove_files(root, config, err) < 0 || config_remove(root, POOL_COPY_NAME, err) < 0)
		return -1;
	return config_remove(root, CONFIG_PART_NAME, err);
}

static int finish_killed(const char *root, struct error *err)
{
	auto_config struct pool_config config = { 0 };

	if (config_load(root, CONFIG_PART_NAME, &config, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	log_debug("taking away what is left of the pool %s", config.uuid);
	if (take_away(root, &config, err) < 0)
		return err_add(err, "take away a half-made pool");
	return 0;
}

static int check_sizes(const struct plan *plan, struct error *err)
{
	const struct pool_config *config = &plan->config;
	const struct fs_kind *fs;

	if (config->block_bytes < TABLE_BLOCK_BYTES_MIN ||
	    config->block_bytes > TABLE_BLOCK_BYTES_MAX ||
	    config->block_bytes % TABLE_BLOCK_BYTES_MIN)
		return err_set(err, ERR_USAGE,
			       "block size of %" PRIu64
			       " bytes: it must be a multiple of 64K, at most 1G",
			       config->block_bytes);
	if (config->volume_bytes < 64 * MIB || config->volume_bytes > SIZING_VOLUME_MAX_BYTES ||
	    config->volume_bytes % config->block_bytes)
		return err_set(err, ERR_USAGE,
			       "volume size of %" PRIu64
			       " bytes: it must be a multiple of the block size, from 64M to 256T",
			       config->volume_bytes);
	fs = fs_find(config->fs, err);
	if (!fs)
		return -1;
	if (config->volume_bytes < fs->min_bytes)
		return err_set(err, ERR_USAGE,
			       "volume size of %" PRIu64 " bytes: %s needs at least %" PRIu64 "M",
			       config->volume_bytes, fs->name, fs->min_bytes / MIB);
	return 0;
}

static int plan_files(const char *root, const struct pool_create_args *args, struct plan *plan,
		      struct error *err)
{
	struct statvfs st;

	if (args->meta)
		return err_set(err, ERR_USAGE, "a metadata device needs a data device, too");
	if (statvfs(root, &st) < 0)
		return err_sys(err, errno, "look at '%s'", root);
	plan->data_bytes = size_round_down(args->files_bytes, MIB);
	if (!args->files_bytes)
		plan->data_bytes = sizing_default_bytes((uint64_t)st.f_bavail * st.f_frsize);
	if (plan->data_bytes < SIZING_DATA_MIN_BYTES)
		return err_set(err, args->files_bytes ? ERR_USAGE : ERR_NO_SPACE,
			       "a pool of %" PRIu64 " bytes is too small: it needs at least 64M",
			       args->files_bytes ? args->files_bytes : plan->data_bytes);
	if (plan->data_bytes < plan->config.block_bytes)
		return err_set(err, ERR_USAGE,
			       "a pool of %" PRIu64 " bytes has no room for a block of %" PRIu64
			       ": choose smaller blocks",
			       plan->data_bytes, plan->config.block_bytes);
	if (!plan->meta_bytes)
		plan->meta_bytes = sizing_meta_bytes(plan->data_bytes, plan->config.block_bytes);
	plan->config.on_files = true;
	plan->config.data_path = xasprintf("%s/%s/data", root, POOL_FILES_NAME);
	plan->config.meta_path = xasprintf("%s/%s/meta", root, POOL_FILES_NAME);
	return 0;
}

/* As it was given: a link like /dev/disk/by-id/... still leads there when the disks' names change. */
static char *device_path(const char *path, dev_t *ret_device, struct error *err)
{
	auto_free char *real = realpath(path, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0) {
		err_sys(err, errno, "look at '%s'", path);
		return NULL;
	}
	*ret_device = st.st_rdev;
	return path[0] == '/' ? xstrdup(path) : take_ptr(real);
}

static int plan_devices(const struct pool_create_args *args, struct plan *plan, struct error *err)
{
	struct pool_config *config = &plan->config;
	dev_t data, meta;

	if (args->files_bytes)
		return err_set(err, ERR_USAGE,
			       "a size for files and a data device exclude each other");
	config->data_path = device_path(args->data, &data, err);
	if (!config->data_path)
		return -1;
	config->meta_path = device_path(args->meta ? args->meta : args->data, &meta, err);
	if (!config->meta_path)
		return -1;
	/* Two names of one device: metadata shares it. */
	if (data == meta) {
		free(config->meta_path);
		config->meta_path = xstrdup(config->data_path);
	}
	return 0;
}

static int plan_make(const char *root, const struct pool_create_args *args, struct plan *plan,
		     struct error *err)
{
	struct pool_config *config = &plan->config;
	auto_free char *real_root = realpath(root, NULL);
	const char *fs = args->fs ? args->fs : "ext4";

	if (!real_root)
		return err_sys(err, errno, "look at '%s'", root);
	config->block_bytes = args->block_bytes ? args->block_bytes : DEFAULT_BLOCK_BYTES;
	config->volume_bytes = args->volume_bytes ? args->volume_bytes : DEFAULT_VOLUME_BYTES;
	if (strlen(fs) >= sizeof(config->fs))
		return err_set(err, ERR_USAGE, "unknown file system '%s': use ext4 or xfs", fs);
	memcpy(config->fs, fs, strlen(fs) + 1);
	plan->force = args->force;
	plan->meta_bytes = size_round_down(args->meta_bytes, MIB);
	if (args->meta_bytes &&
	    (plan->meta_bytes < META_LEAST_BYTES || plan->meta_bytes > SIZING_META_MAX_BYTES))
		return err_set(err, ERR_USAGE,
			       "metadata of %" PRIu64 " bytes: it must be from 2M to 16256M",
			       args->meta_bytes);
	if (check_sizes(plan, err) < 0 || config_new_uuid(config, err) < 0)
		return -1;
	if (!args->data)
		return plan_files(real_root, args, plan, err);
	return plan_devices(args, plan, err);
}

static int make_file(const char *path, uint64_t bytes, struct error *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)(SIZING_HEADER_BYTES + bytes)) < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "create '%s'", path);
	return 0;
}

static int make_files(const char *root, const struct plan *plan, struct error *err)
{
	auto_free char *folder = xasprintf("%s/%s", root, POOL_FILES_NAME);
	auto_fd int folder_fd = -1;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create folder '%s'", folder);
	if (make_file(plan->config.data_path, plan->data_bytes, err) < 0 ||
	    make_file(plan->config.meta_path, plan->meta_bytes, err) < 0)
		return -1;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return err_sys(err, errno, "open '%s'", folder);
	return io_sync_dir(folder_fd, err);
}

static void init_header(struct header *header, const struct pool_config *config,
			enum header_role role, const struct backing *backing)
{
	*header = (struct header){
		.role = role,
		.device_bytes = backing->size_bytes,
		.block_bytes = config->block_bytes,
	};
	memcpy(header->uuid, config->uuid, sizeof(header->uuid));
}

static int too_small(const struct backing *backing, uint64_t needed_bytes, struct error *err)
{
	return err_set(err, ERR_NO_SPACE,
		       "'%s' is too small for a pool: it has %" PRIu64 " MiB, and at least %" PRIu64
		       " are needed; choose another",
		       backing->path, backing->size_bytes / MIB,
		       size_round_up(needed_bytes, MIB) / MIB);
}

/* Divides the devices; nothing is written yet. */
static int lay_out(struct plan *plan, struct devices *devices, struct error *err)
{
	const struct pool_config *config = &plan->config;
	uint64_t fixed = SIZING_HEADER_BYTES, data = devices->data.size_bytes, meta;
	uint64_t least = config->block_bytes > SIZING_DATA_MIN_BYTES ? config->block_bytes
								     : SIZING_DATA_MIN_BYTES;
	bool shared = !devices->meta.path;

	if (data < fixed + least)
		return too_small(&devices->data,
				 fixed + least + (shared ? SIZING_META_MIN_BYTES : 0), err);
	data = size_round_down(data - fixed, MIB);
	meta = plan->meta_bytes ? plan->meta_bytes : sizing_meta_bytes(data, config->block_bytes);
	init_header(&devices->data_header, config, shared ? HEADER_BOTH : HEADER_DATA,
		    &devices->data);
	if (shared) {
		if (data < meta + least)
			return too_small(&devices->data, fixed + meta + least, err);
		data -= meta;
		if (header_add_segment(&devices->data_header, HEADER_META, meta, err) < 0)
			return -1;
	} else {
		init_header(&devices->meta_header, config, HEADER_META, &devices->meta);
		if (devices->meta.size_bytes < fixed + META_LEAST_BYTES)
			return too_small(&devices->meta, fixed + META_LEAST_BYTES, err);
		/* A device of its own is used as a whole: nothing else can use the rest. */
		meta = size_round_down(devices->meta.size_bytes - fixed, MIB);
		if (meta > SIZING_META_MAX_BYTES)
			meta = SIZING_META_MAX_BYTES;
		if (header_add_segment(&devices->meta_header, HEADER_META, meta, err) < 0)
			return -1;
	}
	return header_add_segment(&devices->data_header, HEADER_DATA,
				  size_round_down(data, config->block_bytes), err);
}

static int format(struct plan *plan, struct error *err)
{
	auto_devices struct devices devices = { 0 };

	if (devices_open(&plan->config, &devices, err) < 0 || lay_out(plan, &devices, err) < 0 ||
	    backing_claim(&devices.data, plan->force, err) < 0 ||
	    (devices.meta.path && backing_claim(&devices.meta, plan->force, err) < 0))
		return -1;
	if (devices.meta.path && backing_format(&devices.meta, &devices.meta_header, err) < 0)
		return -1;
	crash_point("pool-format");
	return backing_format(&devices.data, &devices.data_header, err);
}

/* The kernel must have found nothing: what is not empty is not the pool that we just made. */
static int start(const struct pool_config *config, struct error *err)
{
	auto_devices struct devices devices = { 0 };
	auto_free char *line = NULL;
	char name[POOL_NAME_BYTES];
	struct poolstat stat;

	devices_name(config, "pool", name);
	if (devices_open_ours(config, &devices, err) < 0 ||
	    devices_apply(config, &devices, err) < 0 ||
	    devmap_status(name, "thin-pool", &line, err) < 0 ||
	    poolstat_parse(line, &stat, err) < 0)
		return -1;
	if (stat.failed || stat.read_only || stat.transaction_id || stat.data_used_blocks)
		return err_set(err, ERR_CORRUPT, "the new pool is not empty: %s", line);
	return 0;
}

static int make(const char *root, struct plan *plan, struct error *err)
{
	if (plan->config.on_files && make_files(root, plan, err) < 0)
		return -1;
	crash_point("pool-files");
	if (format(plan, err) < 0)
		return -1;
	crash_point("pool-formatted");
	if (start(&plan->config, err) < 0)
		return -1;
	crash_point("pool-started");
	return config_rename(root, CONFIG_PART_NAME, POOL_CONFIG_NAME, err);
}

static int refuse_second(const char *root, const struct pool_config *config, struct error *err)
{
	auto_strlist struct strlist names = { 0 };
	auto_free char *path = xasprintf("%s/%s", root, POOL_CONFIG_NAME);
	char prefix[POOL_NAME_BYTES];
	struct stat st;

	if (lstat(path, &st) == 0)
		return err_set(err, ERR_EXISTS, "'%s' has a pool already", root);
	if (errno != ENOENT)
		return err_sys(err, errno, "look at '%s'", path);
	devices_name(config, "", prefix);
	if (devmap_list(prefix, &names, err) < 0)
		return -1;
	if (names.nr)
		return err_set(err, ERR_EXISTS, "the new store id %s is in use: try again",
			       config->store_id);
	return 0;
}

/* Files of a pool whose pool.json is lost may be all that is left of somebody's images. */
static int refuse_files(const struct pool_config *config, struct error *err)
{
	struct stat st;

	if (!config->on_files)
		return 0;
	if (lstat(config->data_path, &st) == 0 || lstat(config->meta_path, &st) == 0)
		return err_set(
			err, ERR_EXISTS,
			"'%s' has the files of a pool, but %s is gone: bring it back, or move "
			"the files away",
			config->data_path, POOL_CONFIG_NAME);
	return 0;
}

int pool_create(const char *root, const struct pool_create_args *args, struct error *err)
{
	static const struct pool_create_args defaults;
	auto_plan struct plan plan = { 0 };
	struct error why;

	if (devmap_require_target("thin-pool", err) < 0 ||
	    plan_make(root, args ? args : &defaults, &plan, err) < 0 ||
	    refuse_second(root, &plan.config, err) < 0 || finish_killed(root, err) < 0 ||
	    refuse_files(&plan.config, err) < 0 ||
	    config_save(root, CONFIG_PART_NAME, &plan.config, err) < 0)
		return -1;
	crash_point("pool-announced");
	if (make(root, &plan, err) == 0)
		return 0;
	if (take_away(root, &plan.config, &why) < 0)
		log_warn("after a failed pool creation: %s", why.text);
	return err_add(err, "create a pool for '%s'", root);
}

/* A 'pool create' that was killed before it could announce anything. */
static void remove_unannounced(const char *root)
{
	auto_free char *path = xasprintf("%s/" CONFIG_PART_NAME IO_NEW_SUFFIX, root);

	if (unlink(path) < 0 && errno != ENOENT)
		log_debug("'%s' stays: %s", path, strerror(errno));
}

int pool_destroy(const char *root, struct error *err)
{
	auto_config struct pool_config config = { 0 };

	if (config_load(root, POOL_CONFIG_NAME, &config, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		remove_unannounced(root);
		if (config_load(root, CONFIG_PART_NAME, &config, err) < 0)
			return err->kind == ERR_NOT_FOUND
				       ? err_set(err, ERR_NOT_FOUND, "'%s' has no pool", root)
				       : -1;
		return take_away(root, &config, err);
	}
	/* Whatever is in use is found while the pool still is one. */
	if (devices_remove(&config, err) < 0)
		return err_add(err, "destroy the pool of '%s'", root);
	if (config_rename(root, POOL_CONFIG_NAME, CONFIG_PART_NAME, err) < 0)
		return -1;
	crash_point("pool-doomed");
	return take_away(root, &config, err);
}
