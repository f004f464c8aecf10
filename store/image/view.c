/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: a view's row is intended together with its thin id (writable)
 * or written before the mount (read-only), so whatever is mounted or attached
 * has a row. It is not settled before everything is there, nor from the moment
 * on in which it is being ended: a row that the next holder of the lock finds
 * so is ended by recover_views(). A settled row without a mount is what a
 * reboot leaves; unmount and detach clean it up.
 */
#include "image/view.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "db/rows_volume.h"
#include "image/viewtree.h"
#include "store.h"

void view_list_done(struct view_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].target);
	free(list->items);
	*list = (struct view_list){ 0 };
}

static void read_view(struct db_stmt *stmt, struct view *ret)
{
	*ret = (struct view){ 0 };
	ret->attached = db_int(stmt, 0) != 0;
	ret->writable = db_int(stmt, 1) != 0;
	ret->thin_id = (uint32_t)db_int(stmt, 2);
	ret->target = xstrdup(db_text(stmt, 3));
	db_digest(stmt, 4, &ret->image);
	ret->created_ns = db_int(stmt, 5);
	ret->verified = db_int(stmt, 6) != 0;
}

/* Only the kernel knows which views a reboot has ended. */
static int look_whether_active(struct store *store, struct view_list *list, struct error *err)
{
	struct volume_pool *pool;

	if (!list->nr)
		return 0;
	if (store_existing_pool(store, &pool, err) < 0)
		return -1;
	for (size_t i = 0; i < list->nr; i++) {
		struct view *view = &list->items[i];

		view->active = view->attached ? volume_is_active(pool, view->thin_id)
					      : volume_is_mounted(pool, view->thin_id);
	}
	return 0;
}

static int read_views(struct store *store, struct view_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT v.kind = 'attach', v.writable, v.thin_id, v.target, v.image,"
		       " v.created_ns, v.verity FROM view v JOIN thin t ON t.id = v.thin_id"
		       " WHERE t.state = 'live' AND v.settled ORDER BY v.created_ns, v.target",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		read_view(stmt, &ret->items[ret->nr++]);
	}
	return got;
}

int view_list(struct store *store, struct view_list *ret, struct error *err)
{
	return read_views(store, ret, err) < 0 ? -1 : look_whether_active(store, ret, err);
}

static int put_row(struct db *db, const struct view *view, struct error *err)
{
	return db_exec(db, err,
		       "INSERT INTO view (thin_id, kind, target, image, writable, created_ns,"
		       " verity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		       "issdiii", (int64_t)view->thin_id, view->attached ? "attach" : "mount",
		       view->target, &view->image, (int64_t)view->writable, rows_now_ns(),
		       (int64_t)view->verified);
}

/*
 * Under the store's lock. Records the view; a writable one gets its snapshot.
 * view->thin_id is filled.
 */
static int record(struct store *store, const struct image *image, struct view *view,
		  struct error *err)
{
	int64_t base = image_thin(store, image, err);
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (base < 0)
		return -1;
	view->image = image->id;
	view->thin_id = (uint32_t)base;
	if (view->writable && volume_pool_check_reserve(store->pool, err) < 0)
		return -1;
	if (db_begin(&tx, store->db, err) < 0 || journal_next_txid(store->db, &txid, err) < 0)
		return -1;
	if (view->writable && journal_intend_create(store->db, txid, "view", (uint32_t)base, 0,
						    &view->thin_id, err) < 0)
		return -1;
	if (put_row(store->db, view, err) < 0 ||
	    rows_image_used(store->db, &image->id, image->used_ns, err) < 0 ||
	    db_commit(&tx, err) < 0)
		return -1;
	return view->writable ? journal_fulfil(store->db, store->pool, txid, NULL, NULL, err) : 0;
}

static int settle(struct store *store, const struct view *view, bool settled, struct error *err)
{
	return db_exec(store->db, err,
		       "UPDATE view SET settled = ?3 WHERE kind = ?1 AND target = ?2", "ssi",
		       view->attached ? "attach" : "mount", view->target, (int64_t)settled);
}

