/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "layer/tar_header.h"
#include "layer/whiteout.h"
#include "limits.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

/* What becomes one entry. */
struct item {
	char *name; /* in the tar */
	const struct change *change;
	bool whiteout;
	uint64_t inode, device; /* of one with several names; else 0 */
};

/* Inodes with several names, by number; an open hash table. */
struct linked {
	uint64_t inode; /* 0: free */
	uint64_t device;
	const char *name;
	uint64_t others; /* names that were not seen yet */
};

struct emit {
	const struct tar_emit_args *args;
	struct item *items;
	size_t nr;
	struct linked *linked;
	size_t nr_linked;
	size_t cap_linked;
	int dir_fd; /* directory of the entry before, which is often that of the next */
	char *dir;
	char *chunk;
	struct buf head;
	struct tar_emit_result result;
};

static void emit_done(struct emit *emit)
{
	for (size_t i = 0; i < emit->nr; i++)
		free(emit->items[i].name);
	free(emit->items);
	free(emit->linked);
	if (emit->dir_fd >= 0)
		close(emit->dir_fd);
	free(emit->dir);
	free(emit->chunk);
	buf_done(&emit->head);
}
#define auto_emit __attribute__((cleanup(emit_done)))

static int put(struct emit *emit, const void *data, size_t len, struct error *err)
{
	emit->result.tar_bytes += len;
	return emit->args->write(emit->args->ctx, data, len, err);
}

static int put_header(struct emit *emit, struct tar_header *header, struct error *err)
{
	if (emit->args->clamp && header->mtime > emit->args->clamp_mtime)
		header->mtime = emit->args->clamp_mtime;
	buf_reset(&emit->head);
	tar_header_write(header, &emit->head);
	emit->result.entries++;
	return put(emit, emit->head.data, emit->head.len, err);
}

/* ---- order ---- */

