/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "layer/tree_walk.h"

static bool is_below(const char *path, const char *const *tops)
{
	for (; tops && *tops; tops++) {
		size_t len = strlen(*tops);

		if (strncmp(path, *tops, len) == 0 && (!path[len] || path[len] == '/'))
			return true;
	}
	return false;
}

static void drop_hidden(struct change_list *list, const char *const *hidden)
{
	size_t nr = 0;

	for (size_t i = 0; i < list->nr; i++) {
		if (is_below(list->items[i].path, hidden))
			free(list->items[i].path);
		else
			list->items[nr++] = list->items[i];
	}
	list->nr = nr;
}

static int compare_paths(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void sort(struct change_list *list)
{
	if (list->nr)
		qsort(list->items, list->nr, sizeof(*list->items), compare_paths);
}

/* The length of the directory's path in front of the last slash; 0 in the root. */
static size_t dir_len(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* The directories above the first nr changes, which are sorted, that have none themselves. */
static void find_dirs_above(struct change_list *list, size_t nr)
{
	const char *last = NULL; /* neighbours share their directory */
	size_t last_len = 0;

	for (size_t i = 0; i < nr; i++) {
		const char *path = list->items[i].path;
		size_t len = dir_len(path, strlen(path));

		if (last && len == last_len && strncmp(last, path, len) == 0)
			continue;
		last = path;
		last_len = len;
		for (; len; len = dir_len(path, len)) {
			auto_free char *dir = xasprintf("%.*s", (int)len, path);
			struct change above = { CHANGE_MODIFIED, true, dir };

			/* It has a turn itself. */
			if (bsearch(&above, list->items, nr, sizeof(above), compare_paths))
				break;
			change_list_add(list, CHANGE_MODIFIED, true, take_ptr(dir));
		}
	}
}

static void add_dirs_above(struct change_list *list)
{
	size_t kept = 0;

	find_dirs_above(list, list->nr);
	sort(list);
	for (size_t i = 0; i < list->nr; i++) {
		if (kept && strcmp(list->items[kept - 1].path, list->items[i].path) == 0)
			free(list->items[i].path);
		else
			list->items[kept++] = list->items[i];
	}
	list->nr = kept;
}

void change_list_complete(struct change_list *list, const char *const *hidden)
{
	drop_hidden(list, hidden);
	sort(list);
	add_dirs_above(list);
}

void change_list_done(struct change_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct change_list){ 0 };
}

/* Returns 1 when it was done, 0 when the trees have to be walked, -1. */
static int diff_by_blocks(const struct diff_args *args, struct change_list *ret, struct error *err)
{
	static const enum change_kind kinds[] = {
		[VOLUME_ADDED] = CHANGE_ADDED,
		[VOLUME_CHANGED] = CHANGE_MODIFIED,
		[VOLUME_DELETED] = CHANGE_DELETED,
	};
	auto_volume_changes struct volume_changes changes = { 0 };

	if (volume_changes(args->pool, args->parent_id, args->child_id, args->child_bytes, &changes,
			   err) < 0)
		return -1;
	if (changes.must_walk) {
		log_debug("walking both trees: %s", changes.why);
		return 0;
	}
	for (size_t i = 0; i < changes.nr; i++) {
		struct volume_change *item = &changes.items[i];

		change_list_add(ret, kinds[item->kind], item->is_dir, take_ptr(item->path));
	}
	ret->blocks_read = changes.blocks_read;
	ret->nodes_read = changes.nodes_read;
	return 1;
}

static int diff_by_walk(const struct diff_args *args, struct change_list *ret, struct error *err)
{
	auto_volume struct volume *parent = NULL;
	auto_volume struct volume *child = NULL;
	auto_fd int parent_fd = -1;
	auto_fd int child_fd = -1;

	if (volume_activate_to_read(args->pool, args->parent_id, 0, &parent, err) < 0 ||
	    volume_activate_to_read(args->pool, args->child_id, args->child_bytes, &child, err) <
		    0 ||
	    volume_mount(parent, VOLUME_MOUNT_VIEW, &parent_fd, err) < 0 ||
	    volume_mount(child, VOLUME_MOUNT_VIEW, &child_fd, err) < 0)
		return -1;
	ret->walked = true;
	return tree_walk(parent_fd, child_fd, ret, err);
}

int diff_volumes(const struct diff_args *args, struct change_list *ret, struct error *err)
{
	auto_change_list struct change_list list = { 0 };
	int done = args->walk ? 0 : diff_by_blocks(args, &list, err);

	if (done < 0 || (done == 0 && diff_by_walk(args, &list, err) < 0))
		return -1;
	change_list_complete(&list, args->hidden);
	*ret = list;
	list = (struct change_list){ 0 };
	return 0;
}

int diff_trees(int parent_fd, int child_fd, const char *const *hidden, struct change_list *ret,
	       struct error *err)
{
	auto_change_list struct change_list list = { .walked = true };

	if (tree_walk(parent_fd, child_fd, &list, err) < 0)
		return -1;
	change_list_complete(&list, hidden);
	*ret = list;
	list = (struct change_list){ 0 };
	return 0;
}