/* Under the store's lock. Removes the row, and the snapshot of a writable view. */
static int forget(struct store *store, const struct view *view, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (db_begin(&tx, store->db, err) < 0 || journal_next_txid(store->db, &txid, err) < 0 ||
	    db_exec(store->db, err, "DELETE FROM view WHERE kind = ?1 AND target = ?2", "ss",
		    view->attached ? "attach" : "mount", view->target) < 0)
		return -1;
	if (view->writable && journal_intend_delete(store->db, txid, view->thin_id, err) < 0)
		return -1;
	if (db_commit(&tx, err) < 0)
		return -1;
	return view->writable ? journal_fulfil(store->db, store->pool, txid, NULL, NULL, err) : 0;
}

static int64_t count_views(struct store *store, uint32_t thin_id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, "SELECT count(*) FROM view WHERE thin_id = ?1", &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, thin_id);
	return db_step(stmt, err) < 0 ? -1 : db_int(stmt, 0);
}

static int activate(struct store *store, const struct view *view, struct volume **ret,
		    struct error *err)
{
	crash_point("view-recorded");
	return volume_activate(store->pool, view->thin_id,
			       view->writable ? VOLUME_READ_WRITE : VOLUME_READ_ONLY, ret, err);
}

/* Deactivates the thin id unless another view shows it too. */
static int stop(struct store *store, const struct view *view, struct error *err)
{
	int64_t others = count_views(store, view->thin_id, err);

	if (others < 0 ||
	    (view->verified &&
	     recover_stop_verified(&store->root, store->db, store->pool, view->thin_id, err) < 0))
		return -1;
	if (others > 1 || !volume_is_active(store->pool, view->thin_id))
		return 0;
	return volume_deactivate(store->pool, view->thin_id, err);
}

/* Takes back what record() did, after err was filled by something else. */
static int undo(struct store *store, const struct view *view)
{
	struct error ignored;

	if (stop(store, view, &ignored) < 0 || forget(store, view, &ignored) < 0)
		log_warn("%s '%s' stays recorded: %s", view->attached ? "attachment" : "mount",
			 view->target, ignored.text);
	return -1;
}

/* What is shown: the volume, or the verified device over it. */
struct shown {
	struct volume *volume;
	struct volume *verified; /* or NULL */
};

static void shown_done(struct shown *shown)
{
	volume_free(shown->verified);
	volume_free(shown->volume);
}
#define auto_shown __attribute__((cleanup(shown_done)))

static struct volume *top_of(const struct shown *shown)
{
	return shown->verified ? shown->verified : shown->volume;
}

static void keep_shown(struct shown *shown)
{
	volume_keep(shown->volume);
	if (shown->verified)
		volume_keep(shown->verified);
}

/* tree: NULL unless the view is a verified one. */
static int show(struct store *store, const struct view *view, struct viewtree *tree,
		struct shown *ret, struct error *err)
{
	auto_free char *path = NULL;

	if (activate(store, view, &ret->volume, err) < 0)
		return -1;
	if (!view->verified)
		return 0;
	if (viewtree_place(tree, view->thin_id, &path, err) < 0)
		return -1;
	crash_point("view-tree");
	if (volume_activate_verified(ret->volume, path, tree->root, &ret->verified, err) < 0)
		return -1;
	crash_point("view-verified");
	return 0;
}

static int mount_at(struct store *store, const struct view *view, struct viewtree *tree,
		    struct error *err)
{
	auto_shown struct shown shown = { 0 };
	auto_fd int mount_fd = -1;

	if (show(store, view, tree, &shown, err) < 0 ||
	    volume_mount(top_of(&shown), view->writable ? VOLUME_MOUNT_WRITE : VOLUME_MOUNT_VIEW,
			 &mount_fd, err) < 0 ||
	    volume_attach_mount(mount_fd, view->target, err) < 0)
		return -1;
	crash_point("view-mounted");
	if (settle(store, view, true, err) < 0)
		return -1;
	keep_shown(&shown);
	crash_point("view-made");
	return 0;
}

/* "mounts/<id12>", "mounts/<id12>-2", …: the first that nobody has. */
static int choose_dir(struct store *store, const struct image *image, char **ret, struct error *err)
{
	for (unsigned n = 1;; n++) {
		auto_free char *dir = n == 1 ? xasprintf("%s/mounts/%.12s", store->root.path,
							 digest_hex(&image->id))
					     : xasprintf("%s/mounts/%.12s-%u", store->root.path,
							 digest_hex(&image->id), n);

		if (mkdir(dir, 0755) == 0) {
			crash_point("view-folder");
			*ret = take_ptr(dir);
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(err, errno, "create mount point '%s'", dir);
	}
}

static int check_dir(const char *dir, char **ret, struct error *err)
{
	auto_free char *absolute = realpath(dir, NULL);
	struct stat st;

	if (!absolute || stat(absolute, &st) < 0)
		return err_sys(err, errno, "mount point '%s'", dir);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, ENOTDIR, "mount point '%s'", dir);
	*ret = take_ptr(absolute);
	return 0;
}

