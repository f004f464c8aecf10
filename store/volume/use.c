/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "store.h"
#include "volume/volumes.h"

static int activate(struct store *store, const struct volume_row *row, struct volume **ret,
		    struct error *err)
{
	crash_point("volume-use-recorded");
	return volume_activate_sized(store->pool, row->thin_id, row->size_bytes,
				     row->read_only ? VOLUME_READ_ONLY : VOLUME_READ_WRITE, ret,
				     err);
}

/* What is recorded when nobody uses it. */
static int set_unused(struct store *store, struct volume_row *row, struct error *err)
{
	if (devlink_remove(row->name, err) < 0)
		return -1;
	free(row->target);
	row->target = xstrdup("");
	row->attached = false;
	return rows_volume_use(store->db, row, true, err);
}

/* After err was filled by something else. */
static int undo(struct store *store, struct volume_row *row)
{
	struct error ignored;

	if (set_unused(store, row, &ignored) < 0)
		log_warn("volume '%s': %s", row->name, ignored.text);
	return -1;
}

/* The volume by name, link or mount point, with the store locked; of an ill pool only to end its use. */
static int lock_used(struct store *store, const char *target, bool to_end, struct root **ret_held,
		     struct volume_row *ret, struct error *err)
{
	static const char links[] = DEVLINK_DIR "/";
	auto_free char *absolute = realpath(target, NULL);
	auto_volume_rows struct volume_rows rows = { 0 };
	const char *name = NULL;
	bool ill;

	if (rows_volume_list(store->db, &rows, err) < 0)
		return -1;
	if (strncmp(target, links, strlen(links)) == 0)
		target += strlen(links);
	for (size_t i = 0; i < rows.nr; i++)
		if (strcmp(rows.items[i].name, target) == 0 ||
		    (absolute && strcmp(rows.items[i].target, absolute) == 0))
			name = rows.items[i].name;
	if (!name)
		return err_set(err, ERR_NOT_FOUND, "no such volume: %s", target);
	if ((to_end ? store_lock_pool_to_end(store, ret_held, &ill, err)
		    : store_lock_pool(store, ret_held, err)) < 0)
		return -1;
	return volumes_find(store, name, ret, err);
}

/* ---- mounts ---- */

static int choose_dir(struct store *store, const char *name, const char *wanted, char **ret,
		      struct error *err)
{
	auto_free char *own = xasprintf("%s/mounts/%s", store->root.path, name);
	struct stat st;

	if (!wanted && mkdir(own, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create mount point '%s'", own);
	*ret = realpath(wanted ?: own, NULL);
	if (!*ret || stat(*ret, &st) < 0)
		return err_sys(err, errno, "mount point '%s'", wanted ?: own);
	return S_ISDIR(st.st_mode) ? 0 : err_sys(err, ENOTDIR, "mount point '%s'", *ret);
}

static int mount_it(struct store *store, struct volume_row *row, const char *options,
		    struct error *err)
{
	auto_volume struct volume *volume = NULL;
	auto_fd int mount_fd = -1;

	if (rows_volume_use(store->db, row, false, err) < 0 ||
	    activate(store, row, &volume, err) < 0 ||
	    volume_mount(volume, row->read_only ? VOLUME_MOUNT_VIEW : VOLUME_MOUNT_WRITE, &mount_fd,
			 err) < 0 ||
	    volume_mount_options(mount_fd, options, err) < 0 ||
	    volume_attach_mount(mount_fd, row->target, err) < 0)
		return -1;
	crash_point("volume-mounted");
	if (devlink_make(row->name, volume, err) < 0 ||
	    rows_volume_use(store->db, row, true, err) < 0) {
		struct error ignored;

		volume_unmount(store->pool, row->thin_id, row->target, &ignored);
		return -1;
	}
	volume_keep(volume);
	return 0;
}

/* Returns 1 when it is mounted there already, 0 when nobody uses it, -1. */
static int look(struct store *store, const struct volume_row *row, const char *dir,
		struct error *err)
{
	auto_free char *absolute = dir ? realpath(dir, NULL) : NULL;
	enum volume_use use;

	if (row->raw)
		return err_set(err, ERR_USAGE,
			       "it is raw: 'veneer volume attach %s' gives its device", row->name);
	if (volumes_use(store, row, &use, err) < 0)
		return -1;
	if (use == VOLUME_ATTACHED)
		return err_set(err, ERR_IN_USE,
			       "it is attached as " DEVLINK_DIR
			       "/%s: 'veneer volume detach %s' first",
			       row->name, row->name);
	if (use == VOLUME_UNUSED)
		return 0;
	if (*row->target && (!dir || (absolute && strcmp(absolute, row->target) == 0)))
		return 1;
	return err_set(err, ERR_IN_USE, "it is mounted%s%s already", *row->target ? " at " : "",
		       row->target);
}

static int mount_volume(struct store *store, struct volume_row *row, const char *dir,
			const char *options, struct error *err)
{
	int there = look(store, row, dir, err);

	if (there)
		return there < 0 ? -1 : 0;
	free(take_ptr(row->target));
	row->attached = false;
	if (choose_dir(store, row->name, dir, &row->target, err) < 0)
		return -1;
	if (mount_it(store, row, options, err) == 0)
		return 0;
	root_remove_mount_point(&store->root, row->target);
	return undo(store, row);
}

int volumes_mount(struct store *store, const char *name, const char *dir, const char *options,
		  char **ret_dir, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_used(store, name, false, &held, &row, err) < 0)
		return -1;
	if (mount_volume(store, &row, dir, options, err) < 0)
		return err_add(err, "mount volume %s", name);
	*ret_dir = take_ptr(row.target);
	return 0;
}

/* What is in use stays as it was. */
static int stop(struct store *store, struct volume_row *row, struct error *err)
{
	struct error ignored;
	int result;

	if (rows_volume_use(store->db, row, false, err) < 0)
		return -1;
	crash_point("volume-ending");
	result = *row->target ? volume_unmount(store->pool, row->thin_id, row->target, err) : 0;
	if (result < 0 && err->kind == ERR_NOT_FOUND)
		result = 0;
	if (result == 0)
		result = volume_deactivate(store->pool, row->thin_id, err);
	if (result < 0) {
		rows_volume_use(store->db, row, true, &ignored);
		return -1;
	}
	crash_point("volume-stopped");
	return set_unused(store, row, err);
}

static int unmount_volume(struct store *store, struct volume_row *row, struct error *err)
{
	auto_free char *dir = xstrdup(row->target);
	enum volume_use use;

	if (volumes_use(store, row, &use, err) < 0)
		return -1;
	if (use == VOLUME_MOUNTED && !*dir)
		return err_set(err, ERR_IN_USE,
			       "somebody else has mounted its device: 'umount " DEVLINK_DIR "/%s'",
			       row->name);
	/* A boot has ended it, or somebody's umount. */
	if (use == VOLUME_UNUSED && !*dir)
		return err_set(err, ERR_NOT_FOUND, "it is not mounted");
	if (use == VOLUME_ATTACHED && !*dir)
		return err_set(err, ERR_IN_USE,
			       "it is attached, not mounted: 'veneer volume detach %s'", row->name);
	if (stop(store, row, err) < 0)
		return -1;
	root_remove_mount_point(&store->root, dir);
	return 0;
}

int volumes_unmount(struct store *store, const char *target, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_used(store, target, true, &held, &row, err) < 0)
		return -1;
	if (unmount_volume(store, &row, err) < 0)
		return err_add(err, "unmount volume %s", target);
	return 0;
}

