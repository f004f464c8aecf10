/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "pool/config.h"
#include "pool/devices.h"

struct pool {
	struct pool_config config;
	char name[POOL_NAME_BYTES]; /* of the thin-pool device */
};

int pool_open(const char *root, struct pool **ret, struct error *err)
{
	auto_pool struct pool *pool = xcalloc(1, sizeof(*pool));

	if (config_load(root, POOL_CONFIG_NAME, &pool->config, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			return err_set(
				err, ERR_NOT_FOUND,
				"'%s' has no pool: make one with 'veneer pool create', or load "
				"an image",
				root);
		return -1;
	}
	devices_name(&pool->config, "pool", pool->name);
	*ret = take_ptr(pool);
	return 0;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	config_done(&pool->config);
	free(pool);
}

const struct pool_config *pool_config(const struct pool *pool)
{
	return &pool->config;
}

const char *pool_name(const struct pool *pool)
{
	return pool->name;
}

int pool_refuse_half_repaired(const char *root, struct error *err)
{
	auto_free char *path = xasprintf("%s/" POOL_COPY_NAME, root);

	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at '%s'", path);
	return err_set(err, ERR_CORRUPT,
		       "a repair of the pool's metadata was interrupted: run 'veneer check "
		       "--repair' to finish it");
}

int pool_activate(const char *root, struct error *err)
{
	auto_pool struct pool *pool = NULL;
	auto_devices struct devices devices = { 0 };

	if (pool_open(root, &pool, err) < 0 || pool_refuse_half_repaired(root, err) < 0 ||
	    devmap_require_target("thin-pool", err) < 0)
		return -1;
	if (devices_open_ours(&pool->config, &devices, err) < 0 ||
	    devices_apply(&pool->config, &devices, err) < 0)
		return err_add(err, "activate the pool of '%s'", root);
	return 0;
}

int pool_deactivate(const char *root, struct error *err)
{
	auto_pool struct pool *pool = NULL;

	if (pool_open(root, &pool, err) < 0)
		return -1;
	if (devices_remove(&pool->config, err) < 0)
		return err_add(err, "deactivate the pool of '%s'", root);
	return 0;
}

int pool_status(struct pool *pool, struct pool_status *ret, struct error *err)
{
	struct pool_status status = { 0 };
	auto_free char *line = NULL;
	struct devmap_info info;
	struct error why;

	if (devmap_status(pool->name, "thin-pool", &line, err) < 0) {
		/* Asked for afterwards, as nearly always it is there. */
		if (devmap_info(pool->name, &info, &why) < 0 || (info.exists && info.has_table))
			return err_add(err, "pool %s", pool->name);
		*ret = status;
		return 0;
	}
	if (poolstat_parse(line, &status.stat, err) < 0)
		return err_add(err, "pool %s", pool->name);
	status.active = true;
	status.data_used_bytes = status.stat.data_used_blocks * pool->config.block_bytes;
	status.data_total_bytes = status.stat.data_total_blocks * pool->config.block_bytes;
	status.meta_used_bytes = status.stat.meta_used_blocks * POOLSTAT_META_BLOCK_BYTES;
	status.meta_total_bytes = status.stat.meta_total_blocks * POOLSTAT_META_BLOCK_BYTES;
	*ret = status;
	return 0;
}

int pool_set_low_water(struct pool *pool, uint64_t free_bytes, bool again, struct error *err)
{
	if (devices_set_low_water(&pool->config, free_bytes / pool->config.block_bytes, again,
				  err) < 0)
		return err_add(err, "low-water mark of the pool %s", pool->name);
	return 0;
}

int pool_low_water(struct pool *pool, uint64_t *ret_free_bytes, struct error *err)
{
	uint64_t blocks;

	if (devices_get_low_water(&pool->config, &blocks, err) < 0)
		return -1;
	*ret_free_bytes = blocks * pool->config.block_bytes;
	return 0;
}

uint32_t pool_event_nr(struct pool *pool)
{
	struct devmap_info info;
	struct error none;

	return devmap_info(pool->name, &info, &none) < 0 ? 0 : info.event_nr;
}

/* In this state the kernel, too, says read-only, but space helps. */
static bool is_out_of_meta(const struct pool_status *status)
{
	return status->stat.read_only && status->stat.meta_total_blocks &&
	       status->stat.meta_used_blocks >= status->stat.meta_total_blocks;
}

const char *pool_health(const struct pool_status *status)
{
	if (!status->active)
		return "inactive";
	if (status->stat.failed)
		return "failed";
	if (status->stat.needs_check)
		return "needs check";
	if (is_out_of_meta(status))
		return "out of metadata space";
	if (status->stat.read_only)
		return "read-only";
	if (status->stat.out_of_data)
		return "out of data space";
	return "ok";
}

int pool_check_health(struct pool *pool, const struct pool_status *status, struct error *err)
{
	if (!status->active)
		return err_set(err, ERR_NOT_FOUND,
			       "the pool %s is not active: run 'veneer pool activate'", pool->name);
	if (status->stat.failed)
		return err_set(
			err, ERR_CORRUPT,
			"the pool %s has failed, the kernel's log says why; then run 'veneer "
			"pool deactivate' and 'veneer pool activate'",
			pool->name);
	if (status->stat.needs_check)
		return err_set(
			err, ERR_CORRUPT,
			"the metadata of the pool %s must be checked first: run 'veneer check "
			"--repair'",
			pool->name);
	return 0;
}

int pool_check_writable(struct pool *pool, const struct pool_status *status, struct error *err)
{
	struct error why;

	if (pool_check_health(pool, status, &why) < 0)
		return err_set(err, ERR_DENIED, "%s", why.text);
	if (is_out_of_meta(status))
		return err_set(err, ERR_NO_SPACE,
			       "the pool %s is out of metadata space: run 'veneer pool grow "
			       "--metadata-size SIZE'",
			       pool->name);
	if (status->stat.read_only)
		return err_set(err, ERR_DENIED,
			       "the pool %s is read-only, the kernel's log says why; then run "
			       "'veneer pool deactivate' and 'veneer pool activate'",
			       pool->name);
	return 0;
}
