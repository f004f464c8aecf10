/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tree_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "limits.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

struct walk {
	int roots[2]; /* parent, child */
	struct buf path;
	struct change_list *list;
};

/* One name in a directory that is open on one side or both. */
struct place {
	int dirs[2];
	const char *name;
	const char *path; /* for messages */
	struct stat st[2];
};

enum {
	PARENT,
	CHILD,
};

/* ---- are two entries the same? ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && (a->tv_nsec == b->tv_nsec || !a->tv_nsec || !b->tv_nsec);
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev))
		return false;
	if (S_ISDIR(a->st_mode))
		return true;
	return a->st_size == b->st_size && same_time(&a->st_mtim, &b->st_mtim);
}

/* Nothing about an inode changes without its ctime, from one tick of the clock to the next. */
static bool is_untouched(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int cannot(struct error *err, int number, const char *what, const char *path)
{
	return err_sys(err, number, "%s '%s'", what, path);
}

static int contents_differ(const struct place *at, struct error *err)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	auto_fd int old = openat(at->dirs[PARENT], at->name, flags);
	auto_fd int new = openat(at->dirs[CHILD], at->name, flags);
	auto_free char *left = xmalloc(CHUNK_BYTES);
	auto_free char *right = xmalloc(CHUNK_BYTES);

	if (old < 0 || new < 0)
		return cannot(err, errno, "open", at->path);
	for (;;) {
		ssize_t got, more;

		if (cancel_check(err) < 0)
			return -1;
		got = io_read(old, left, CHUNK_BYTES, err);
		more = io_read(new, right, CHUNK_BYTES, err);
		if (got < 0 || more < 0)
			return err_add(err, "'%s'", at->path);
		if (got != more || memcmp(left, right, (size_t)got) != 0)
			return 1;
		if ((size_t)got < CHUNK_BYTES)
			return 0;
	}
}

