/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/dircache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "limits.h"

#define MAX_DIRS  64 /* few enough to be searched one by one */
#define MAX_LINKS 40 /* as the kernel follows in one path */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

struct dircache {
	int root_fd;
	struct nameset *belongs;
	uint64_t now; /* counts calls */
	struct dir *recent;
	unsigned int nr_linked;
	struct dir dirs[MAX_DIRS]; /* free where path is NULL; the first is the root for ever */
};

static uint32_t hash_path(const char *path, size_t len)
{
	uint32_t hash = (uint32_t)len;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)path[i]) * 0x9e3779b1u;
	return hash;
}

static bool is_at(const struct dir *dir, const char *path, size_t len, uint32_t hash)
{
	return dir->path && dir->path_hash == hash && dir->path_len == len &&
	       memcmp(dir->path, path, len) == 0;
}

static struct dir *lookup(struct dircache *cache, const char *path, size_t len)
{
	uint32_t hash = hash_path(path, len);

	if (is_at(cache->recent, path, len, hash))
		return cache->recent;
	for (size_t i = 0; i < MAX_DIRS; i++)
		if (is_at(&cache->dirs[i], path, len, hash))
			return &cache->dirs[i];
	return NULL;
}

static struct dir *use(struct dircache *cache, struct dir *dir)
{
	dir->used = ++cache->now;
	cache->recent = dir;
	return dir;
}

static int put_times_back(struct dir *dir, struct error *err)
{
	if (!dir->dirty)
		return 0;
	dir->dirty = false;
	if (futimens(dir->fd, dir->times) < 0)
		return err_sys(err, errno, "set the times of '%s'", dir->path);
	return 0;
}

static int forget(struct dircache *cache, struct dir *dir, struct error *err)
{
	int result = put_times_back(dir, err);

	cache->nr_linked -= dir->maybe_linked;
	close(dir->fd);
	free(dir->path);
	*dir = (struct dir){ .fd = -1 };
	if (cache->recent == dir)
		cache->recent = &cache->dirs[0];
	return result;
}

/* A free place, made by forgetting what was not used for longest. */
static int find_place(struct dircache *cache, struct dir **ret, struct error *err)
{
	struct dir *oldest = &cache->dirs[1];

	for (size_t i = 1; i < MAX_DIRS; i++) {
		if (!cache->dirs[i].path) {
			*ret = &cache->dirs[i];
			return 0;
		}
		if (cache->dirs[i].used < oldest->used)
			oldest = &cache->dirs[i];
	}
	*ret = oldest;
	return forget(cache, oldest, err);
}

/* The same directory by another path: what it will have in the end is known there. */
static const struct dir *find_twin(const struct dircache *cache, ino_t inode)
{
	for (size_t i = 0; i < MAX_DIRS; i++)
		if (cache->dirs[i].path && cache->dirs[i].inode == inode)
			return &cache->dirs[i];
	return NULL;
}

static int learn(const struct dircache *cache, struct dir *dir, struct error *err)
{
	const struct dir *twin;
	struct stat st;

	if (fstat(dir->fd, &st) < 0)
		return err_sys(err, errno, "look at a folder");
	twin = find_twin(cache, st.st_ino);
	dir->inode = st.st_ino;
	dir->inherits_group = st.st_mode & S_ISGID;
	dir->times[0] = twin ? twin->times[0] : st.st_atim;
	dir->times[1] = twin ? twin->times[1] : st.st_mtim;
	return 0;
}

static bool has_default_acl(int fd)
{
	return fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
}

/* Takes fd. */
static int add(struct dircache *cache, const char *path, size_t len, int new_fd, bool maybe_linked,
	       struct dir **ret, struct error *err)
{
	auto_fd int fd = new_fd;
	struct dir *dir, found = { .fd = fd };

	if (learn(cache, &found, err) < 0 || find_place(cache, &dir, err) < 0)
		return -1;
	*dir = found;
	dir->fd = take_fd(fd);
	dir->path = xmalloc(len + 1);
	memcpy(dir->path, path, len);
	dir->path[len] = '\0';
	dir->path_len = len;
	dir->path_hash = hash_path(path, len);
	dir->maybe_linked = maybe_linked;
	cache->nr_linked += maybe_linked;
	*ret = use(cache, dir);
	return 0;
}

/* ---- what entries pass through belongs to the layer ---- */

