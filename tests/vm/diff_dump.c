/* SPDX-License-Identifier: Apache-2.0 */
#include "diff_dump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"

#define LINES_MAX 10u

struct comparison {
	const struct change_list *changes;
	int roots[2]; /* want, got */
	struct buf *why;
	unsigned lines;
};

static void differ(struct comparison *cmp, const char *path, const char *what)
{
	if (cmp->lines++ < LINES_MAX)
		buf_printf(cmp->why, "      '%s': %s\n", path, what);
}

static bool is_listed(const struct comparison *cmp, const char *path)
{
	for (size_t i = 0; i < cmp->changes->nr; i++)
		if (strcmp(cmp->changes->items[i].path, path) == 0)
			return cmp->changes->items[i].kind != CHANGE_DELETED;
	return false;
}

static void content_of(int root, const char *path, struct digest *ret)
{
	auto_fd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_hasher struct hasher *hasher = hasher_new();
	char data[65536];
	ssize_t got;

	while ((got = read(fd, data, sizeof(data))) > 0)
		hasher_add(hasher, data, (size_t)got);
	hasher_end(hasher, ret);
}

/* Is every attribute of the one the other's, too? */
static bool has_xattrs(int root_a, int root_b, const char *path)
{
	auto_free char *a = xasprintf("/proc/self/fd/%d/%s", root_a, path);
	auto_free char *b = xasprintf("/proc/self/fd/%d/%s", root_b, path);
	char names[4096], x[8192], y[8192];
	ssize_t len = llistxattr(a, names, sizeof(names));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t x_len = lgetxattr(a, names + at, x, sizeof(x));
		ssize_t y_len = lgetxattr(b, names + at, y, sizeof(y));

		if (x_len < 0 || x_len != y_len || memcmp(x, y, (size_t)x_len) != 0)
			return false;
	}
	return true;
}

static void compare_special(struct comparison *cmp, const char *path, const struct stat st[2])
{
	char x[4096] = { 0 }, y[4096] = { 0 };

	if (S_ISREG(st[0].st_mode)) {
		struct digest a, b;

		content_of(cmp->roots[0], path, &a);
		content_of(cmp->roots[1], path, &b);
		if (st[0].st_size != st[1].st_size || !digest_equal(&a, &b))
			differ(cmp, path, "content");
	} else if (S_ISLNK(st[0].st_mode)) {
		if (readlinkat(cmp->roots[0], path, x, sizeof(x)) < 0 ||
		    readlinkat(cmp->roots[1], path, y, sizeof(y)) < 0 || strcmp(x, y) != 0)
			differ(cmp, path, "target");
	} else if (!S_ISDIR(st[0].st_mode) && st[0].st_rdev != st[1].st_rdev) {
		differ(cmp, path, "device number");
	}
}

static void compare_entry(struct comparison *cmp, const char *path, const struct stat st[2])
{
	bool is_dir = S_ISDIR(st[0].st_mode);

	if (st[0].st_mode != st[1].st_mode) {
		differ(cmp, path, "mode");
		return;
	}
	if (st[0].st_uid != st[1].st_uid || st[0].st_gid != st[1].st_gid)
		differ(cmp, path, "owner");
	if (st[0].st_mtim.tv_sec != st[1].st_mtim.tv_sec && (!is_dir || is_listed(cmp, path)))
		differ(cmp, path, "mtime");
	compare_special(cmp, path, st);
	if (!has_xattrs(cmp->roots[0], cmp->roots[1], path) ||
	    (!is_dir && !has_xattrs(cmp->roots[1], cmp->roots[0], path)))
		differ(cmp, path, "attributes");
}

static void compare_dirs(struct comparison *cmp, const char *path);

static void compare_path(struct comparison *cmp, const char *path)
{
	struct stat st[2];
	int missing[2];

	for (int i = 0; i < 2; i++)
		missing[i] = fstatat(cmp->roots[i], path, &st[i], AT_SYMLINK_NOFOLLOW);
	if (missing[0] == 0 && S_ISSOCK(st[0].st_mode))
		return;
	if (missing[0] || missing[1]) {
		differ(cmp, path, missing[0] ? "must not be there" : "is missing");
		return;
	}
	compare_entry(cmp, path, st);
	if (S_ISDIR(st[0].st_mode) && S_ISDIR(st[1].st_mode))
		compare_dirs(cmp, path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in either of the two, one after the other. */
static void compare_dirs(struct comparison *cmp, const char *path)
{
	auto_strlist struct strlist names = { 0 };

	for (int i = 0; i < 2; i++) {
		int fd = openat(cmp->roots[i], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				strlist_add(&names, entry->d_name);
	}
	if (names.nr)
		qsort(names.items, names.nr, sizeof(*names.items), by_name);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *sub = strcmp(path, ".") == 0
					      ? xstrdup(names.items[i])
					      : xasprintf("%s/%s", path, names.items[i]);

		if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0)
			compare_path(cmp, sub);
	}
}

/* Two names in the list that are one file are one file in the result. */
static void compare_links(struct comparison *cmp)
{
	const struct change_list *list = cmp->changes;
	ino_t *want = xcalloc(list->nr + 1, sizeof(*want));
	ino_t *got = xcalloc(list->nr + 1, sizeof(*got));
	struct stat st;

	for (size_t i = 0; i < list->nr; i++) {
		const char *path = list->items[i].path;

		if (list->items[i].kind == CHANGE_DELETED || list->items[i].is_dir ||
		    fstatat(cmp->roots[0], path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink < 2 ||
		    S_ISSOCK(st.st_mode))
			continue;
		want[i] = st.st_ino;
		if (fstatat(cmp->roots[1], path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			got[i] = st.st_ino;
		for (size_t k = 0; k < i; k++)
			if (want[k] && (want[k] == want[i]) != (got[k] == got[i])) {
				differ(cmp, path, "hard link");
				break;
			}
	}
	free(want);
	free(got);
}

bool dump_same(int want_fd, int got_fd, const struct change_list *changes, struct buf *why)
{
	struct comparison cmp = { .changes = changes, .roots = { want_fd, got_fd }, .why = why };

	compare_dirs(&cmp, ".");
	compare_links(&cmp);
	return cmp.lines == 0;
}

bool dump_keeps_attributes(int want_fd, int got_fd, const struct change_list *changes)
{
	for (size_t i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->items[i];

		if (change->is_dir && change->kind != CHANGE_DELETED &&
		    !has_xattrs(got_fd, want_fd, change->path))
			return true;
	}
	return false;
}