static int targets_differ(const struct place *at, struct error *err)
{
	char left[LIMIT_PATH_BYTES], right[LIMIT_PATH_BYTES];
	ssize_t got = readlinkat(at->dirs[PARENT], at->name, left, sizeof(left));
	ssize_t more = readlinkat(at->dirs[CHILD], at->name, right, sizeof(right));

	if (got < 0 || more < 0)
		return cannot(err, errno, "read link", at->path);
	return got != more || memcmp(left, right, (size_t)got) != 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in list and values in values, one after the other, sorted by name. */
static int read_xattrs(int dir_fd, const char *name, const char *path, struct buf *ret,
		       struct error *err)
{
	auto_free char *file = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
	auto_free char *list = xmalloc(LIMIT_XATTR_BYTES);
	auto_free char *value = NULL;
	const char *names[LIMIT_XATTRS];
	ssize_t len = llistxattr(file, list, LIMIT_XATTR_BYTES);
	size_t nr = 0;

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : cannot(err, errno, "list attributes of", path);
	for (ssize_t at = 0; at < len && nr < LIMIT_XATTRS; at += (ssize_t)strlen(list + at) + 1)
		names[nr++] = list + at;
	qsort(names, nr, sizeof(*names), compare_names);
	value = nr ? xmalloc(LIMIT_XATTR_BYTES) : NULL;
	for (size_t i = 0; i < nr; i++) {
		len = lgetxattr(file, names[i], value, LIMIT_XATTR_BYTES);
		if (len < 0)
			return cannot(err, errno, "read an attribute of", path);
		buf_append(ret, names[i], strlen(names[i]) + 1);
		buf_append(ret, &len, sizeof(len));
		buf_append(ret, value, (size_t)len);
	}
	return 0;
}

static int xattrs_differ(const struct place *at, struct error *err)
{
	auto_buf struct buf old = { 0 };
	auto_buf struct buf new = { 0 };

	if (read_xattrs(at->dirs[PARENT], at->name, at->path, &old, err) < 0 ||
	    read_xattrs(at->dirs[CHILD], at->name, at->path, &new, err) < 0)
		return -1;
	return old.len != new.len || (old.len && memcmp(old.data, new.data, old.len) != 0);
}

static int entries_differ(const struct place *at, struct error *err)
{
	int differ = 0;

	if (!same_stat(&at->st[PARENT], &at->st[CHILD]))
		return 1;
	if (is_untouched(&at->st[PARENT], &at->st[CHILD]))
		return 0;
	if (S_ISREG(at->st[CHILD].st_mode))
		differ = contents_differ(at, err);
	else if (S_ISLNK(at->st[CHILD].st_mode))
		differ = targets_differ(at, err);
	return differ ? differ : xattrs_differ(at, err);
}

/* ---- the walk ---- */

/* Sorted. */
static int list_names(int fd, const char *path, struct strlist *ret, struct error *err)
{
	auto_dir DIR *dir = NULL;
	auto_fd int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	if (copy < 0)
		return cannot(err, errno, "open", path);
	dir = fdopendir(copy);
	if (!dir)
		return cannot(err, errno, "read", path);
	(void)take_fd(copy);
	while (errno = 0, (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(ret, entry->d_name);
	if (errno)
		return cannot(err, errno, "read", path);
	if (ret->nr)
		qsort(ret->items, ret->nr, sizeof(*ret->items), compare_names);
	return 0;
}

static int open_dir(int root, const char *path, struct error *err)
{
	return path_open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
}

/* Directories to go into: names, and whether they were there. */
struct descent {
	struct strlist names;
	bool *was_dir;
	size_t cap;
};

static void descent_done(struct descent *descent)
{
	strlist_done(&descent->names);
	free(descent->was_dir);
}
#define auto_descent __attribute__((cleanup(descent_done)))

static void descend_later(struct descent *descent, const char *name, bool was_dir)
{
	if (descent->names.nr == descent->cap) {
		descent->cap = descent->cap ? descent->cap * 2 : 16;
		descent->was_dir = xrealloc(descent->was_dir, descent->cap * sizeof(bool));
	}
	descent->was_dir[descent->names.nr] = was_dir;
	strlist_add(&descent->names, name);
}

static int visit(struct walk *walk, struct place *at, struct descent *later, struct error *err)
{
	auto_free char *path =
		xasprintf("%s%s%s", walk->path.data, walk->path.len ? "/" : "", at->name);
	bool was_dir, is_dir;
	int differ;

	at->path = path;
	if (strlen(path) >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "the path '%.64s...' is too long", path);
	for (int side = PARENT; side <= CHILD; side++)
		if (at->dirs[side] >= 0 &&
		    fstatat(at->dirs[side], at->name, &at->st[side], AT_SYMLINK_NOFOLLOW) < 0)
			return cannot(err, errno, "look at", path);
	was_dir = at->dirs[PARENT] >= 0 && S_ISDIR(at->st[PARENT].st_mode);
	is_dir = at->dirs[CHILD] >= 0 && S_ISDIR(at->st[CHILD].st_mode);
	if (is_dir)
		descend_later(later, at->name, was_dir);
	if (at->dirs[CHILD] < 0) {
		change_list_add(walk->list, CHANGE_DELETED, was_dir, take_ptr(path));
		return 0;
	}
	if (at->dirs[PARENT] < 0) {
		change_list_add(walk->list, CHANGE_ADDED, is_dir, take_ptr(path));
		return 0;
	}
	differ = entries_differ(at, err);
	if (differ > 0)
		change_list_add(walk->list, CHANGE_MODIFIED, is_dir, take_ptr(path));
	return differ < 0 ? -1 : 0;
}

static int merge(struct walk *walk, const int dirs[2], struct descent *later, struct error *err)
{
	auto_strlist struct strlist old = { 0 };
	auto_strlist struct strlist new = { 0 };
	size_t i = 0, k = 0;

	if ((dirs[PARENT] >= 0 && list_names(dirs[PARENT], walk->path.data, &old, err) < 0) ||
	    list_names(dirs[CHILD], walk->path.data, &new, err) < 0)
		return -1;
	while (i < old.nr || k < new.nr) {
		struct place at = { .dirs = { dirs[PARENT], dirs[CHILD] } };
		int order = i == old.nr ? 1 : k == new.nr ? -1 : strcmp(old.items[i], new.items[k]);

		at.name = order > 0 ? new.items[k] : old.items[i];
		if (order < 0)
			at.dirs[CHILD] = -1;
		if (order > 0)
			at.dirs[PARENT] = -1;
		i += order <= 0;
		k += order >= 0;
		if (cancel_check(err) < 0 || visit(walk, &at, later, err) < 0)
			return -1;
	}
	return 0;
}

/* walk->path in both trees, or in the child alone. */
static int walk_dir(struct walk *walk, bool was_dir, struct error *err)
{
	auto_descent struct descent later = { 0 };
	size_t len = walk->path.len;

	{
		auto_fd int old = -1;
		auto_fd int new = open_dir(walk->roots[CHILD], walk->path.data, err);

		if (new < 0)
			return -1;
		if (was_dir) {
			old = open_dir(walk->roots[PARENT], walk->path.data, err);
			if (old < 0)
				return -1;
		}
		if (merge(walk, (const int[2]){ old, new }, &later, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < later.names.nr; i++) {
		if (len)
			buf_putc(&walk->path, '/');
		buf_puts(&walk->path, later.names.items[i]);
		if (walk_dir(walk, later.was_dir[i], err) < 0)
			return -1;
		walk->path.len = len;
		walk->path.data[len] = '\0';
	}
	return 0;
}

int tree_walk(int parent_fd, int child_fd, struct change_list *ret, struct error *err)
{
	struct walk walk = { .roots = { parent_fd, child_fd }, .list = ret };
	int result;

	buf_puts(&walk.path, "");
	result = walk_dir(&walk, parent_fd >= 0, err);
	buf_done(&walk.path);
	return result;
}

void change_list_add(struct change_list *list, enum change_kind kind, bool is_dir, char *path)
{
	if (list->nr == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
	}
	list->items[list->nr++] = (struct change){ kind, is_dir, path };
}
