/* SPDX-License-Identifier: Apache-2.0 */
#include "write_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

struct pair {
	ino_t a, b;
};

struct comparison {
	struct buf *log;
	struct pair *inodes; /* of files with several names */
	size_t nr;
	unsigned int differences;
};

static void differ(struct comparison *cmp, const char *path, const char *what)
{
	if (cmp->differences++ < 10)
		buf_printf(cmp->log, "  '%s': %s differs\n", path, what);
}

static bool same_attributes(const char *a, const char *b)
{
	char lists[2][8192], value[2][8192];
	ssize_t len[2] = { llistxattr(a, lists[0], 8192), llistxattr(b, lists[1], 8192) };

	if (len[0] != len[1] || len[0] < 0)
		return false;
	for (const char *name = lists[0]; name < lists[0] + len[0]; name += strlen(name) + 1) {
		ssize_t got[2] = { lgetxattr(a, name, value[0], 8192),
				   lgetxattr(b, name, value[1], 8192) };

		if (got[0] != got[1] || got[0] < 0 ||
		    memcmp(value[0], value[1], (size_t)got[0]) != 0)
			return false;
	}
	return true;
}

/* Only where there is data, by the one that has less. */
static bool same_content(const char *a, const char *b, off_t size)
{
	auto_fd int fa = open(a, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_fd int fb = open(b, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_free char *da = xmalloc(65536), *db = xmalloc(65536);
	off_t at = 0;

	if (fa < 0 || fb < 0)
		return false;
	while (at < size) {
		off_t next[2] = { lseek(fa, at, SEEK_DATA), lseek(fb, at, SEEK_DATA) };
		ssize_t got[2];

		next[0] = next[0] < 0 ? size : next[0];
		next[1] = next[1] < 0 ? size : next[1];
		at = next[0] < next[1] ? next[0] : next[1];
		if (at >= size)
			return true;
		got[0] = pread(fa, da, 65536, at);
		got[1] = pread(fb, db, 65536, at);
		if (got[0] != got[1] || got[0] <= 0 || memcmp(da, db, (size_t)got[0]) != 0)
			return false;
		at += got[0];
	}
	return true;
}

static bool same_names(struct comparison *cmp, const struct stat *a, const struct stat *b)
{
	for (size_t i = 0; i < cmp->nr; i++)
		if (cmp->inodes[i].a == a->st_ino || cmp->inodes[i].b == b->st_ino)
			return cmp->inodes[i].a == a->st_ino && cmp->inodes[i].b == b->st_ino;
	cmp->inodes = xrealloc(cmp->inodes, (cmp->nr + 1) * sizeof(*cmp->inodes));
	cmp->inodes[cmp->nr++] = (struct pair){ a->st_ino, b->st_ino };
	return true;
}

static void compare_entry(struct comparison *cmp, const char *a, const char *b)
{
	struct stat sa, sb;

	if (lstat(a, &sa) < 0 || lstat(b, &sb) < 0) {
		/* A link can make folders that are deeper than a path is long. */
		if (errno != ENAMETOOLONG)
			differ(cmp, b, "existence");
		return;
	}
	if (sa.st_mode != sb.st_mode)
		differ(cmp, b, "mode");
	if (sa.st_uid != sb.st_uid || sa.st_gid != sb.st_gid)
		differ(cmp, b, "owner");
	if (sa.st_nlink != sb.st_nlink)
		differ(cmp, b, "number of links");
	if (memcmp(&sa.st_mtim, &sb.st_mtim, sizeof(sa.st_mtim)) != 0) {
		differ(cmp, b, "mtime");
		buf_printf(cmp->log, "    %jd.%09ld and %jd.%09ld\n", (intmax_t)sa.st_mtim.tv_sec,
			   sa.st_mtim.tv_nsec, (intmax_t)sb.st_mtim.tv_sec, sb.st_mtim.tv_nsec);
	}
	if (sa.st_rdev != sb.st_rdev)
		differ(cmp, b, "device number");
	if (!S_ISDIR(sa.st_mode) && sa.st_size != sb.st_size)
		differ(cmp, b, "size");
	if (!same_attributes(a, b))
		differ(cmp, b, "attributes");
	if (!S_ISDIR(sa.st_mode) && sa.st_nlink > 1 && !same_names(cmp, &sa, &sb))
		differ(cmp, b, "which names are one file");
	if (S_ISREG(sa.st_mode) && S_ISREG(sb.st_mode) && !same_content(a, b, sa.st_size))
		differ(cmp, b, "content");
	if (S_ISLNK(sa.st_mode)) {
		char targets[2][4096] = { { 0 } };

		if (readlink(a, targets[0], 4095) < 0 || readlink(b, targets[1], 4095) < 0 ||
		    strcmp(targets[0], targets[1]) != 0)
			differ(cmp, b, "target");
	}
}

static int skip_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void compare_dirs(struct comparison *cmp, const char *a, const char *b)
{
	struct dirent **ea = NULL, **eb = NULL;
	int nb = scandir(b, &eb, skip_dots, by_bytes), na = scandir(a, &ea, skip_dots, by_bytes);

	if (na < 0 && errno == ENAMETOOLONG)
		return;
	if (na != nb)
		differ(cmp, b, "number of entries");
	for (int i = 0; i < na; i++) {
		auto_free char *pa = xasprintf("%s/%s", a, ea[i]->d_name);
		auto_free char *pb = xasprintf("%s/%s", b, ea[i]->d_name);

		compare_entry(cmp, pa, pb);
		if (ea[i]->d_type == DT_DIR)
			compare_dirs(cmp, pa, pb);
		if (i < nb &&
		    (strcmp(ea[i]->d_name, eb[i]->d_name) != 0 || ea[i]->d_type != eb[i]->d_type))
			differ(cmp, pb, "name or type in the folder");
	}
	for (int i = 0; i < na; i++)
		free(ea[i]);
	for (int i = 0; i < nb; i++)
		free(eb[i]);
	free(ea);
	free(eb);
}

bool write_tree_same(const char *a, const char *b, struct buf *log)
{
	struct comparison cmp = { .log = log };

	compare_entry(&cmp, a, b);
	compare_dirs(&cmp, a, b);
	free(cmp.inodes);
	return !cmp.differences;
}
