/* SPDX-License-Identifier: Apache-2.0 */
#include "run/still.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "db/recover_container.h"
#include "db/rows.h"
#include "layer/space.h"
#include "layer/work.h"
#include "run/container.h"
#include "run/life.h"
#include "store.h"
#include "volume.h"

#define OTHER_WAIT_MS 60000
#define PAUSE_WAIT_MS 10000
#define TRIES	      5

/* The container's own volume, while it runs. */
struct live {
	struct volume *volume; /* NULL: it does not run */
	int mount_fd;
	char *cgroup; /* at rest; or NULL */
};

static int let_run(struct live *live, struct error *err)
{
	auto_free char *cgroup = take_ptr(live->cgroup);

	return cgroup ? cgroup_thaw(cgroup, err) : 0;
}

static void live_done(struct live *live)
{
	struct error err;

	if (let_run(live, &err) < 0)
		log_warn("%s", err.text);
	if (live->mount_fd >= 0)
		close(live->mount_fd);
	volume_free(live->volume);
}
#define auto_live __attribute__((cleanup(live_done)))

static int read_row(struct still *still, const char *id, struct error *err)
{
	struct container_row row;
	int found = rows_container_get(still->store->db, id, &row, err);

	if (found == 0)
		err_set(err, ERR_NOT_FOUND, "No such container: %s", id);
	if (found <= 0)
		return -1;
	container_row_done(&still->row);
	still->row = row;
	return 0;
}

/* Whoever starts it has its lock. */
static int wait_for_other(struct still *still, struct error *err)
{
	auto_free char *name = xasprintf("containers/%s/lock", still->row.id);
	int fd = root_lock_file(&still->store->root, name, OTHER_WAIT_MS, err);

	if (fd < 0)
		return err_add(err, "container %s", still->row.name);
	close(fd);
	return 0;
}

/* A further mount of what its processes have mounted; under the store's lock. */
static int join(struct still *still, struct live *live, struct error *err)
{
	if (volume_activate_sized(still->store->pool, still->row.thin_id, still->row.size_bytes,
				  VOLUME_READ_WRITE, &live->volume, err) < 0)
		return -1;
	/* It is the container's: its end deactivates it. */
	volume_keep(live->volume);
	return volume_mount(live->volume, VOLUME_MOUNT_WRITE, &live->mount_fd, err);
}

/* Returns 1 when the row says what can be relied on, 0 when somebody else has it, -1. */
static int look(struct still *still, struct live *live, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (store_lock_pool(still->store, &held, err) < 0 ||
	    read_row(still, still->row.id, err) < 0)
		return -1;
	if (still->row.state == CONTAINER_STARTING)
		return 0;
	return still->row.state == CONTAINER_RUNNING && join(still, live, err) < 0 ? -1 : 1;
}

static int freeze(struct still *still, struct live *live, bool pause, struct error *err)
{
	if (pause && procmark_is_alive(&still->row.process)) {
		live->cgroup = xasprintf(CONTAINER_CGROUP "/%s", still->row.id);
		if (cgroup_freeze(live->cgroup, PAUSE_WAIT_MS, err) < 0)
			return err_add(err, "pause container %s", still->row.name);
		crash_point("still-paused");
	}
	return volume_freeze(live->volume, live->mount_fd, false, err);
}

static int thaw(void *ctx, struct error *err)
{
	struct live *live = ctx;

	return volume_thaw(live->volume, err);
}

/* Under the store's lock, and nothing rests any more when it is let go. */
static int snapshot_live(struct still *still, struct live *live, bool pause, struct error *err)
{
	struct error ignored;

	if (freeze(still, live, pause, err) == 0 &&
	    work_snapshot_of(still->store, still->row.thin_id, thaw, live, &still->id, err) == 0)
		return let_run(live, err) < 0 ? -1 : 1;
	volume_free(take_ptr(live->volume));
	let_run(live, &ignored);
	return -1;
}

static int snapshot(struct still *still, struct live *live, bool pause, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (live->volume && space_flush(live->mount_fd, err) < 0)
		return volume_explain(live->volume, err);
	if (store_lock_pool(still->store, &held, err) < 0)
		return -1;
	if (live->volume)
		return snapshot_live(still, live, pause, err);
	/* Started or removed since it was looked at. */
	if (read_row(still, still->row.id, err) < 0)
		return -1;
	if (still->row.state == CONTAINER_STARTING || still->row.state == CONTAINER_RUNNING)
		return 0;
	if (container_ready(still->store, &still->row, err) < 0 ||
	    work_snapshot_of(still->store, still->row.thin_id, NULL, NULL, &still->id, err) < 0)
		return -1;
	return 1;
}

/* What was not unmounted cleanly, as in a power cut, has its log played back. */
static int tidy(struct still *still, struct error *err)
{
	if (still->row.state == CONTAINER_RUNNING || !still->row.started_ns)
		return 0;
	return still_mount(still, err) < 0 ? -1 : still_unmount(still, err);
}

/* Returns 1 when it is done, 0 to try again, -1. */
static int try_to_take(struct still *still, bool pause, struct error *err)
{
	auto_live struct live live = { .mount_fd = -1 };
	int got = look(still, &live, err);

	if (got == 0)
		return wait_for_other(still, err);
	return got < 0 ? -1 : snapshot(still, &live, pause, err);
}

int still_take(struct still *still, const char *operand, bool pause, struct error *err)
{
	int got = 0;

	if (container_find(still->store, operand, &still->row, err) < 0 ||
	    store_session(still->store, err) < 0)
		return -1;
	for (int tries = 0; got == 0 && tries < TRIES; tries++)
		got = try_to_take(still, pause, err);
	if (got == 0)
		return err_set(err, ERR_IN_USE, "container %s is in use by other commands",
			       still->row.name);
	if (got < 0)
		return -1;
	crash_point("still-taken");
	/* It may have ended while its volume was ours, too. */
	if (still->row.state == CONTAINER_RUNNING && !procmark_is_alive(&still->row.process) &&
	    life_settle(still->store, err) < 0)
		return -1;
	return tidy(still, err);
}

int still_mount(struct still *still, struct error *err)
{
	struct store *store = still->store;

	if (volume_activate_sized(store->pool, still->id, still->row.size_bytes, VOLUME_READ_WRITE,
				  &still->volume, err) < 0)
		return -1;
	return volume_mount(still->volume, VOLUME_MOUNT_UNPACK, &still->mount_fd, err);
}

int still_unmount(struct still *still, struct error *err)
{
	int result = space_flush(still->mount_fd, err);

	if (result < 0)
		volume_explain(still->volume, err);
	close(take_fd(still->mount_fd));
	volume_free(take_ptr(still->volume));
	return result;
}

void still_done(struct still *still)
{
	struct error err;

	if (still->mount_fd >= 0) {
		volume_abandon(still->mount_fd);
		close(take_fd(still->mount_fd));
	}
	volume_free(take_ptr(still->volume));
	/* The end of the session tries again. */
	if (still->id && work_delete(still->store, still->id, &err) < 0)
		log_debug("volume %u: %s", still->id, err.text);
	still->id = 0;
	container_row_done(&still->row);
}
