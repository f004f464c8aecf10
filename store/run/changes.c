/* SPDX-License-Identifier: Apache-2.0 */
#include "run/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "run/container.h"
#include "run/stubs.h"
#include "store.h"

int container_changes(struct still *still, const char *operand, struct change_list *ret,
		      struct error *err)
{
	struct diff_args args = { .hidden = stubs_paths };

	if (still_take(still, operand, false, err) < 0)
		return -1;
	args.pool = still->store->pool;
	args.parent_id = still->row.init_id;
	args.child_id = still->id;
	args.child_bytes = still->row.size_bytes;
	return diff_volumes(&args, ret, err);
}

/* A file with several names. */
struct linked {
	ino_t inode;
	int64_t bytes;
};

static int compare_linked(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int64_t sum_linked(struct linked *linked, size_t nr)
{
	int64_t ret = 0;

	if (nr)
		qsort(linked, nr, sizeof(*linked), compare_linked);
	for (size_t i = 0; i < nr; i++)
		ret += i && linked[i].inode == linked[i - 1].inode ? 0 : linked[i].bytes;
	return ret;
}

static int sum_files(int root_fd, const struct change_list *changes, int64_t *ret,
		     struct error *err)
{
	auto_free struct linked *linked = xcalloc(changes->nr + 1, sizeof(*linked));
	size_t nr = 0;

	*ret = 0;
	for (size_t i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->items[i];
		struct stat st;

		if (change->kind == CHANGE_DELETED || change->is_dir)
			continue;
		if (cancel_check(err) < 0)
			return -1;
		if (fstatat(root_fd, change->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "read the size of '/%s'", change->path);
		if (st.st_nlink > 1)
			linked[nr++] = (struct linked){ st.st_ino, st.st_size };
		else
			*ret += st.st_size;
	}
	*ret += sum_linked(linked, nr);
	return 0;
}

int container_file_bytes(struct store *store, const struct container_row *row, int64_t *ret,
			 struct error *err)
{
	auto_change_list struct change_list changes = { 0 };
	auto_still struct still still = STILL_NONE(store);

	if (container_own_bytes(store, row, ret, err) < 0)
		return -1;
	if (*ret == 0 && row->state != CONTAINER_RUNNING)
		return 0;
	*ret = 0;
	if (container_changes(&still, row->id, &changes, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1; /* removed meanwhile */
	if (still_mount(&still, err) < 0)
		return -1;
	return sum_files(still.mount_fd, &changes, ret, err);
}
