/* SPDX-License-Identifier: Apache-2.0 */
#include "run/localvolume.h"

#include <errno.h>
#include <fts.h>
#include <search.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "db/db.h"
#include "db/recover_container.h"
#include "store.h"

void local_volume_list_done(struct local_volume_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct local_volume_list){ 0 };
}

struct file_id {
	dev_t device;
	ino_t inode;
};

static int compare_ids(const void *a, const void *b)
{
	const struct file_id *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* Is it the first name of its file that is met? */
static bool is_new(void **seen, const struct stat *st)
{
	struct file_id *id;
	void *found;

	if (st->st_nlink < 2)
		return true;
	id = xmalloc(sizeof(*id));
	*id = (struct file_id){ st->st_dev, st->st_ino };
	found = tsearch(id, seen, compare_ids);
	if (found && *(struct file_id **)found == id)
		return true;
	free(id);
	return false;
}

static int add_tree(const char *folder, int64_t *bytes, struct error *err)
{
	char *paths[] = { (char *)folder, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	void *seen = NULL;
	int result = 0;
	FTSENT *entry;

	if (!tree)
		return err_sys(err, errno, "read '%s'", folder);
	while (result == 0 && (entry = fts_read(tree))) {
		if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode) &&
		    is_new(&seen, entry->fts_statp))
			*bytes += entry->fts_statp->st_size;
		result = cancel_check(err);
	}
	fts_close(tree);
	tdestroy(seen, free);
	return result;
}

/* Those of a statement; then their sizes. */
static int read_volumes(struct store *store, struct db_stmt *stmt, struct local_volume_list *ret,
			struct error *err)
{
	auto_local_volume_list struct local_volume_list list = { 0 };
	int got;

	while ((got = db_step(stmt, err)) > 0) {
		list.items = xrealloc(list.items, (list.nr + 1) * sizeof(*list.items));
		list.items[list.nr++] = (struct local_volume){ .name = xstrdup(db_text(stmt, 0)),
							       .anonymous = db_int(stmt, 1),
							       .created_ns = db_int(stmt, 2),
							       .nr_containers = db_int(stmt, 3) };
	}
	for (size_t i = 0; got == 0 && i < list.nr; i++) {
		auto_free char *folder =
			xasprintf("%s/volumes/%s", store->root.path, list.items[i].name);

		got = add_tree(folder, &list.items[i].size_bytes, err);
	}
	if (got < 0)
		return -1;
	*ret = list;
	list = (struct local_volume_list){ 0 };
	return 0;
}

#define COLUMNS                                                        \
	"SELECT name, anonymous, created_ns,"                          \
	" (SELECT COUNT(*) FROM container_volume WHERE volume = name)" \
	" FROM local_volume "

int local_volume_list(struct store *store, struct local_volume_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, COLUMNS "ORDER BY name", &stmt, err) < 0)
		return -1;
	return read_volumes(store, stmt, ret, err);
}

int local_volume_find(struct store *store, const char *name, struct local_volume_list *ret,
		      struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, COLUMNS "WHERE name = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	return read_volumes(store, stmt, ret, err);
}

static int check_exists(struct store *store, const char *name, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db, "SELECT 1 FROM local_volume WHERE name = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got == 0)
		err_set(err, ERR_NOT_FOUND, "no such volume: %s", name);
	return got > 0 ? 0 : -1;
}

static int check_unused(struct store *store, const char *name, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	auto_strlist struct strlist users = { 0 };
	auto_buf struct buf text = { 0 };

	if (db_prepare(store->db,
		       "SELECT container FROM container_volume WHERE volume = ?1 ORDER BY 1", &stmt,
		       err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	if (db_texts(stmt, &users, err) < 0)
		return -1;
	for (size_t i = 0; i < users.nr; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", users.items[i]);
	return users.nr ? err_set(err, ERR_IN_USE, "volume is in use - [%.600s]", text.data) : 0;
}

static int remove_it(struct store *store, const char *name, struct error *err)
{
	if (recover_hide_volume(&store->root, name, err) < 0)
		return -1;
	crash_point("local-volume-hidden");
	if (db_exec(store->db, err, "DELETE FROM local_volume WHERE name = ?1", "s", name) < 0) {
		struct error ignored;

		recover_container_folders(&store->root, store->db, &ignored);
		return -1;
	}
	crash_point("local-volume-forgotten");
	return recover_remove_hidden_volume(&store->root, name, err);
}

int local_volume_remove(struct store *store, const char *name, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (store_lock_pool(store, &held, err) < 0 || check_exists(store, name, err) < 0)
		return -1;
	if (check_unused(store, name, err) < 0 || remove_it(store, name, err) < 0)
		return err_add(err, "remove %s", name);
	return 0;
}