/*
 * Adds the directories above fd. Not only up to one that is in the set: its inode may have been that
 * of another directory, which is gone by now.
 */
static int mark_above(struct dircache *cache, int fd, struct error *err)
{
	auto_fd int at = fd < 0 ? -1 : dup(fd);
	struct stat st;

	for (;;) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (up < 0)
			return err_sys(err, errno, "open the folder above");
		close(at);
		at = up;
		if (fstat(at, &st) < 0)
			return err_sys(err, errno, "look at the folder above");
		if (nameset_add(cache->belongs, st.st_ino, "", 0, err) < 0)
			return -1;
		if (st.st_ino == cache->dirs[0].inode)
			return 0;
	}
}

static int mark(struct dircache *cache, struct dir *dir, const struct dir *parent,
		struct error *err)
{
	if (!cache->belongs || dir->belongs)
		return 0;
	if (nameset_add(cache->belongs, dir->inode, "", 0, err) < 0)
		return -1;
	if (dir->inode != cache->dirs[0].inode && !(parent && parent->belongs) &&
	    mark_above(cache, dir->fd, err) < 0)
		return -1;
	dir->belongs = true;
	return 0;
}

/* ---- making what is missing ---- */

static int failed_path(struct error *err, int number, const char *path)
{
	switch (number) {
	case ENOTDIR:
		return err_set(err, ERR_CORRUPT, "'%s': something on the way is not a folder",
			       path);
	case ELOOP:
		return err_set(err, ERR_CORRUPT, "'%s': too many links on the way", path);
	case ENAMETOOLONG:
		return err_set(err, ERR_LIMIT, "'%.64s...': the name is too long", path);
	default:
		return err_sys(err, number, "open folder '%s'", path);
	}
}

static int open_path(const struct dircache *cache, const char *path, int flags, struct error *err)
{
	int fd = path_open_in_root(cache->root_fd, path, flags, 0, err);

	return fd < 0 && err->sys_errno ? failed_path(err, err->sys_errno, path) : fd;
}

/* A dangling link is at `text` up to `end`: its target takes the place of that part. */
static int splice_link(int dir_fd, const char *name, struct buf *text, size_t start, size_t end,
		       struct error *err)
{
	char target[PATH_MAX];
	auto_buf struct buf spliced = { 0 };
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target));

	if (len < 0)
		return failed_path(err, errno == EINVAL ? ENOTDIR : errno, text->data);
	if (len == 0 || target[0] != '/')
		buf_append(&spliced, text->data, start);
	buf_append(&spliced, target, (size_t)len);
	buf_append(&spliced, text->data + end, text->len - end);
	if (spliced.len >= LIMIT_PATH_BYTES)
		return failed_path(err, ENAMETOOLONG, text->data);
	buf_reset(text);
	buf_append(text, spliced.data, spliced.len);
	return 0;
}

static int make_one(int dir_fd, const char *name, const struct timespec *mtime, struct error *err)
{
	struct timespec times[2] = { *mtime, *mtime };
	auto_fd int fd = -1;

	if (mkdirat(dir_fd, name, 0755) < 0)
		return err_sys(err, errno, "create folder '%s'", name);
	/* A parent with set-group-id or a default ACL must not show in it. */
	fd = openat(dir_fd, name, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, errno, "open folder '%s'", name);
	fremovexattr(fd, "system.posix_acl_access");
	fremovexattr(fd, "system.posix_acl_default");
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0 || futimens(fd, times) < 0)
		return err_sys(err, errno, "set attributes of folder '%s'", name);
	return 0;
}

static int stat_times(int fd, struct timespec ret[2], struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at a folder");
	ret[0] = st.st_atim;
	ret[1] = st.st_mtim;
	return 0;
}

/* Making something inside must not show in the times of a directory that is not in the cache. */
static int make_inside(int dir_fd, const char *name, const struct timespec *mtime,
		       struct error *err)
{
	auto_fd int fd = openat(dir_fd, ".", DIR_FLAGS);
	struct timespec times[2];

	if (fd < 0)
		return err_sys(err, errno, "open folder");
	if (stat_times(fd, times, err) < 0 || make_one(fd, name, mtime, err) < 0)
		return -1;
	if (futimens(fd, times) < 0)
		return err_sys(err, errno, "set the times of a folder");
	return 0;
}

