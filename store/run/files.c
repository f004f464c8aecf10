/* SPDX-License-Identifier: Apache-2.0 */
#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "db/rows.h"
#include "layer/space.h"
#include "run/bundle.h"
#include "run/container.h"
#include "run/life.h"
#include "run/prepare.h"
#include "store.h"
#include "volume.h"

#define OTHER_WAIT_MS 60000

/* ---- binds and volumes ---- */

static const char *field(const json_t *mount, const char *key)
{
	const char *text = json_string_value(json_object_get(mount, key));

	return text ? text : "";
}

static int by_target(const void *a, const void *b)
{
	const struct bundle_mount *x = a, *y = b;

	return strcmp(x->target, y->target);
}

static void list_mounts(const struct files *files, struct bundle_mounts *ret)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(files->document, "Mounts"), i, mount)
	{
		const char *name = field(mount, "Name");
		auto_free char *source = *name ? prepare_volume_path(files->store, name)
					       : xstrdup(field(mount, "Source"));

		if (*source)
			bundle_mounts_add(ret, source, field(mount, "Destination"),
					  !json_is_true(json_object_get(mount, "RW")), NULL);
	}
	/* A folder before what is mounted within it. */
	if (ret->nr)
		qsort(ret->items, ret->nr, sizeof(*ret->items), by_target);
}

/* What is not there, as before the first start, is left out. */
static int bind_one(int root_fd, const struct bundle_mount *item, struct error *err)
{
	struct error absent;
	auto_fd int source = open(item->source, O_PATH | O_CLOEXEC);
	auto_fd int target = path_open_in_root(root_fd, item->target, O_PATH, 0, &absent);
	auto_fd int mounted = -1;
	auto_free char *from = xasprintf("/proc/self/fd/%d", source);
	auto_free char *to = xasprintf("/proc/self/fd/%d", target);
	auto_free char *on = NULL;

	if (source < 0 || target < 0) {
		log_debug("'%s' is not mounted: there is nothing yet", item->target);
		return 0;
	}
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, errno, "mount '%s'", item->target);
	if (!item->read_only)
		return 0;
	mounted = path_open_in_root(root_fd, item->target, O_PATH, 0, err);
	if (mounted < 0)
		return -1;
	on = xasprintf("/proc/self/fd/%d", mounted);
	if (mount(NULL, on, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return err_sys(err, errno, "mount '%s' read-only", item->target);
	return 0;
}

/* A namespace of our own, which sees what is unmounted outside. */
static int attach(struct files *files, struct error *err)
{
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	const char *id = files->still.row.id;

	list_mounts(files, &mounts);
	if (!mounts.nr)
		return 0;
	files->place = xasprintf("%s/containers/%s/files", files->store->root.path, id);
	if (io_make_dirs(files->place, 0711, err) < 0)
		return -1;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, errno, "make a mount namespace");
	if (volume_attach_mount(files->root_fd, files->place, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.nr; i++)
		if (bind_one(files->root_fd, &mounts.items[i], err) < 0)
			return -1;
	return 0;
}

static void detach(struct files *files)
{
	if (!files->place)
		return;
	umount2(files->place, MNT_DETACH);
	rmdir(files->place);
	free(take_ptr(files->place));
}

/* ---- to read ---- */

int files_open_read(struct files *files, const char *operand, struct error *err)
{
	if (still_take(&files->still, operand, false, err) < 0 ||
	    still_mount(&files->still, err) < 0 ||
	    container_document(&files->still.row, &files->document, err) < 0)
		return -1;
	files->root_fd = files->still.mount_fd;
	return attach(files, err);
}

/* ---- to write ---- */

static int read_row(struct files *files, const char *id, struct error *err)
{
	struct container_row row;
	int found = rows_container_get(files->store->db, id, &row, err);

	if (found == 0)
		err_set(err, ERR_NOT_FOUND, "No such container: %s", id);
	if (found <= 0)
		return -1;
	container_row_done(&files->still.row);
	files->still.row = row;
	return 0;
}

/* Nobody starts it from now on: the lock is waited for without the store's. */
static int hold(struct files *files, struct error *err)
{
	const char *id = files->still.row.id;
	auto_free char *folder = xasprintf("%s/containers/%s", files->store->root.path, id);
	auto_free char *lock = xasprintf("containers/%s/lock", id);

	if (io_make_dirs(folder, 0711, err) < 0)
		return -1;
	files->lock_fd = root_lock_file(&files->store->root, lock, OTHER_WAIT_MS, err);
	return files->lock_fd < 0 ? err_add(err, "container %s", files->still.row.name) : 0;
}

static int activate(struct files *files, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct store *store = files->store;
	struct container_row *row = &files->still.row;

	if (store_lock_pool(store, &held, err) < 0 || read_row(files, row->id, err) < 0)
		return -1;
	files->state_before = row->state;
	if (row->state == CONTAINER_STARTING)
		return err_set(err, ERR_IN_USE, "container %s is being started", row->name);
	if (container_ready(store, row, err) < 0)
		return -1;
	if (row->state != CONTAINER_RUNNING) {
		row->state = CONTAINER_STARTING;
		if (rows_container_set(store->db, row, err) < 0)
			return -1;
		crash_point("files-marked");
	}
	if (volume_activate_sized(store->pool, row->thin_id, row->size_bytes, VOLUME_READ_WRITE,
				  &files->volume, err) < 0)
		return -1;
	/* Its end deactivates that of a running one. */
	if (files->state_before == CONTAINER_RUNNING)
		volume_keep(files->volume);
	return volume_mount(files->volume, VOLUME_MOUNT_WRITE, &files->root_fd, err);
}

int files_open_write(struct files *files, const char *operand, struct error *err)
{
	if (container_find(files->store, operand, &files->still.row, err) < 0 ||
	    container_document(&files->still.row, &files->document, err) < 0 ||
	    hold(files, err) < 0 || activate(files, err) < 0)
		return -1;
	crash_point("files-open");
	return attach(files, err);
}

/* ---- the end ---- */

/* Everything that was mounted is gone; the container is as it was. */
static int release(struct files *files, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct container_row *row = &files->still.row;

	if (store_lock_pool(files->store, &held, err) < 0)
		return -1;
	volume_free(take_ptr(files->volume));
	if (row->state != CONTAINER_STARTING)
		return 0;
	row->state = files->state_before;
	return rows_container_set(files->store->db, row, err);
}

int files_close(struct files *files, struct error *err)
{
	int result = 0;

	if (files->volume && files->root_fd >= 0 && space_flush(files->root_fd, err) < 0)
		result = volume_explain(files->volume, err);
	crash_point("files-written");
	files_done(files);
	return result;
}

void files_done(struct files *files)
{
	bool writes = files->lock_fd >= 0;
	struct error err;

	detach(files);
	if (writes && files->root_fd >= 0)
		close(files->root_fd);
	files->root_fd = -1;
	if (writes && release(files, &err) < 0)
		log_warn("container %s: %s", files->still.row.name, err.text);
	volume_free(take_ptr(files->volume));
	if (files->lock_fd >= 0)
		close(take_fd(files->lock_fd));
	still_done(&files->still);
	json_decref(take_ptr(files->document));
}
