/* SPDX-License-Identifier: Apache-2.0 */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/size.h"
#include "fs/mount.h"
#include "pool/thinvol.h"
#include "pool/verified.h"
#include "volume_private.h"

#define APART_MIN_BYTES (128 * MIB) /* room for the larger log */

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

int volume_format(struct volume_pool *pool, uint32_t id, struct error *err)
{
	auto_volume struct volume *volume = NULL;

	if (volume_activate(pool, id, VOLUME_READ_WRITE, &volume, err) < 0)
		return -1;
	if (pool->fs->make(volume->node, pool->config->volume_bytes, err) < 0)
		return err_add(err, "format volume %" PRIu32 " (%s)", id, volume->node);
	return 0;
}

int volume_format_sized(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			struct error *err)
{
	auto_volume struct volume *volume = NULL;

	if (volume_activate_sized(pool, id, size_bytes, VOLUME_READ_WRITE, &volume, err) < 0)
		return -1;
	if (pool->fs->make(volume->node, size_bytes, err) < 0)
		return err_add(err, "format volume %" PRIu32 " (%s)", id, volume->node);
	return volume_set_apart(volume, err);
}

uint64_t volume_min_bytes(struct volume_pool *pool)
{
	return pool->fs->min_bytes > APART_MIN_BYTES ? pool->fs->min_bytes : APART_MIN_BYTES;
}

/*
 * A commit that fails fails no message: what that made is gone, and so is what was made since the
 * last commit. Only its absence is noticed.
 */
static int explain_illness(struct volume_pool *pool, struct error *err)
{
	struct pool_status status;
	struct error why;

	if (pool_status(pool->pool, &status, &why) == 0 &&
	    pool_check_health(pool->pool, &status, &why) < 0)
		*err = why;
	return -1;
}

int volume_activate_sized(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			  enum volume_mode mode, struct volume **ret, struct error *err)
{
	struct volume *volume;
	dev_t device;

	if (thinvol_activate(pool->pool, id, size_bytes, mode == VOLUME_READ_ONLY, &device, err) <
	    0)
		return explain_illness(pool, err);
	volume = xcalloc(1, sizeof(*volume));
	volume->pool = pool;
	volume->id = id;
	thinvol_name(pool->pool, id, volume->name);
	devmap_node(device, volume->node);
	*ret = volume;
	return 0;
}

int volume_activate(struct volume_pool *pool, uint32_t id, enum volume_mode mode,
		    struct volume **ret, struct error *err)
{
	return volume_activate_sized(pool, id, 0, mode, ret, err);
}

int volume_deactivate(struct volume_pool *pool, uint32_t id, struct error *err)
{
	return thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err);
}

static bool find_named(const char *name, struct devmap_info *ret)
{
	struct error err;

	if (devmap_info(name, ret, &err) == 0)
		return ret->exists && ret->has_table;
	log_debug("%s", err.text);
	return false;
}

static bool find_device(struct volume_pool *pool, uint32_t id, struct devmap_info *ret)
{
	char name[POOL_NAME_BYTES];

	thinvol_name(pool->pool, id, name);
	return find_named(name, ret);
}

static bool find_verified(struct volume_pool *pool, uint32_t id, struct devmap_info *ret)
{
	char name[POOL_NAME_BYTES];

	verified_name(pool->pool, id, name);
	return find_named(name, ret);
}

int volume_activate_to_read(struct volume_pool *pool, uint32_t id, uint64_t size_bytes,
			    struct volume **ret, struct error *err)
{
	struct volume *volume = xcalloc(1, sizeof(*volume));
	dev_t device;

	if (thinvol_activate_reader(pool->pool, id, size_bytes, volume->name, &device, err) < 0) {
		free(volume);
		return -1;
	}
	volume->pool = pool;
	volume->id = id;
	volume->reader = true;
	devmap_node(device, volume->node);
	*ret = volume;
	return 0;
}

int volume_remove_dead_readers(struct volume_pool *pool, struct error *err)
{
	return thinvol_remove_dead_readers(pool->pool, err);
}

bool volume_is_active(struct volume_pool *pool, uint32_t id)
{
	struct devmap_info info;

	return find_device(pool, id, &info);
}

int volume_activate_verified(struct volume *volume, const char *tree,
			     const unsigned char root[DIGEST_RAW_LEN], struct volume **ret,
			     struct error *err)
{
	struct volume_pool *pool = volume->pool;
	bool others = volume_is_verified(pool, volume->id);
	struct volume *verified;
	struct devmap_info info;
	dev_t device;

	if (!find_named(volume->name, &info))
		return err_set(err, ERR_NOT_FOUND, "volume %" PRIu32 " is not active", volume->id);
	if (verified_activate(pool->pool, volume->id, info.device, pool->config->volume_bytes, tree,
			      root, &device, err) < 0)
		return -1;
	verified = xcalloc(1, sizeof(*verified));
	verified->pool = pool;
	verified->id = volume->id;
	verified->verified = true;
	verified->keep = others;
	verified_name(pool->pool, volume->id, verified->name);
	devmap_node(device, verified->node);
	*ret = verified;
	return 0;
}