/* The next folder on the way, or ENOENT. A link is resolved from the root, by the path so far. */
static int open_next(const struct dircache *cache, int dir_fd, const char *name, const char *prefix,
		     struct error *err)
{
	int fd = -1;

	if (strcmp(name, "..") != 0) {
		fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			return err_sys(err, errno, "open folder '%s'", prefix);
	}
	if (fd < 0)
		fd = path_open_in_root(cache->root_fd, prefix, O_PATH | O_DIRECTORY, 0, err);
	return fd;
}

/*
 * One pass over the components of text, making the missing ones. Returns 1 when
 * all are there, 0 when a dangling link was replaced by its target, -1.
 */
static int make_missing(struct dircache *cache, struct buf *text, const struct timespec *mtime,
			struct error *err)
{
	auto_fd int fd = open_path(cache, "", O_PATH | O_DIRECTORY, err);
	size_t start = 0;

	while (fd >= 0 && start < text->len) {
		size_t len = strcspn(text->data + start, "/");
		auto_free char *name = strndup(text->data + start, len);
		auto_free char *prefix = strndup(text->data, start + len);
		int next;

		if (!len || strcmp(name, ".") == 0) {
			start += len + 1;
			continue;
		}
		next = open_next(cache, fd, name, prefix, err);
		if (next < 0 && err->sys_errno != ENOENT)
			return failed_path(err, err->sys_errno, prefix);
		if (next < 0 && make_inside(fd, name, mtime, err) < 0) {
			if (err->sys_errno != EEXIST)
				return -1;
			return splice_link(fd, name, text, start, start + len, err);
		}
		if (next < 0)
			next = open_next(cache, fd, name, prefix, err);
		close(fd);
		fd = next;
		start += len + 1;
	}
	return fd < 0 ? -1 : 1;
}

static int make_path(struct dircache *cache, const char *path, const struct timespec *mtime,
		     struct error *err)
{
	auto_buf struct buf text = { 0 };

	buf_puts(&text, path);
	for (int links = 0; links <= MAX_LINKS; links++) {
		int done = make_missing(cache, &text, mtime, err);

		if (done < 0)
			return -1;
		if (done)
			return open_path(cache, path, DIR_FLAGS, err);
	}
	return failed_path(err, ELOOP, path);
}

/* ---- finding ---- */

