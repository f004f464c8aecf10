/* SPDX-License-Identifier: Apache-2.0 */
#include "run/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "layer/tree_remove.h"
#include "layer/work.h"
#include "limits.h"
#include "run/stubs.h"

/* Of the runtime's files only the image's can be larger than nothing. */
#define CHUNK_BYTES (64 * 1024)

/* The folders that stubs lie in, inner ones first; the root is the last. */
static const char *const folders[] = { "dev", "etc", "" };
#define NR_FOLDERS (sizeof(folders) / sizeof(*folders))

/* A folder of the root or the root itself; never through a link. -1 when it is none. */
static int open_folder(int root_fd, const char *name)
{
	return openat(root_fd, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int cannot(struct error *err, const char *what, const char *path)
{
	return err_sys(err, errno, "%s '/%s'", what, path);
}

static int copy_content(int from_fd, int to_fd, const char *path, struct error *err)
{
	auto_free char *chunk = xmalloc(CHUNK_BYTES);
	ssize_t got;

	while ((got = io_read(from_fd, chunk, CHUNK_BYTES, err)) > 0)
		if (io_write(to_fd, chunk, (size_t)got, err) < 0)
			return err_add(err, "restore '/%s'", path);
	return got < 0 ? err_add(err, "read '/%s'", path) : 0;
}

static int make_again(int from_dir, int to_dir, const char *name, const struct stat *st,
		      const char *path, struct error *err)
{
	char target[LIMIT_PATH_BYTES];
	ssize_t len;

	if (S_ISDIR(st->st_mode))
		return mkdirat(to_dir, name, 0700) < 0 ? cannot(err, "create", path) : 0;
	if (S_ISREG(st->st_mode)) {
		auto_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		auto_fd int to = openat(to_dir, name,
					O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (from < 0 || to < 0)
			return cannot(err, "restore", path);
		return copy_content(from, to, path, err);
	}
	if (!S_ISLNK(st->st_mode))
		return mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0
			       ? cannot(err, "create", path)
			       : 0;
	len = readlinkat(from_dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return cannot(err, "read link", path);
	target[len] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? cannot(err, "create link", path) : 0;
}

static int copy_xattrs(const char *from, const char *to, const char *path, struct error *err)
{
	auto_free char *names = xmalloc(LIMIT_XATTR_BYTES);
	auto_free char *value = xmalloc(LIMIT_XATTR_BYTES);
	ssize_t len = llistxattr(from, names, LIMIT_XATTR_BYTES);

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t got = lgetxattr(from, names + at, value, LIMIT_XATTR_BYTES);

		if (got < 0 || lsetxattr(to, names + at, value, (size_t)got, 0) < 0)
			return cannot(err, "restore an attribute of", path);
	}
	return len < 0 && errno != EOPNOTSUPP ? cannot(err, "list attributes of", path) : 0;
}

static int copy_attributes(int from_dir, int to_dir, const char *name, const struct stat *st,
			   const char *path, struct error *err)
{
	auto_free char *from = xasprintf("/proc/self/fd/%d/%s", from_dir, name);
	auto_free char *to = xasprintf("/proc/self/fd/%d/%s", to_dir, name);
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, "set the owner of", path);
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return cannot(err, "set the mode of", path);
	if (copy_xattrs(from, to, path, err) < 0)
		return -1;
	return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0
		       ? cannot(err, "set the times of", path)
		       : 0;
}

static int remove_it(int dir_fd, const char *name, const struct stat *st, const char *path,
		     struct error *err)
{
	if (S_ISDIR(st->st_mode))
		return tree_remove(dir_fd, name, err);
	return unlinkat(dir_fd, name, 0) < 0 ? cannot(err, "remove", path) : 0;
}

/* The image's own there; image_dir may be -1. */
static int restore_one(int image_dir, int dir_fd, const char *path, struct error *err)
{
	const char *name = path_base(path);
	struct stat there, wanted;
	bool is_there = fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_wanted =
		image_dir >= 0 && fstatat(image_dir, name, &wanted, AT_SYMLINK_NOFOLLOW) == 0;

	/* A folder was not replaced, and what the image has in it is still there. */
	if (is_there && is_wanted && S_ISDIR(there.st_mode) && S_ISDIR(wanted.st_mode))
		return copy_attributes(image_dir, dir_fd, name, &wanted, path, err);
	if (is_there && remove_it(dir_fd, name, &there, path, err) < 0)
		return -1;
	if (!is_wanted)
		return 0;
	if (make_again(image_dir, dir_fd, name, &wanted, path, err) < 0)
		return -1;
	return copy_attributes(image_dir, dir_fd, name, &wanted, path, err);
}

/* A folder that was made for stubs, and has nothing else in it. */
static int restore_folder(int image_fd, int root_fd, const char *name, struct error *err)
{
	struct stat st;

	if (fstatat(image_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (unlinkat(root_fd, name, AT_REMOVEDIR) < 0)
		return 0;
	return restore_one(image_fd, root_fd, name, err);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What the times of a folder have to be at the end. */
struct folder_times {
	bool set;
	struct timespec times[2];
};

static void look_at(int root_fd, int init_fd, int image_fd, const char *name,
		    struct folder_times *ret)
{
	auto_fd int fd = open_folder(root_fd, name);
	auto_fd int init = open_folder(init_fd, name);
	auto_fd int image = open_folder(image_fd, name);
	struct stat st, other;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	ret->set = true;
	if (init >= 0 && fstat(init, &other) == 0 && same_time(&st.st_mtim, &other.st_mtim) &&
	    image >= 0 && fstat(image, &other) == 0)
		st = other;
	ret->times[0] = st.st_atim;
	ret->times[1] = st.st_mtim;
}

static int restore_in(int root_fd, int image_fd, const char *folder, struct error *err)
{
	auto_fd int fd = open_folder(root_fd, folder);
	auto_fd int image = open_folder(image_fd, folder);
	size_t len = strlen(folder);

	for (const char *const *path = stubs_paths; fd >= 0 && *path; path++) {
		bool in_it = len ? strncmp(*path, folder, len) == 0 && (*path)[len] == '/'
				 : !strchr(*path, '/');

		if (in_it && restore_one(image, fd, *path, err) < 0)
			return -1;
	}
	return 0;
}

int restore_stubs(int root_fd, int init_fd, int image_fd, struct error *err)
{
	struct folder_times times[NR_FOLDERS] = { 0 };
	struct stat root;

	for (size_t i = 0; i < NR_FOLDERS; i++)
		look_at(root_fd, init_fd, image_fd, folders[i], &times[i]);
	for (size_t i = 0; i < NR_FOLDERS; i++) {
		if (restore_in(root_fd, image_fd, folders[i], err) < 0 ||
		    (*folders[i] && restore_folder(image_fd, root_fd, folders[i], err) < 0))
			return -1;
	}
	for (size_t i = 0; i < NR_FOLDERS; i++) {
		auto_fd int fd = open_folder(root_fd, folders[i]);

		if (fd >= 0 && times[i].set && futimens(fd, times[i].times) < 0)
			return cannot(err, "set the times of", folders[i]);
	}
	return fstat(image_fd, &root) < 0 ? cannot(err, "look at", "/")
					  : work_restore_root(root_fd, &root, err);
}