/* ---- devices ---- */

static int attach_it(struct store *store, struct volume_row *row, struct error *err)
{
	auto_volume struct volume *volume = NULL;

	if (rows_volume_use(store->db, row, false, err) < 0 ||
	    activate(store, row, &volume, err) < 0 || devlink_make(row->name, volume, err) < 0)
		return -1;
	crash_point("volume-linked");
	if (rows_volume_use(store->db, row, true, err) < 0)
		return -1;
	volume_keep(volume);
	return 0;
}

static int attach_volume(struct store *store, struct volume_row *row, struct error *err)
{
	enum volume_use use;

	if (volumes_use(store, row, &use, err) < 0)
		return -1;
	/* Attached: its link is made anew, whatever has become of it. */
	if (use == VOLUME_MOUNTED && !row->attached)
		return err_set(err, ERR_IN_USE,
			       "it is mounted at %s: 'veneer volume unmount %s' first", row->target,
			       row->name);
	if (use == VOLUME_MOUNTED)
		return 0;
	free(row->target);
	row->target = xstrdup("");
	row->attached = true;
	if (attach_it(store, row, err) == 0)
		return 0;
	return use == VOLUME_UNUSED ? undo(store, row) : -1;
}

int volumes_attach(struct store *store, const char *name, char **ret_link, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_used(store, name, false, &held, &row, err) < 0)
		return -1;
	if (attach_volume(store, &row, err) < 0)
		return err_add(err, "attach volume %s", name);
	*ret_link = xasprintf(DEVLINK_DIR "/%s", row.name);
	return 0;
}

static int detach_volume(struct store *store, struct volume_row *row, struct error *err)
{
	enum volume_use use;

	if (volumes_use(store, row, &use, err) < 0)
		return -1;
	if (use == VOLUME_UNUSED && !row->attached)
		return err_set(err, ERR_NOT_FOUND, "it is not attached");
	if (use == VOLUME_MOUNTED && row->attached)
		return err_set(err, ERR_IN_USE,
			       "its device is mounted: 'umount " DEVLINK_DIR "/%s' first",
			       row->name);
	if (use == VOLUME_MOUNTED)
		return err_set(err, ERR_IN_USE, "it is mounted at %s: 'veneer volume unmount %s'",
			       row->target, row->name);
	return stop(store, row, err);
}

int volumes_detach(struct store *store, const char *target, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_used(store, target, true, &held, &row, err) < 0)
		return -1;
	if (detach_volume(store, &row, err) < 0)
		return err_add(err, "detach volume %s", target);
	return 0;
}
