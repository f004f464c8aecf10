/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What costs here is the number of system calls. A new regular file of root's
 * takes four: open, write, times, close. So nothing is looked at before it is
 * made (O_EXCL says whether something was there), the mode is given at creation
 * under umask 0, and owner and mode are set again only where creation cannot
 * give them: another owner, set-id bits, or a directory that hands down its
 * group or ACL.
 */
#include "layer/tree_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/nameset.h"
#include "base/path.h"
#include "layer/dircache.h"
#include "layer/tree_remove.h"
#include "limits.h"

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
/* Free blocks that any attribute has room in: XATTR_SIZE_MAX and what leads to it. */
#define XATTR_BLOCKS 64

struct tree_fs {
	struct tree_writer tree;
	int root_fd;   /* borrowed */
	int folder_fd; /* where the tree begins instead, or -1 */
	struct dircache *cache;
	struct nameset *belongs; /* NULL in a base layer */
	bool removed;
	mode_t old_umask;
	/* The file being written. */
	int fd;
	const struct tree_attr *attr;
	char *path; /* for messages */
	bool set_owner, set_mode, drop_acl;
	uint64_t size;
	uint64_t written; /* end of the last write */
};

static struct tree_fs *of(struct tree_writer *tree)
{
	return (struct tree_fs *)tree;
}

/* ---- places: a directory and a name in it ---- */

struct place {
	const char *path;
	const char *name;
	struct dir *dir;
};

static size_t dir_len(const char *path, const char *name)
{
	return name > path ? (size_t)(name - path - 1) : 0;
}

/* The place of a new entry; its parents exist afterwards. */
static int find_place(struct tree_fs *fs, const char *path, const struct tree_attr *attr,
		      struct place *ret, struct error *err)
{
	ret->path = path;
	ret->name = path_base(path);
	return dircache_get(fs->cache, path, dir_len(path, ret->name), &attr->mtime, &ret->dir,
			    err);
}

/* The place of something that may be there. Returns 1, 0 when not even its folder is there, -1. */
static int look_for(struct tree_fs *fs, const char *path, struct place *ret, struct error *err)
{
	ret->path = path;
	ret->name = path_base(path);
	return dircache_find(fs->cache, path, dir_len(path, ret->name), &ret->dir, err);
}

/* An entry that is no directory was made there. */
static int made(struct tree_fs *fs, const struct place *at, struct error *err)
{
	at->dir->dirty = true;
	if (!fs->belongs)
		return 0;
	return nameset_add(fs->belongs, at->dir->inode, at->name, strlen(at->name), err) < 0 ? -1
											     : 0;
}

static int cannot(struct error *err, int number, const char *what, const char *path)
{
	if (number == ENAMETOOLONG)
		return err_set(err, ERR_LIMIT, "%s '%.64s...': the name is too long", what, path);
	return err_sys(err, number, "%s '%s'", what, path);
}