static size_t parent_len(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* The way most directories are opened: by name, in a parent that is open. -1 with errno. */
static int open_in_parent(struct dir *parent, const char *name, const struct timespec *mtime,
			  struct error *err)
{
	int fd = openat(parent->fd, name, DIR_FLAGS | O_NOFOLLOW);

	if (fd >= 0 || errno != ENOENT || !mtime)
		return fd;
	if (make_one(parent->fd, name, mtime, err) < 0) {
		errno = err->sys_errno;
		return -1;
	}
	parent->dirty = true;
	return openat(parent->fd, name, DIR_FLAGS | O_NOFOLLOW);
}

/* mtime NULL: nothing is made, and ENOENT is in err->sys_errno. */
static int open_dir(struct dircache *cache, const char *path, size_t len,
		    const struct timespec *mtime, struct dir **ret, struct error *err)
{
	size_t above = parent_len(path, len);
	struct dir *parent = lookup(cache, path, above);
	auto_free char *whole = strndup(path, len);
	bool maybe_linked = !parent || parent->maybe_linked;
	int fd = -1;

	if (parent) {
		fd = open_in_parent(parent, path_base(whole), mtime, err);
		if (fd < 0 && errno != ENOTDIR && errno != ELOOP) {
			err->sys_errno = errno;
			return errno == ENOENT && !mtime ? -1 : failed_path(err, errno, whole);
		}
		maybe_linked |= fd < 0;
	}
	if (fd < 0) {
		fd = path_open_in_root(cache->root_fd, whole, DIR_FLAGS, 0, err);
		if (fd < 0 && err->sys_errno == ENOENT && mtime)
			fd = make_path(cache, whole, mtime, err);
		else if (fd < 0)
			return err->sys_errno == ENOENT ? -1
							: failed_path(err, err->sys_errno, whole);
		if (fd < 0)
			return -1;
	}
	if (add(cache, path, len, fd, maybe_linked, ret, err) < 0)
		return -1;
	(*ret)->inherits_acl = has_default_acl((*ret)->fd);
	return 0;
}

int dircache_get(struct dircache *cache, const char *path, size_t len, const struct timespec *mtime,
		 struct dir **ret, struct error *err)
{
	struct dir *dir = lookup(cache, path, len);

	if (dir)
		use(cache, dir);
	else if (open_dir(cache, path, len, mtime, &dir, err) < 0)
		return -1;
	/* Through a link it has another parent. */
	if (mark(cache, dir, dir->maybe_linked ? NULL : lookup(cache, path, parent_len(path, len)),
		 err) < 0)
		return -1;
	*ret = dir;
	return 0;
}

int dircache_find(struct dircache *cache, const char *path, size_t len, struct dir **ret,
		  struct error *err)
{
	struct dir *dir = lookup(cache, path, len);

	if (dir) {
		*ret = use(cache, dir);
		return 1;
	}
	if (open_dir(cache, path, len, NULL, ret, err) == 0)
		return 1;
	return err->sys_errno == ENOENT ? 0 : -1;
}

int dircache_add(struct dircache *cache, struct dir *parent, const char *path, int fd,
		 struct dir **ret, struct error *err)
{
	struct dir *dir = lookup(cache, path, strlen(path));

	if (dir) {
		close(fd);
		use(cache, dir);
	} else if (add(cache, path, strlen(path), fd, parent->maybe_linked, &dir, err) < 0) {
		return -1;
	}
	*ret = dir;
	return mark(cache, dir, parent, err);
}

void dircache_set_times(struct dircache *cache, struct dir *dir, const struct timespec times[2])
{
	for (size_t i = 0; i < MAX_DIRS; i++) {
		struct dir *twin = &cache->dirs[i];

		if (!twin->path || twin->inode != dir->inode)
			continue;
		twin->times[0] = times[0];
		twin->times[1] = times[1];
	}
	dir->dirty = true;
}

void dircache_set_inherits_acl(struct dircache *cache, struct dir *dir)
{
	for (size_t i = 0; i < MAX_DIRS; i++)
		if (cache->dirs[i].path && cache->dirs[i].inode == dir->inode)
			cache->dirs[i].inherits_acl = true;
}

void dircache_set_inherits_group(struct dircache *cache, struct dir *dir, bool inherits)
{
	for (size_t i = 0; i < MAX_DIRS; i++)
		if (cache->dirs[i].path && cache->dirs[i].inode == dir->inode)
			cache->dirs[i].inherits_group = inherits;
}

bool dircache_has_linked(const struct dircache *cache)
{
	return cache->nr_linked > 0;
}

int dircache_link_removed(struct dircache *cache, struct error *err)
{
	int result = 0;

	for (size_t i = 1; i < MAX_DIRS; i++)
		if (cache->dirs[i].path && cache->dirs[i].maybe_linked &&
		    forget(cache, &cache->dirs[i], err) < 0)
			result = -1;
	return result;
}

int dircache_flush(struct dircache *cache, struct error *err)
{
	int result = put_times_back(&cache->dirs[0], err);

	for (size_t i = 1; i < MAX_DIRS; i++)
		if (cache->dirs[i].path && forget(cache, &cache->dirs[i], err) < 0)
			result = -1;
	return result;
}

void dircache_set_belongs(struct dircache *cache, struct nameset *belongs)
{
	cache->belongs = belongs;
	for (size_t i = 0; i < MAX_DIRS; i++)
		cache->dirs[i].belongs = false;
}

int dircache_new(int root_fd, struct dircache **ret, struct error *err)
{
	struct dircache *cache = xcalloc(1, sizeof(*cache));
	struct dir *root = &cache->dirs[0];

	for (size_t i = 0; i < MAX_DIRS; i++)
		cache->dirs[i].fd = -1;
	cache->root_fd = root_fd;
	cache->recent = root;
	root->path = xstrdup("");
	root->path_hash = hash_path("", 0);
	root->fd = path_open_in_root(root_fd, "", DIR_FLAGS, 0, err);
	if (root->fd < 0 || learn(cache, root, err) < 0) {
		dircache_free(cache);
		return -1;
	}
	root->inherits_acl = has_default_acl(root->fd);
	*ret = cache;
	return 0;
}

void dircache_free(struct dircache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < MAX_DIRS; i++) {
		if (cache->dirs[i].fd >= 0)
			close(cache->dirs[i].fd);
		free(cache->dirs[i].path);
	}
	free(cache);
}
