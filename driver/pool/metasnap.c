/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/metasnap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "pool/devices.h"

#define WAIT_MS 60000
#define POLL_MS 5

#define RESERVE "reserve_metadata_snap"
#define RELEASE "release_metadata_snap"

/* Returns a new descriptor of the metadata device, locked; -2 when another process has the lock. */
static int lock_metadata(struct pool *pool, int wait_ms, char ret_node[DEVMAP_NODE_BYTES],
			 struct error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	char name[POOL_NAME_BYTES];
	struct devmap_info info;
	auto_fd int fd = -1;

	devices_name(pool_config(pool), "meta", name);
	if (devmap_info(name, &info, err) < 0)
		return -1;
	if (!info.exists)
		return err_set(err, ERR_NOT_FOUND, "the pool %s is not active", pool_name(pool));
	devmap_node(info.device, ret_node);
	fd = open(ret_node, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", ret_node);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock %s", ret_node);
		if (wait_ms <= 0)
			return -2;
		if (cancel_check(err) < 0)
			return -1;
		nanosleep(&pause, NULL);
		wait_ms -= POLL_MS;
	}
	return take_fd(fd);
}

static int reserve(struct pool *pool, struct error *err)
{
	struct pool_status status;

	if (devmap_message(pool_name(pool), RESERVE, err) == 0)
		return 0;
	/* One number for all the ways in which a pool can be ill. */
	if (err->sys_errno == EOPNOTSUPP && pool_status(pool, &status, err) == 0)
		return pool_check_writable(pool, &status, err) < 0
			       ? -1
			       : err_set(err, ERR_DENIED, "the pool %s cannot be changed now",
					 pool_name(pool));
	if (err->sys_errno != EBUSY)
		return -1;
	/* We have the lock, so its owner is dead. */
	if (devmap_message(pool_name(pool), RELEASE, err) < 0)
		return -1;
	return devmap_message(pool_name(pool), RESERVE, err);
}

int metasnap_hold(struct pool *pool, struct metasnap *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	struct pool_status status;

	snap.lock_fd = lock_metadata(pool, WAIT_MS, snap.node, err);
	if (snap.lock_fd == -2)
		return err_set(err, ERR_IN_USE, "another process reads the metadata of %s for long",
			       pool_name(pool));
	if (snap.lock_fd < 0 || reserve(pool, err) < 0)
		return err_add(err, "hold the pool's metadata");
	snap.pool = pool;
	if (pool_status(pool, &status, err) < 0)
		return -1;
	if (!status.stat.held_block)
		return err_set(err, ERR_CORRUPT, "the pool %s has no metadata snapshot after all",
			       pool_name(pool));
	crash_point("metadata-held");
	*ret = snap;
	ret->block = status.stat.held_block;
	snap = (struct metasnap){ .lock_fd = -1 };
	return 0;
}

void metasnap_release(struct metasnap *snap)
{
	struct error err;

	/* What is left over is swept by the next process that opens the pool. */
	if (snap->pool && devmap_message(pool_name(snap->pool), RELEASE, &err) < 0)
		log_warn("%s", err.text);
	if (snap->lock_fd >= 0)
		close(snap->lock_fd);
	*snap = (struct metasnap){ .lock_fd = -1 };
}

int metasnap_sweep(struct pool *pool, const struct pool_status *status, struct error *err)
{
	char node[DEVMAP_NODE_BYTES];
	auto_fd int lock_fd = -1;
	struct pool_status again;

	if (!status->stat.held_block)
		return 0;
	lock_fd = lock_metadata(pool, 0, node, err);
	if (lock_fd < 0)
		return lock_fd == -2 ? 0 : -1;
	/* Its owner may have ended well in the meantime. */
	if (pool_status(pool, &again, err) < 0)
		return -1;
	if (!again.stat.held_block)
		return 0;
	log_debug("releasing a metadata snapshot that a killed process left");
	return devmap_message(pool_name(pool), RELEASE, err);
}