/* Removes whatever is at a place; afterwards at->dir may be gone from the cache. */
static int clear_place(struct tree_fs *fs, const struct place *at, struct error *err)
{
	bool was_link = false;
	struct stat st;

	if (dircache_has_linked(fs->cache) &&
	    fstatat(at->dir->fd, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		was_link = S_ISLNK(st.st_mode);
	at->dir->dirty = true;
	fs->removed = true;
	if (unlinkat(at->dir->fd, at->name, 0) == 0)
		return was_link ? dircache_link_removed(fs->cache, err) : 0;
	if (errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return cannot(err, errno, "remove", at->path);
	if (tree_remove(at->dir->fd, at->name, err) < 0)
		return err_add(err, "remove '%s'", at->path);
	return dircache_flush(fs->cache, err);
}

/* ---- attributes ---- */

/*
 * Where the kernel or this file system cannot hold an attribute at all, the
 * entry goes without it, as with Docker.
 */
static bool may_lack(int number, const char *name)
{
	return number == EOPNOTSUPP ||
	       (number == EPERM && strncmp(name, "user.", 5) == 0); /* links, devices, sockets */
}

/*
 * Attributes of a file share a block on ext4, and ENOSPC says that this is full
 * as well as that the file system is.
 */
static int cannot_set(int fd, const char *path, const struct tree_xattr *xattr, int number,
		      struct error *err)
{
	struct statvfs fs;

	if (number == ENOSPC && fstatvfs(fd, &fs) == 0 && fs.f_bavail > XATTR_BLOCKS)
		return err_set(err, ERR_LIMIT,
			       "attribute '%s' of '%s': %zu bytes do not fit beside the others",
			       xattr->name, path, xattr->len);
	return err_sys(err, number, "set attribute '%s' of '%s'", xattr->name, path);
}

static int set_xattrs(int fd, const char *path, const struct tree_attr *attr, struct error *err)
{
	for (size_t i = 0; i < attr->nr_xattrs; i++) {
		const struct tree_xattr *xattr = &attr->xattrs[i];

		if (fsetxattr(fd, xattr->name, xattr->value, xattr->len, 0) == 0)
			continue;
		if (!may_lack(errno, xattr->name))
			return cannot_set(fd, path, xattr, errno, err);
		log_warn("attribute '%s' of '%s' is left out: %s", xattr->name, path,
			 strerror(errno));
	}
	return 0;
}

/* For what cannot be opened: links, devices. There is no lsetxattrat(2) to rely on. */
static int set_xattrs_at(const struct place *at, const struct tree_attr *attr, struct error *err)
{
	auto_free char *name = xasprintf("/proc/self/fd/%d/%s", at->dir->fd, at->name);

	for (size_t i = 0; i < attr->nr_xattrs; i++) {
		const struct tree_xattr *xattr = &attr->xattrs[i];

		if (lsetxattr(name, xattr->name, xattr->value, xattr->len, 0) == 0)
			continue;
		if (!may_lack(errno, xattr->name))
			return cannot_set(at->dir->fd, at->path, xattr, errno, err);
		log_warn("attribute '%s' of '%s' is left out: %s", xattr->name, at->path,
			 strerror(errno));
	}
	return 0;
}

static bool needs_owner(const struct dir *parent, const struct tree_attr *attr)
{
	return attr->uid || attr->gid || parent->inherits_group;
}

/*
 * Owner, mode, attributes, times: in this order, for a change of owner clears
 * set-id bits and capabilities.
 */
static int set_attr_at(const struct place *at, bool has_mode, const struct tree_attr *attr,
		       struct error *err)
{
	struct timespec times[2] = { attr->atime, attr->mtime };
	const struct dir *dir = at->dir;

	if (needs_owner(dir, attr) &&
	    fchownat(dir->fd, at->name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, errno, "set the owner of", at->path);
	if (dir->inherits_acl && has_mode) {
		auto_free char *name = xasprintf("/proc/self/fd/%d/%s", dir->fd, at->name);

		lremovexattr(name, ACL_ACCESS);
	}
	if (has_mode && ((attr->mode & 06000) || dir->inherits_acl) &&
	    fchmodat(dir->fd, at->name, attr->mode, 0) < 0)
		return cannot(err, errno, "set the mode of", at->path);
	if (attr->nr_xattrs && set_xattrs_at(at, attr, err) < 0)
		return -1;
	if (utimensat(dir->fd, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, errno, "set the times of", at->path);
	return 0;
}

/* ---- directories ---- */

/* @fresh: it has nothing but what attr says */
static void note_inheritance(struct tree_fs *fs, bool fresh, struct dir *dir,
			     const struct tree_attr *attr)
{
	dircache_set_inherits_group(fs->cache, dir, attr->mode & S_ISGID);
	if (!fresh && fgetxattr(dir->fd, ACL_DEFAULT, NULL, 0) > 0)
		dircache_set_inherits_acl(fs->cache, dir);
	for (size_t i = 0; i < attr->nr_xattrs; i++)
		if (strcmp(attr->xattrs[i].name, ACL_DEFAULT) == 0)
			dircache_set_inherits_acl(fs->cache, dir);
}

/* @fresh: just made in parent, with the mode's lower bits */
static int set_dir_attr(struct tree_fs *fs, const struct dir *parent, bool fresh, struct dir *dir,
			const struct tree_attr *attr, struct error *err)
{
	struct timespec times[2] = { attr->atime, attr->mtime };

	if (fresh && parent->inherits_acl) {
		fremovexattr(dir->fd, ACL_ACCESS);
		fremovexattr(dir->fd, ACL_DEFAULT);
	}
	if ((!fresh || needs_owner(parent, attr)) && fchown(dir->fd, attr->uid, attr->gid) < 0)
		return cannot(err, errno, "set the owner of", dir->path);
	if ((!fresh || (attr->mode & 06000) || parent->inherits_group || parent->inherits_acl) &&
	    fchmod(dir->fd, attr->mode) < 0)
		return cannot(err, errno, "set the mode of", dir->path);
	if (set_xattrs(dir->fd, dir->path, attr, err) < 0)
		return -1;
	note_inheritance(fs, fresh, dir, attr);
	dircache_set_times(fs->cache, dir, times);
	return 0;
}

/*
 * The directory at a place, made there unless there is one: *ret_fresh. Returns
 * 0, 1 when something else had to be removed first (look for the place again), -1.
 */
static int make_or_open(struct tree_fs *fs, const struct place *at, const struct tree_attr *attr,
			int *ret_fd, bool *ret_fresh, struct error *err)
{
	*ret_fresh = mkdirat(at->dir->fd, at->name, attr->mode & 01777) == 0;
	if (*ret_fresh)
		at->dir->dirty = true;
	else if (errno != EEXIST)
		return cannot(err, errno, "create folder", at->path);
	*ret_fd = openat(at->dir->fd, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	if (errno != ENOTDIR && errno != ELOOP)
		return cannot(err, errno, "open folder", at->path);
	return clear_place(fs, at, err) < 0 ? -1 : 1;
}

static int fs_make_dir(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
		       struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;
	struct dir *dir;
	int again, fd = -1;
	bool fresh;

	if (!*path) {
		if (dircache_get(fs->cache, "", 0, &attr->mtime, &dir, err) < 0)
			return -1;
		return set_dir_attr(fs, dir, false, dir, attr, err);
	}
	do {
		if (find_place(fs, path, attr, &at, err) < 0)
			return -1;
		again = make_or_open(fs, &at, attr, &fd, &fresh, err);
	} while (again > 0);
	if (again < 0 || dircache_add(fs->cache, at.dir, path, fd, &dir, err) < 0)
		return -1;
	return set_dir_attr(fs, at.dir, fresh, dir, attr, err);
}

/* ---- regular files ---- */

static int fs_open_file(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			uint64_t size, struct error *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct tree_fs *fs = of(tree);
	struct place at;

	for (int tries = 0;; tries++) {
		if (find_place(fs, path, attr, &at, err) < 0)
			return -1;
		fs->fd = openat(at.dir->fd, at.name, flags, attr->mode & 01777);
		if (fs->fd >= 0)
			break;
		if (errno != EEXIST || tries)
			return cannot(err, errno, "create", path);
		if (clear_place(fs, &at, err) < 0)
			return -1;
	}
	fs->attr = attr;
	fs->size = size;
	fs->written = 0;
	fs->set_owner = needs_owner(at.dir, attr);
	fs->drop_acl = at.dir->inherits_acl;
	fs->set_mode = (attr->mode & 06000) || fs->drop_acl;
	free(fs->path);
	fs->path = xstrdup(path);
	return made(fs, &at, err);
}

static int fs_write_file(struct tree_writer *tree, const void *data, size_t len, uint64_t offset,
			 struct error *err)
{
	struct tree_fs *fs = of(tree);

	if (io_pwrite(fs->fd, data, len, offset, err) < 0)
		return err_add(err, "'%s'", fs->path);
	fs->written = offset + len;
	return 0;
}

static int fs_close_file(struct tree_writer *tree, struct error *err)
{
	struct tree_fs *fs = of(tree);
	const struct tree_attr *attr = fs->attr;
	struct timespec times[2] = { attr->atime, attr->mtime };
	auto_fd int fd = take_fd(fs->fd);

	if (fs->written < fs->size && ftruncate(fd, (off_t)fs->size) < 0)
		return cannot(err, errno, "set the length of", fs->path);
	if (fs->set_owner && fchown(fd, attr->uid, attr->gid) < 0)
		return cannot(err, errno, "set the owner of", fs->path);
	if (fs->drop_acl)
		fremovexattr(fd, ACL_ACCESS);
	if (fs->set_mode && fchmod(fd, attr->mode) < 0)
		return cannot(err, errno, "set the mode of", fs->path);
	if (attr->nr_xattrs && set_xattrs(fd, fs->path, attr, err) < 0)
		return -1;
	if (futimens(fd, times) < 0)
		return cannot(err, errno, "set the times of", fs->path);
	return 0;
}

/* ---- links and nodes ---- */

static int fs_make_symlink(struct tree_writer *tree, const char *path, const char *target,
			   const struct tree_attr *attr, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;

	for (int tries = 0;; tries++) {
		if (find_place(fs, path, attr, &at, err) < 0)
			return -1;
		if (symlinkat(target, at.dir->fd, at.name) == 0)
			break;
		if (errno != EEXIST || tries)
			return cannot(err, errno, "create link", path);
		if (clear_place(fs, &at, err) < 0)
			return -1;
	}
	if (made(fs, &at, err) < 0)
		return -1;
	return set_attr_at(&at, false, attr, err);
}

static int fs_make_node(struct tree_writer *tree, const char *path, mode_t type, dev_t dev,
			const struct tree_attr *attr, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;

	for (int tries = 0;; tries++) {
		if (find_place(fs, path, attr, &at, err) < 0)
			return -1;
		if (mknodat(at.dir->fd, at.name, type | (attr->mode & 01777), dev) == 0)
			break;
		if (errno == EINVAL)
			return err_set(err, ERR_CORRUPT, "'%s': impossible device number", path);
		if (errno != EEXIST || tries)
			return cannot(err, errno, "create device or pipe", path);
		if (clear_place(fs, &at, err) < 0)
			return -1;
	}
	if (made(fs, &at, err) < 0)
		return -1;
	return set_attr_at(&at, true, attr, err);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A link's header repeats its target's attributes; where it does not, it is the later word. */
static int set_link_attr(const struct place *at, const struct tree_attr *attr, struct error *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, attr->mtime };
	bool is_link, other_owner;
	struct stat st;

	if (fstatat(at->dir->fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, errno, "look at", at->path);
	is_link = S_ISLNK(st.st_mode);
	other_owner = st.st_uid != attr->uid || st.st_gid != attr->gid;
	if (other_owner &&
	    fchownat(at->dir->fd, at->name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, errno, "set the owner of", at->path);
	if (!is_link && ((st.st_mode & 07777) != attr->mode || other_owner) &&
	    fchmodat(at->dir->fd, at->name, attr->mode, 0) < 0)
		return cannot(err, errno, "set the mode of", at->path);
	if (attr->nr_xattrs && set_xattrs_at(at, attr, err) < 0)
		return -1;
	if (!same_time(&st.st_mtim, &attr->mtime) &&
	    utimensat(at->dir->fd, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(err, errno, "set the times of", at->path);
	return 0;
}

/* Folders have one name. */
static bool is_same_file(const struct place *a, const struct place *b)
{
	struct stat sa, sb;

	return fstatat(a->dir->fd, a->name, &sa, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b->dir->fd, b->name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	       sa.st_ino == sb.st_ino && !S_ISDIR(sa.st_mode);
}

static int link_failed(const struct place *from, const char *path, int number, struct error *err)
{
	struct stat st;

	if (number == ENOENT)
		return err_set(err, ERR_CORRUPT, "hard link '%s': there is no '%s'", path,
			       from->path);
	if (fstatat(from->dir->fd, from->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return err_set(err, ERR_CORRUPT, "hard link '%s': '%s' is a folder", path,
			       from->path);
	return cannot(err, number, "create hard link", path);
}

static int fs_make_link(struct tree_writer *tree, const char *path, const char *target,
			const struct tree_attr *attr, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at, from;

	for (int tries = 0;; tries++) {
		int found;

		if (find_place(fs, path, attr, &at, err) < 0)
			return -1;
		found = look_for(fs, target, &from, err);
		if (found < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_CORRUPT, "hard link '%s': there is no '%s'", path,
				       target);
		if (linkat(from.dir->fd, from.name, at.dir->fd, at.name, 0) == 0)
			break;
		if (errno != EEXIST || tries)
			return link_failed(&from, path, errno, err);
		if (is_same_file(&at, &from))
			break;
		if (clear_place(fs, &at, err) < 0)
			return -1;
	}
	if (made(fs, &at, err) < 0)
		return -1;
	return set_link_attr(&at, attr, err);
}

/* ---- removing ---- */

/* Everything of lower layers in a directory. */
static int clear_lower(struct tree_fs *fs, struct dir *dir, struct error *err)
{
	dir->dirty = true;
	if (tree_remove_others(dir->fd, fs->belongs, &fs->removed, err) < 0)
		return err_add(err, "clear '%s'", dir->path);
	return dircache_flush(fs->cache, err);
}

static int fs_opaque(struct tree_writer *tree, const char *path, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct dir *dir;
	int found;

	if (!fs->belongs)
		return 0;
	found = dircache_find(fs->cache, path, strlen(path), &dir, err);
	return found <= 0 ? found : clear_lower(fs, dir, err);
}

static int fs_whiteout(struct tree_writer *tree, const char *path, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;
	struct stat st;
	int found;

	if (!fs->belongs)
		return 0;
	found = look_for(fs, path, &at, err);
	if (found <= 0)
		return found;
	if (fstatat(at.dir->fd, at.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cannot(err, errno, "look at", path);
	/* This layer's folder stays, but not what lower layers have in it. */
	if (S_ISDIR(st.st_mode) && nameset_has(fs->belongs, st.st_ino, "", 0))
		return fs_opaque(tree, path, err);
	if (!S_ISDIR(st.st_mode) &&
	    nameset_has(fs->belongs, at.dir->inode, at.name, strlen(at.name)))
		return 0;
	return clear_place(fs, &at, err);
}

static int fs_discard(struct tree_writer *tree, const char *path, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;
	int found = look_for(fs, path, &at, err);

	return found <= 0 ? found : clear_place(fs, &at, err);
}

static int fs_look(struct tree_writer *tree, const char *path, mode_t *ret_type, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct place at;
	struct stat st;
	int found = look_for(fs, path, &at, err);

	*ret_type = 0;
	if (found <= 0)
		return found;
	if (fstatat(at.dir->fd, at.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_type = st.st_mode & S_IFMT;
	else if (errno != ENOENT)
		return cannot(err, errno, "look at", path);
	return 0;
}

/* ---- layers ---- */

static int fs_begin_layer(struct tree_writer *tree, bool base, struct error *err)
{
	struct tree_fs *fs = of(tree);

	(void)err;
	nameset_free(take_ptr(fs->belongs));
	if (!base)
		fs->belongs = nameset_new(LIMIT_LAYER_NAMES);
	dircache_set_belongs(fs->cache, fs->belongs);
	fs->removed = false;
	return 0;
}

static int fs_end_layer(struct tree_writer *tree, bool *ret_removed, struct error *err)
{
	struct tree_fs *fs = of(tree);

	if (dircache_flush(fs->cache, err) < 0)
		return -1;
	dircache_set_belongs(fs->cache, NULL);
	nameset_free(take_ptr(fs->belongs));
	*ret_removed = fs->removed;
	return 0;
}

static int fs_enter(struct tree_writer *tree, const char *path, struct error *err)
{
	struct tree_fs *fs = of(tree);
	struct dircache *cache;
	auto_fd int fd = -1;

	if (*path) {
		fd = path_open_in_root(fs->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
				       err);
		if (fd < 0)
			return -1;
	}
	if (dircache_new(fd >= 0 ? fd : fs->root_fd, &cache, err) < 0)
		return -1;
	dircache_free(fs->cache);
	fs->cache = cache;
	if (fs->folder_fd >= 0)
		close(fs->folder_fd);
	fs->folder_fd = take_fd(fd);
	return 0;
}

static const struct tree_writer_ops ops = {
	.begin_layer = fs_begin_layer,
	.make_dir = fs_make_dir,
	.open_file = fs_open_file,
	.write_file = fs_write_file,
	.close_file = fs_close_file,
	.make_link = fs_make_link,
	.make_symlink = fs_make_symlink,
	.make_node = fs_make_node,
	.whiteout = fs_whiteout,
	.opaque = fs_opaque,
	.discard = fs_discard,
	.look = fs_look,
	.enter = fs_enter,
	.end_layer = fs_end_layer,
};

int tree_fs_new(int root_fd, struct tree_writer **ret, struct error *err)
{
	struct tree_fs *fs = xcalloc(1, sizeof(*fs));

	fs->tree.ops = &ops;
	fs->root_fd = root_fd;
	fs->folder_fd = fs->fd = -1;
	if (dircache_new(root_fd, &fs->cache, err) < 0) {
		free(fs);
		return -1;
	}
	fs->old_umask = umask(0);
	*ret = &fs->tree;
	return 0;
}

void tree_fs_free(struct tree_writer *tree)
{
	struct tree_fs *fs = tree ? of(tree) : NULL;

	if (!fs)
		return;
	umask(fs->old_umask);
	if (fs->fd >= 0)
		close(fs->fd);
	dircache_free(fs->cache);
	if (fs->folder_fd >= 0)
		close(fs->folder_fd);
	nameset_free(fs->belongs);
	free(fs->path);
	free(fs);
}
