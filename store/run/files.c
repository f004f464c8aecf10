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
#include "db/journal.h"
#include "db/rows.h"
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

/* Its own volume while it runs, else a snapshot of that. */
static int activate(struct files *files, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct store *store = files->store;
	struct container_row *row = &files->still.row;
	struct work *work = &files->work;
	bool runs;

	if (store_lock_pool(store, &held, err) < 0 || read_row(files, row->id, err) < 0)
		return -1;
	/* Killed since it was found: recovery takes our lock for that of the start, and lets it be. */
	if (row->state == CONTAINER_STARTING)
		return err_set(err, ERR_IN_USE, "container %s is being started", row->name);
	runs = row->state == CONTAINER_RUNNING;
	if (!runs && (container_ready(store, row, err) < 0 ||
		      work_snapshot_of(store, row->thin_id, NULL, NULL, &work->id, err) < 0))
		return -1;
	crash_point("files-snapshot");
	work->discard = !runs;
	if (volume_activate_sized(store->pool, runs ? row->thin_id : work->id, row->size_bytes,
				  VOLUME_READ_WRITE, &work->volume, err) < 0)
		return -1;
	if (!runs)
		return 0;
	/* Its end deactivates it. */
	volume_keep(work->volume);
	return volume_mount(work->volume, VOLUME_MOUNT_WRITE, &work->mount_fd, err);
}

int files_open_write(struct files *files, const char *operand, struct error *err)
{
	if (container_find(files->store, operand, &files->still.row, err) < 0 ||
	    container_document(&files->still.row, &files->document, err) < 0 ||
	    store_session(files->store, err) < 0 || hold(files, err) < 0 ||
	    activate(files, err) < 0 || (files->work.id && work_mount(&files->work, err) < 0))
		return -1;
	files->root_fd = files->work.mount_fd;
	crash_point("files-open");
	return attach(files, err);
}

int files_tree(struct files *files, struct tree_writer **ret, struct error *err)
{
	if (files->work.id && !files->place) {
		work_unmount(&files->work);
		files->root_fd = -1;
	}
	if (work_tree_open(&files->work, &files->tree, err) < 0)
		return -1;
	*ret = files->tree.tree;
	return 0;
}

/* ---- the end ---- */

/* Inside a transaction: the snapshot becomes the container's volume, and that goes away. */
static int swap(struct files *files, uint64_t txid, struct error *err)
{
	struct db *db = files->store->db;
	const struct container_row *row = &files->still.row;

	/* What goes shares its blocks with the new one. */
	if (journal_adopt(db, files->work.id, "container", row->init_id, err) < 0 ||
	    journal_set_origin(db, row->thin_id, files->work.id, err) < 0 ||
	    db_exec(db, err, "UPDATE container SET thin_id = ?2 WHERE id = ?1", "si", row->id,
		    (int64_t)files->work.id) < 0)
		return -1;
	return journal_intend_delete(db, txid, row->thin_id, err);
}

static int take_place(struct files *files, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct store *store = files->store;
	uint64_t txid;

	if (store_lock_pool(store, &held, err) < 0 || read_row(files, files->still.row.id, err) < 0)
		return -1; /* it may have been removed */
	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 || swap(files, txid, err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	files->work.id = 0;
	return journal_fulfil(store->db, store->pool, txid, NULL, NULL, err);
}

/* Nothing is mounted any more, and everything durable. */
static int settle_snapshot(struct files *files, struct error *err)
{
	bool mounted = files->work.mount_fd >= 0; /* blocks were flushed as such */
	int result;

	work_unmount(&files->work);
	result = mounted ? volume_sync(files->work.volume, err) : 0;
	volume_free(take_ptr(files->work.volume));
	return result;
}

static int close_written(struct files *files, struct error *err)
{
	if (work_tree_flush(&files->tree, err) < 0)
		return -1;
	crash_point("files-written");
	detach(files);
	work_tree_close(&files->tree);
	if (!files->work.id) /* it may have ended meanwhile */
		return work_drop(&files->work, err) < 0 ? -1 : life_settle(files->store, err);
	return settle_snapshot(files, err) < 0 ? -1 : take_place(files, err);
}

int files_close(struct files *files, struct error *err)
{
	int result = files->work.volume ? close_written(files, err) : 0;

	files_done(files);
	return result;
}

void files_done(struct files *files)
{
	detach(files);
	work_tree_close(&files->tree);
	work_done(&files->work);
	files->root_fd = -1;
	if (files->lock_fd >= 0)
		close(take_fd(files->lock_fd));
	still_done(&files->still);
	json_decref(take_ptr(files->document));
}