/* Is a component of the path one that a reader would take for a whiteout? */
static bool hides(const char *path)
{
	for (; path; path = strchr(path, '/')) {
		path += *path == '/';
		if (strncmp(path, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
			return true;
	}
	return false;
}

static char *whiteout_of(const char *path)
{
	const char *base = path_base(path);

	return xasprintf("%.*s" WHITEOUT_PREFIX "%s", (int)(base - path), path, base);
}

/* Of files that are copied. */
static char *name_below(const char *as, const struct change *change, bool alone)
{
	const char *path = alone ? "" : change->path;

	return xasprintf("%s%s%s%s", as, *as && *path ? "/" : "", path, change->is_dir ? "/" : "");
}

static char *name_of(const struct tar_emit_args *args, const struct change *change)
{
	if (args->as)
		return name_below(args->as, change, args->changes != NULL);
	return change->is_dir ? xasprintf("%s/", change->path) : xstrdup(change->path);
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void leave_out(struct emit *emit, const char *path, const char *why)
{
	log_warn("'%s' is left out: %s", path, why);
	if (emit->args->left_out)
		emit->args->left_out(emit->args->ctx, path);
}

static bool is_socket(int root_fd, const char *path)
{
	struct error ignored;
	struct stat st;
	auto_fd int fd = path_open_in_root(root_fd, path, O_PATH | O_NOFOLLOW, 0, &ignored);

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A socket lives only as long as its server; but what it has replaced is gone. */
static void take_change(struct emit *emit, const struct change *change)
{
	struct item item = { .change = change };

	if (!emit->args->as)
		item.whiteout = change->kind == CHANGE_DELETED ||
				(change->kind == CHANGE_MODIFIED && !change->is_dir &&
				 is_socket(emit->args->root_fd, change->path));
	item.name = item.whiteout ? whiteout_of(change->path) : name_of(emit->args, change);
	emit->items[emit->nr++] = item;
}

static void take_items(struct emit *emit, const struct change_list *list)
{
	static char root[] = "";
	static const struct change top = { CHANGE_ADDED, true, root };
	const char *as = emit->args->as;

	emit->items = xcalloc(list->nr + 2, sizeof(*emit->items));
	if (as && *as && !emit->args->changes)
		take_change(emit, &top);
	for (size_t i = 0; i < list->nr; i++) {
		const struct change *change = &list->items[i];

		if (!as && hides(change->path)) {
			leave_out(emit, change->path, "layers have no such names");
			continue;
		}
		take_change(emit, change);
	}
	if (emit->nr)
		qsort(emit->items, emit->nr, sizeof(*emit->items), compare_items);
}

/* ---- inodes with several names ---- */

static struct linked *linked_slot(struct emit *emit, uint64_t inode, uint64_t device)
{
	size_t at = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (emit->cap_linked - 1);

	while (emit->linked[at].inode &&
	       (emit->linked[at].inode != inode || emit->linked[at].device != device))
		at = (at + 1) & (emit->cap_linked - 1);
	return &emit->linked[at];
}

/* The name under which the item's inode is in the tar already; NULL the first time. */
static const char *first_name(struct emit *emit, const struct stat *st, struct item *item)
{
	struct linked *slot;

	if (emit->nr_linked >= emit->cap_linked / 2) {
		struct linked *old = emit->linked;
		size_t nr = emit->cap_linked;

		emit->cap_linked = nr ? nr * 2 : 64;
		emit->linked = xcalloc(emit->cap_linked, sizeof(*emit->linked));
		for (size_t i = 0; i < nr; i++)
			if (old[i].inode)
				*linked_slot(emit, old[i].inode, old[i].device) = old[i];
		free(old);
	}
	item->inode = st->st_ino;
	item->device = st->st_dev;
	slot = linked_slot(emit, item->inode, item->device);
	if (slot->inode) {
		slot->others -= slot->others > 0;
		return slot->name;
	}
	*slot = (struct linked){ item->inode, item->device, item->name, st->st_nlink - 1 };
	emit->nr_linked++;
	return NULL;
}

static void tell_shared(struct emit *emit)
{
	for (size_t i = 0; i < emit->nr; i++) {
		const struct item *item = &emit->items[i];

		if (item->inode && linked_slot(emit, item->inode, item->device)->others)
			emit->args->shared(emit->args->ctx, item->change->path);
	}
}

/* ---- one entry ---- */

struct attributes {
	char *names; /* as llistxattr(2) gives them */
	struct buf values;
	struct tree_xattr *items;
	size_t nr;
};

static void attributes_done(struct attributes *list)
{
	free(list->names);
	buf_done(&list->values);
	free(list->items);
}
#define auto_attributes __attribute__((cleanup(attributes_done)))

static int compare_names(const void *a, const void *b)
{
	const struct tree_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int cannot(struct error *err, const char *what, const char *path)
{
	return err_sys(err, errno, "%s '%s'", what, path);
}

static int read_attributes(const char *file, const char *path, struct attributes *ret,
			   struct error *err)
{
	auto_free char *value = NULL;
	ssize_t len = llistxattr(file, NULL, 0);
	size_t offset = 0;

	if (len == 0 || (len < 0 && errno == EOPNOTSUPP))
		return 0;
	ret->names = xmalloc(LIMIT_XATTR_BYTES);
	len = llistxattr(file, ret->names, LIMIT_XATTR_BYTES);
	if (len < 0)
		return cannot(err, "list attributes of", path);
	value = xmalloc(LIMIT_XATTR_BYTES);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(ret->names + at) + 1) {
		const char *name = ret->names + at;
		ssize_t got = lgetxattr(file, name, value, LIMIT_XATTR_BYTES);

		if (got < 0)
			return cannot(err, "read an attribute of", path);
		buf_append(&ret->values, value, (size_t)got);
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		ret->items[ret->nr++] = (struct tree_xattr){ name, NULL, (size_t)got };
	}
	/* Values moved while they grew. */
	for (size_t i = 0; i < ret->nr; offset += ret->items[i++].len)
		ret->items[i].value = ret->values.data + offset;
	qsort(ret->items, ret->nr, sizeof(*ret->items), compare_names);
	return 0;
}

static int put_padding(struct emit *emit, uint64_t size, struct error *err)
{
	static const char zeros[TAR_BLOCK_BYTES];
	size_t len = (size_t)(-size % TAR_BLOCK_BYTES);

	return len ? put(emit, zeros, len, err) : 0;
}

static int put_content(struct emit *emit, const char *name, const char *path, uint64_t size,
		       struct error *err)
{
	auto_fd int fd = openat(emit->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return cannot(err, "open", path);
	for (uint64_t done = 0; done < size;) {
		size_t want = size - done < CHUNK_BYTES ? (size_t)(size - done) : CHUNK_BYTES;
		ssize_t got;

		if (cancel_check(err) < 0)
			return -1;
		got = io_read(fd, emit->chunk, want, err);
		if (got < 0)
			return err_add(err, "read '%s'", path);
		if ((size_t)got < want)
			return err_set(err, ERR_IO, "'%s' has become shorter while it was read",
				       path);
		if (put(emit, emit->chunk, want, err) < 0)
			return -1;
		done += want;
	}
	return put_padding(emit, size, err);
}

static enum tar_type type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return TAR_DIR;
	case S_IFLNK:
		return TAR_SYMLINK;
	case S_IFCHR:
		return TAR_CHAR;
	case S_IFBLK:
		return TAR_BLOCK;
	case S_IFIFO:
		return TAR_FIFO;
	default:
		return TAR_FILE;
	}
}

/* The directory of path is the one that is open. */
static int open_dir_of(struct emit *emit, const char *path, struct error *err)
{
	size_t len = (size_t)(path_base(path) - path);
	char *dir;

	if (emit->dir && strlen(emit->dir) == len && strncmp(emit->dir, path, len) == 0)
		return 0;
	dir = xasprintf("%.*s", (int)len, path);
	free(emit->dir);
	emit->dir = dir;
	if (emit->dir_fd >= 0)
		close(take_fd(emit->dir_fd));
	emit->dir_fd = path_open_in_root(emit->args->root_fd, dir,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
	return emit->dir_fd < 0 ? -1 : 0;
}

static int put_whiteout(struct emit *emit, const char *name, struct error *err)
{
	struct tar_header header = { .path = name, .type = TAR_FILE, .mode = 0600 };

	return put_header(emit, &header, err);
}

static int put_entry(struct emit *emit, struct item *item, struct error *err)
{
	const char *path = item->change->path, *name = *path ? path_base(path) : ".";
	auto_attributes struct attributes attributes = { 0 };
	auto_free char *file = NULL;
	char target[LIMIT_PATH_BYTES];
	struct tar_header header = { .path = item->name };
	struct stat st;

	if (open_dir_of(emit, path, err) < 0)
		return -1;
	if (fstatat(emit->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return emit->args->as && errno == ENOENT ? 0 : cannot(err, "look at", path);
	if (S_ISSOCK(st.st_mode)) {
		leave_out(emit, path, "a socket lives as long as its server");
		return item->whiteout ? put_whiteout(emit, item->name, err) : 0;
	}
	header.type = type_of(st.st_mode);
	header.mode = st.st_mode & 07777;
	header.uid = st.st_uid;
	header.gid = st.st_gid;
	header.mtime = st.st_mtim.tv_sec;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		header.target = first_name(emit, &st, item);
	if (header.target) {
		header.type = TAR_LINK;
		return put_header(emit, &header, err);
	}
	if (S_ISLNK(st.st_mode)) {
		ssize_t len = readlinkat(emit->dir_fd, name, target, sizeof(target) - 1);

		if (len < 0)
			return cannot(err, "read link", path);
		target[len] = '\0';
		header.target = target;
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		header.major_nr = major(st.st_rdev);
		header.minor_nr = minor(st.st_rdev);
	}
	file = xasprintf("/proc/self/fd/%d/%s", emit->dir_fd, name);
	if (read_attributes(file, path, &attributes, err) < 0)
		return -1;
	header.xattrs = attributes.items;
	header.nr_xattrs = attributes.nr;
	if (S_ISREG(st.st_mode))
		header.size = (uint64_t)st.st_size;
	emit->result.content_bytes += header.size;
	if (put_header(emit, &header, err) < 0)
		return -1;
	return header.size ? put_content(emit, name, path, header.size, err) : 0;
}

static int put_all(struct emit *emit, struct error *err)
{
	static const char end[2 * TAR_BLOCK_BYTES];

	emit->chunk = xmalloc(CHUNK_BYTES);
	for (size_t i = 0; i < emit->nr; i++) {
		struct item *item = &emit->items[i];

		if (cancel_check(err) < 0)
			return -1;
		if ((item->change->kind == CHANGE_DELETED ? put_whiteout(emit, item->name, err)
							  : put_entry(emit, item, err)) < 0)
			return -1;
	}
	return put(emit, end, sizeof(end), err);
}

int tar_emit(const struct tar_emit_args *args, struct tar_emit_result *ret, struct error *err)
{
	auto_emit struct emit emit = { .args = args, .dir_fd = -1 };
	auto_change_list struct change_list everything = { 0 };

	if (!args->changes && diff_trees(-1, args->root_fd, NULL, &everything, err) < 0)
		return -1;
	take_items(&emit, args->changes ? args->changes : &everything);
	if (put_all(&emit, err) < 0)
		return args->as ? -1 : err_add(err, "write a layer");
	if (args->shared)
		tell_shared(&emit);
	*ret = emit.result;
	return 0;
}

int tar_emit_to_fd(void *fd, const void *data, size_t len, struct error *err)
{
	return io_write(*(const int *)fd, data, len, err);
}