/* Before the lock: the image, and its hash tree, if there is to be one. */
static int prepare(struct store *store, const char *operand, const struct view *view,
		   struct image *ret_image, struct viewtree *ret_tree, struct error *err)
{
	if (image_find(store, operand, ret_image, NULL, err) < 0)
		return -1;
	return view->verified ? viewtree_make(store, ret_image, ret_tree, err) : 0;
}

int view_mount(struct store *store, const char *operand, enum view_kind kind, const char *dir,
	       char **ret_dir, struct error *err)
{
	auto_viewtree struct viewtree tree = { 0 };
	auto_root_lock struct root *held = NULL;
	auto_image struct image image = { 0 };
	struct view view = { .writable = kind == VIEW_WRITABLE, .verified = kind == VIEW_VERIFIED };
	auto_free char *target = NULL;

	if (prepare(store, operand, &view, &image, &tree, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0 ||
	    (dir ? check_dir(dir, &target, err) : choose_dir(store, &image, &target, err)) < 0)
		return -1;
	view.target = target;
	if (record(store, &image, &view, err) < 0) {
		if (!dir)
			rmdir(target);
		if (err->kind == ERR_EXISTS)
			err_set(err, ERR_IN_USE, "an image is mounted at '%s' already", target);
		return err_add(err, "mount %s", operand);
	}
	if (mount_at(store, &view, &tree, err) < 0) {
		undo(store, &view);
		if (!dir)
			rmdir(target);
		return err_add(err, "mount %s", operand);
	}
	*ret_dir = take_ptr(target);
	return 0;
}

static bool view_names(const struct view *view, const char *target, const char *absolute)
{
	const char *prefix = DEVLINK_DIR "/";

	if (!view->attached)
		return absolute && strcmp(view->target, absolute) == 0;
	if (strncmp(target, prefix, strlen(prefix)) == 0)
		target += strlen(prefix);
	return strcmp(view->target, target) == 0;
}

/* By target first, then by image; the entry of list that is meant, or NULL. */
static struct view *pick(struct store *store, struct view_list *list, bool attached,
			 const char *target, struct error *err)
{
	auto_free char *absolute = realpath(target, NULL);
	auto_image struct image image = { 0 };
	const char *verb = attached ? "attached" : "mounted";
	struct view *found = NULL;

	for (size_t i = 0; i < list->nr; i++) {
		if (list->items[i].attached == attached &&
		    view_names(&list->items[i], target, absolute))
			return &list->items[i];
	}
	if (image_find(store, target, &image, NULL, err) < 0) {
		err_set(err, ERR_NOT_FOUND, "'%s' is neither an image nor %s by veneer", target,
			verb);
		return NULL;
	}
	for (size_t i = 0; i < list->nr; i++) {
		if (list->items[i].attached != attached ||
		    !digest_equal(&list->items[i].image, &image.id))
			continue;
		if (found) {
			err_set(err, ERR_USAGE, "image %s is %s more than once: name '%s' or '%s'",
				target, verb, found->target, list->items[i].target);
			return NULL;
		}
		found = &list->items[i];
	}
	if (!found)
		err_set(err, ERR_NOT_FOUND, "image %s is not %s", target, verb);
	return found;
}

/* What is in use stays the view that it was; of an ill pool its volume goes when it is well. */
static int end(struct store *store, const struct view *view, bool ill, struct error *err)
{
	struct error ignored;

	if (settle(store, view, false, err) < 0)
		return -1;
	crash_point("view-ending");
	if (!view->attached && volume_unmount(store->pool, view->thin_id, view->target, err) < 0 &&
	    err->kind != ERR_NOT_FOUND) {
		settle(store, view, true, &ignored);
		return -1;
	}
	if (stop(store, view, err) < 0) {
		settle(store, view, true, &ignored);
		return -1;
	}
	crash_point("view-stopped");
	/* While there still is a row that knows of it. */
	if (view->attached && devlink_remove(view->target, err) < 0)
		return -1;
	return ill ? 0 : forget(store, view, err);
}

/*
 * The view to end, with the store locked. Looking before costs nothing, and no
 * pool is made for a view that does not exist.
 */
static struct view *lock_view(struct store *store, bool attached, const char *target,
			      struct root **ret_held, bool *ret_ill, struct view_list *list,
			      struct error *err)
{
	auto_view_list struct view_list before = { 0 };

	if (read_views(store, &before, err) < 0 || !pick(store, &before, attached, target, err) ||
	    store_lock_pool_to_end(store, ret_held, ret_ill, err) < 0 ||
	    view_list(store, list, err) < 0)
		return NULL;
	return pick(store, list, attached, target, err);
}

int view_unmount(struct store *store, const char *target, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_view_list struct view_list list = { 0 };
	struct view *view;
	bool ill;

	view = lock_view(store, false, target, &held, &ill, &list, err);
	if (!view)
		return err_add(err, "unmount");
	if (end(store, view, ill, err) < 0)
		return err_add(err, "unmount %s", target);
	root_remove_mount_point(&store->root, view->target);
	return 0;
}

/* Makes "team/app:1.2" a name for a device link: team-app-1.2 */
static char *name_of_operand(const char *operand)
{
	auto_buf struct buf name = { 0 };

	for (const char *at = operand; *at && name.len < DEVLINK_NAME_MAX; at++) {
		bool plain = isalnum((unsigned char)*at) || *at == '_' || (*at == '.' && name.len);

		buf_putc(&name, plain ? *at : '-');
	}
	return buf_take(&name);
}

/* Volumes have links there, too. */
static bool is_volume(struct store *store, const char *name)
{
	auto_volume_row struct volume_row row = { 0 };
	struct error ignored;

	return rows_volume_get(store->db, name, &row, &ignored) != 0;
}

static bool name_is_taken(struct store *store, const struct view_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (list->items[i].attached && strcmp(list->items[i].target, name) == 0)
			return true;
	}
	return is_volume(store, name);
}