bool volume_is_verified(struct volume_pool *pool, uint32_t id)
{
	struct devmap_info info;

	return find_verified(pool, id, &info);
}

int volume_remove_verified(struct volume_pool *pool, uint32_t id, struct error *err)
{
	return verified_remove(pool->pool, id, PROBE_WAIT_MS, err);
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
	if (volume->verified) {
		if (!volume->keep &&
		    verified_remove(volume->pool->pool, volume->id, PROBE_WAIT_MS, &err) < 0)
			log_debug("%s", err.text);
	} else if (volume->reader) {
		if (thinvol_remove_reader(volume->name, PROBE_WAIT_MS, &err) < 0)
			log_debug("%s", err.text);
	} else if (!volume->keep &&
		   thinvol_deactivate(volume->pool->pool, volume->id, PROBE_WAIT_MS, &err) < 0) {
		log_debug("%s", err.text);
	}
	free(volume);
}

const char *volume_device(const struct volume *volume)
{
	return volume->node;
}

const char *volume_name(const struct volume *volume)
{
	return volume->name;
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

int volume_mount_device(const char *fs, const char *device, int *ret_fd, struct error *err)
{
	const struct fs_kind *kind = fs_find(fs, err);

	return kind ? mount_open(kind, device, FS_WRITE, ret_fd, err) : -1;
}

int volume_grow_fs(struct volume *volume, struct error *err)
{
	const struct fs_kind *fs = volume->pool->fs;

	if (!fs->grow)
		return err_set(err, ERR_UNSUPPORTED,
			       "a volume of its own size is not possible with %s", fs->name);
	if (fs->grow(volume->node, err) < 0)
		return err_add(err, "volume %" PRIu32, volume->id);
	return 0;
}

int volume_set_apart(struct volume *volume, struct error *err)
{
	const struct fs_kind *fs = volume->pool->fs;

	if (fs->set_apart && fs->set_apart(volume->node, err) < 0)
		return err_add(err, "volume %" PRIu32, volume->id);
	return 0;
}

int volume_resize(struct volume_pool *pool, uint32_t id, uint64_t size_bytes, struct error *err)
{
	return thinvol_resize(pool->pool, id, size_bytes, err);
}

int volume_mount_options(int mount_fd, const char *options, struct error *err)
{
	return mount_set_options(mount_fd, options, err);
}

int volume_check_options(const char *options, struct error *err)
{
	return mount_check_options(options, err);
}

int volume_attach_mount(int mount_fd, const char *dir, struct error *err)
{
	return mount_attach(mount_fd, dir, err);
}

int volume_unmount(struct volume_pool *pool, uint32_t id, const char *dir, struct error *err)
{
	struct devmap_info info;

	if (find_verified(pool, id, &info)) {
		if (mount_remove(dir, info.device, err) == 0)
			return 0;
		if (err->kind != ERR_NOT_FOUND)
			return -1;
	}
	if (!find_device(pool, id, &info))
		return err_set(err, ERR_NOT_FOUND, "volume %" PRIu32 " is not active", id);
	return mount_remove(dir, info.device, err);
}

static bool device_is_mounted(dev_t device)
{
	struct error err;
	bool mounted;

	if (mount_find(device, &mounted, &err) == 0)
		return mounted;
	log_warn("%s", err.text);
	return false;
}

bool volume_is_mounted(struct volume_pool *pool, uint32_t id)
{
	struct devmap_info info;

	return (find_device(pool, id, &info) && device_is_mounted(info.device)) ||
	       (find_verified(pool, id, &info) && device_is_mounted(info.device));
}

int volume_explain(struct volume *volume, struct error *err)
{
	return volume_pool_explain(volume->pool, err);
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
	if (status.stat.out_of_data)
		return err_set(err, ERR_IO, "the pool is %s", pool_health(&status));
	return pool_check_writable(volume->pool->pool, &status, err);
}

int volume_freeze(struct volume *volume, int mount_fd, bool trim, struct error *err)
{
	if (volume->frozen)
		return err_set(err, ERR_IN_USE, "volume %" PRIu32 " is frozen already", volume->id);
	if (mount_fd >= 0 &&
	    (mount_sync(mount_fd, err) < 0 || (trim && mount_trim(mount_fd, err) < 0)))
		return explain(volume, err);
	if (mount_fd >= 0 && volume->pool->fs->empty_log)
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

int volume_sync(struct volume *volume, struct error *err)
{
	auto_fd int fd = open(volume->node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", volume->node);
	if (fdatasync(fd) < 0) {
		err_sys(err, errno, "write to %s", volume->node);
		return explain(volume, err);
	}
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
