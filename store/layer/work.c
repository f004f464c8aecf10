/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/work.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/rows.h"
#include "layer/space.h"
#include "store.h"
#include "volume.h"

int64_t work_thin_of_chain(struct store *store, const struct digest *chain, struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	int got;

	if (!digest_is_set(chain))
		return rows_template(store->db, err);
	got = rows_layer_get(store->db, chain, &row, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "parent layer %s is gone", chain->text);
	return got < 0 ? -1 : (int64_t)row.thin_id;
}

int work_snapshot_of(struct store *store, uint32_t origin,
		     int (*prepare)(void *ctx, struct error *err), void *ctx, uint32_t *ret_id,
		     struct error *err)
{
	uint64_t txid;
	uint32_t id;

	if (volume_pool_check_reserve(store->pool, err) < 0)
		return -1;
	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    journal_intend_create(store->db, txid, "work", origin, store->session, &id,
					  err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	if (journal_fulfil(store->db, store->pool, txid, prepare, ctx, err) < 0)
		return -1;
	*ret_id = id;
	return 0;
}

int work_delete(struct store *store, uint32_t id, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (store_lock_pool(store, &held, err) < 0 || db_begin(&tx, store->db, err) < 0 ||
	    journal_next_txid(store->db, &txid, err) < 0 ||
	    journal_intend_delete(store->db, txid, id, err) < 0 || db_commit(&tx, err) < 0)
		return -1;
	return journal_fulfil(store->db, store->pool, txid, NULL, NULL, err);
}

static int create(struct work *work, const struct digest *chain, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	int64_t origin;

	if (store_lock_pool(work->store, &held, err) < 0)
		return -1;
	origin = work_thin_of_chain(work->store, chain, err);
	if (origin < 0 ||
	    work_snapshot_of(work->store, (uint32_t)origin, NULL, NULL, &work->id, err) < 0)
		return -1;
	work->chain = *chain;
	work->discard = false;
	work->root = (struct stat){ 0 };
	crash_point("work-created");
	return volume_activate(work->store->pool, work->id, VOLUME_READ_WRITE, &work->volume, err);
}

int work_open_unmounted(struct work *work, const struct digest *chain, struct error *err)
{
	return create(work, chain, err) < 0 ? err_add(err, "working volume") : 0;
}

int work_mount(struct work *work, struct error *err)
{
	if (volume_mount(work->volume, VOLUME_MOUNT_UNPACK, &work->mount_fd, err) < 0)
		return err_add(err, "working volume");
	if (!work->root.st_mode && fstat(work->mount_fd, &work->root) < 0)
		return err_sys(err, errno, "look at the root folder");
	return 0;
}

void work_unmount(struct work *work)
{
	if (work->mount_fd >= 0)
		close(take_fd(work->mount_fd));
}

int work_open(struct work *work, const struct digest *chain, struct error *err)
{
	return work_open_unmounted(work, chain, err) < 0 ? -1 : work_mount(work, err);
}

/* Unmounting flushes whatever is dirty, so it happens before the lock is taken. */
int work_drop(struct work *work, struct error *err)
{
	uint32_t id = work->id;

	if (work->discard && work->mount_fd >= 0)
		volume_abandon(work->mount_fd);
	work_unmount(work);
	volume_free(take_ptr(work->volume));
	work->id = 0;
	return id ? work_delete(work->store, id, err) : 0;
}

void work_done(struct work *work)
{
	struct error err;

	if (work_drop(work, &err) < 0)
		log_debug("working volume: %s", err.text);
}

static int thaw(void *ctx, struct error *err)
{
	struct work *work = ctx;

	return volume_thaw(work->volume, err);
}

int work_restore_root(int root_fd, const struct stat *as, struct error *err)
{
	const struct timespec times[2] = { as->st_atim, as->st_mtim };
	/* That of a mount is O_PATH. */
	auto_fd int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    ((st.st_uid != as->st_uid || st.st_gid != as->st_gid) &&
	     fchown(fd, as->st_uid, as->st_gid) < 0) ||
	    (st.st_mode != as->st_mode && fchmod(fd, as->st_mode & 07777) < 0) ||
	    futimens(fd, times) < 0)
		return err_sys(err, errno, "restore the root folder");
	return 0;
}

int work_snapshot(struct work *work, bool trim, uint32_t *ret_id, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (work_restore_root(work->mount_fd, &work->root, err) < 0)
		return -1;
	if (space_flush(work->mount_fd, err) < 0) {
		volume_explain(work->volume, err);
		return err_add(err, "working volume");
	}
	if (store_lock_pool(work->store, &held, err) < 0 ||
	    volume_freeze(work->volume, work->mount_fd, trim, err) < 0)
		return -1;
	if (work_snapshot_of(work->store, work->id, thaw, work, ret_id, err) == 0)
		return 0;
	return -1; /* volume_free() thaws what is still frozen */
}