static char *free_name(struct store *store, const struct view_list *list, const char *operand)
{
	auto_free char *base = name_of_operand(operand);
	char *name = xstrdup(base);

	for (unsigned n = 2; name_is_taken(store, list, name); n++) {
		free(name);
		name = xasprintf("%s-%u", base, n);
	}
	return name;
}

static int attach_at(struct store *store, const struct view *view, struct viewtree *tree,
		     struct error *err)
{
	auto_shown struct shown shown = { 0 };

	if (show(store, view, tree, &shown, err) < 0 ||
	    devlink_make(view->target, top_of(&shown), err) < 0)
		return -1;
	crash_point("view-linked");
	if (settle(store, view, true, err) < 0)
		return -1;
	keep_shown(&shown);
	crash_point("view-made");
	return 0;
}

int view_attach(struct store *store, const char *operand, enum view_kind kind, const char *name,
		char **ret_link, struct error *err)
{
	auto_viewtree struct viewtree tree = { 0 };
	auto_root_lock struct root *held = NULL;
	auto_image struct image image = { 0 };
	auto_view_list struct view_list list = { 0 };
	struct view view = { .attached = true,
			     .writable = kind == VIEW_WRITABLE,
			     .verified = kind == VIEW_VERIFIED };
	struct error ignored;
	auto_free char *target = NULL;

	if ((name && devlink_check_name(name, err) < 0) ||
	    prepare(store, operand, &view, &image, &tree, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0 || view_list(store, &list, err) < 0)
		return -1;
	if (name && name_is_taken(store, &list, name))
		return err_set(err, ERR_IN_USE,
			       "attach %s: '" DEVLINK_DIR "/%s' is taken: detach it or choose "
			       "another --name",
			       operand, name);
	target = name ? xstrdup(name) : free_name(store, &list, operand);
	view.target = target;
	if (record(store, &image, &view, err) < 0)
		return err_add(err, "attach %s", operand);
	if (attach_at(store, &view, &tree, err) < 0) {
		devlink_remove(target, &ignored);
		undo(store, &view);
		return err_add(err, "attach %s", operand);
	}
	*ret_link = xasprintf(DEVLINK_DIR "/%s", target);
	return 0;
}

int view_detach(struct store *store, const char *target, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_view_list struct view_list list = { 0 };
	struct view *view;
	bool ill;

	view = lock_view(store, true, target, &held, &ill, &list, err);
	if (!view)
		return err_add(err, "detach");
	if (end(store, view, ill, err) < 0)
		return err_add(err, "detach %s", target);
	return 0;
}
