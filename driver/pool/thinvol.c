/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/thinvol.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "pool/devices.h"

#define MODE_WAIT_MS 500

void thinvol_name(const struct pool *pool, uint32_t id, char ret[POOL_NAME_BYTES])
{
	char part[16];

	snprintf(part, sizeof(part), "%" PRIu32, id);
	devices_name(pool_config(pool), part, ret);
}

/* The kernel refuses a message with one number for all the ways in which a pool can be ill. */
static int refused(struct pool *pool, struct error *err)
{
	struct pool_status status;

	if (pool_status(pool, &status, err) < 0 || pool_check_writable(pool, &status, err) < 0)
		return -1;
	return err_set(err, ERR_DENIED, "the pool %s cannot be changed now", pool_name(pool));
}

/*
 * The kernel commits after each message, and tells nobody when that fails: what the message did is
 * gone again, and the pool cannot be written to any more. Whoever believed it would forget a volume
 * that is still there, or say that something is durable that is not.
 */
static int send(struct pool *pool, const char *text, struct error *err)
{
	struct pool_status status;

	if (devmap_message(pool_name(pool), text, err) < 0)
		return err->sys_errno == EOPNOTSUPP ? refused(pool, err) : -1;
	return pool_status(pool, &status, err) < 0 ? -1 : pool_check_writable(pool, &status, err);
}

int thinvol_create(struct pool *pool, uint32_t id, struct error *err)
{
	auto_free char *text = xasprintf("create_thin %" PRIu32, id);

	return send(pool, text, err);
}

int thinvol_snapshot(struct pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	auto_free char *text = xasprintf("create_snap %" PRIu32 " %" PRIu32, id, origin_id);

	return send(pool, text, err);
}

int thinvol_delete(struct pool *pool, uint32_t id, struct error *err)
{
	auto_free char *text = xasprintf("delete %" PRIu32, id);

	return send(pool, text, err);
}

int thinvol_set_transaction_id(struct pool *pool, uint64_t old_id, uint64_t new_id,
			       struct error *err)
{
	auto_free char *text = xasprintf("set_transaction_id %" PRIu64 " %" PRIu64, old_id, new_id);

	if (send(pool, text, err) == 0)
		return 0;
	if (err->sys_errno == EINVAL)
		return err_set(err, ERR_CORRUPT,
			       "the pool %s is not at transaction %" PRIu64 " as expected",
			       pool_name(pool), old_id);
	return -1;
}

/* The table of its device. */
static int thin_table(struct pool *pool, uint32_t id, uint64_t size_bytes, struct table *ret,
		      struct error *err)
{
	struct devmap_info info;

	if (devmap_info(pool_name(pool), &info, err) < 0)
		return -1;
	if (!info.exists)
		return err_set(err, ERR_NOT_FOUND, "the pool %s is not active", pool_name(pool));
	table_add_thin(ret, info.device, id,
		       size_bytes ? size_bytes : pool_config(pool)->volume_bytes);
	return 0;
}

static int make_device(struct pool *pool, const char *name, uint32_t id, uint64_t size_bytes,
		       bool read_only, dev_t *ret_device, struct error *err)
{
	auto_table struct table table = { 0 };
	unsigned flags = DEVMAP_ANONYMOUS | (read_only ? DEVMAP_READ_ONLY : 0);

	if (thin_table(pool, id, size_bytes, &table, err) < 0)
		return -1;
	if (devmap_create(name, &table, flags, ret_device, err) < 0) {
		devices_explain_damage(err);
		return err_add(err, "activate volume %" PRIu32, id);
	}
	return 0;
}

int thinvol_activate(struct pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		     dev_t *ret_device, struct error *err)
{
	struct devmap_info info;
	char name[POOL_NAME_BYTES];

	thinvol_name(pool, id, name);
	if (devmap_info(name, &info, err) < 0)
		return -1;
	/* A process killed while it made the device leaves one without a table. */
	if (info.exists && (!info.has_table || (info.read_only && !read_only))) {
		if (devmap_remove(name, MODE_WAIT_MS, err) < 0)
			return err_add(err, "volume %" PRIu32 " is active in another mode", id);
		info.exists = false;
	}
	if (!info.exists)
		return make_device(pool, name, id, size_bytes, read_only, ret_device, err);
	if (info.suspended && devmap_resume(name, DEVMAP_ANONYMOUS, err) < 0)
		return -1;
	*ret_device = info.device;
	return 0;
}

int thinvol_resize(struct pool *pool, uint32_t id, uint64_t size_bytes, struct error *err)
{
	auto_table struct table table = { 0 };
	struct devmap_info info;
	char name[POOL_NAME_BYTES];

	thinvol_name(pool, id, name);
	if (devmap_info(name, &info, err) < 0)
		return -1;
	if (!info.exists)
		return 0;
	if (thin_table(pool, id, size_bytes, &table, err) < 0 ||
	    devmap_load(name, &table, info.read_only ? DEVMAP_READ_ONLY : 0, err) < 0 ||
	    devmap_suspend(name, DEVMAP_NO_LOCKFS | DEVMAP_NO_FLUSH, err) < 0)
		return err_add(err, "resize volume %" PRIu32, id);
	return devmap_resume(name, DEVMAP_ANONYMOUS, err);
}

int thinvol_activate_reader(struct pool *pool, uint32_t id, uint64_t size_bytes,
			    char ret_name[POOL_NAME_BYTES], dev_t *ret_device, struct error *err)
{
	static unsigned count;
	char part[32];

	snprintf(part, sizeof(part), DEVICES_READER "%d-%u", (int)getpid(), count++);
	devices_name(pool_config(pool), part, ret_name);
	return make_device(pool, ret_name, id, size_bytes, true, ret_device, err);
}

int thinvol_remove_reader(const char *name, int wait_ms, struct error *err)
{
	return devmap_remove(name, wait_ms, err);
}

int thinvol_remove_dead_readers(struct pool *pool, struct error *err)
{
	auto_strlist struct strlist names = { 0 };

	if (devices_list_readers(pool_config(pool), &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.nr; i++) {
		pid_t pid = (pid_t)strtol(strrchr(names.items[i], '.') + 1, NULL, 10);

		if (kill(pid, 0) < 0 && errno == ESRCH &&
		    devmap_remove(names.items[i], MODE_WAIT_MS, err) < 0)
			log_debug("%s", err->text);
	}
	return 0;
}

int thinvol_deactivate(struct pool *pool, uint32_t id, int wait_ms, struct error *err)
{
	char name[POOL_NAME_BYTES];

	thinvol_name(pool, id, name);
	if (devmap_remove(name, wait_ms, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return err_add(err, "deactivate volume %" PRIu32, id);
}

int thinvol_resume_all(struct pool *pool, struct error *err)
{
	auto_strlist struct strlist names = { 0 };

	if (devices_list_volumes(pool_config(pool), &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.nr; i++) {
		struct devmap_info info;

		if (devmap_info(names.items[i], &info, err) < 0)
			return -1;
		if (!info.suspended || !info.has_table)
			continue;
		log_debug("resuming %s, left suspended by a killed process", names.items[i]);
		if (devmap_resume(names.items[i], DEVMAP_ANONYMOUS, err) < 0)
			return -1;
	}
	return 0;
}
