/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular file costs what the walk and the writer take, and four calls: open, list its
 * attributes, read, look whether it is still the same.
 */
#include "build/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/tree_writer.h"
#include "build/follow.h"
#include "build/hardlinks.h"
#include "build/unpack.h"
#include "build/xattrs.h"
#include "limits.h"

/* Large enough that a call costs nothing, small enough for the cache. */
#define CHUNK_BYTES (256 * 1024)
#define ACL_ACCESS  "system.posix_acl_access"

struct copy {
	const struct copy_args *args;
	struct tree_writer *tree;
	const struct tree_writer_ops *ops; /* its */
	struct follow follow;		   /* the destination */
	const char *destination;	   /* its path: clean, without links */
	size_t there;			   /* bytes of it that are in the tree */
	bool to_folder;			   /* it is a folder, or will be: things land inside */
	struct timespec now;
	struct hardlinks *links;
	struct xattrs xattrs;
	struct tree_xattr *kept; /* those that are left after adjust() */
	char *chunk;
	bool removed;
	bool changed; /* a source, since it was hashed */
	/* The source at hand. */
	const struct context_source *source;
	char *start;	  /* its path in the tree */
	bool has_parents; /* --parents: the folders that lead to it were made */
	struct hasher *seen;
	struct buf parent; /* the folder that the last one with such was put in */
};

static void copy_done(struct copy *copy)
{
	follow_done(&copy->follow);
	hardlinks_free(copy->links);
	xattrs_done(&copy->xattrs);
	free(copy->kept);
	free(copy->chunk);
	free(copy->start);
	hasher_free(copy->seen);
	buf_done(&copy->parent);
}
#define auto_copy __attribute__((cleanup(copy_done)))

/* Returns new. */
static char *join(const char *folder, const char *name)
{
	return xasprintf("%s%s%s", folder, *folder && *name ? "/" : "", name);
}

static int take_space(struct copy *copy, uint64_t bytes, struct error *err)
{
	const struct copy_args *args = copy->args;

	return args->take_space ? args->take_space(args->take_space_ctx, bytes, err) : 0;
}

/* ---- attributes ---- */

/* With --chmod the mode is all that is said of permissions: an ACL would change it again. */
static void drop_acl(struct copy *copy, struct tree_attr *attr)
{
	size_t nr = 0;

	if (!attr->nr_xattrs)
		return;
	copy->kept = xrealloc(copy->kept, attr->nr_xattrs * sizeof(*copy->kept));
	for (size_t i = 0; i < attr->nr_xattrs; i++)
		if (strcmp(attr->xattrs[i].name, ACL_ACCESS) != 0)
			copy->kept[nr++] = attr->xattrs[i];
	attr->xattrs = copy->kept;
	attr->nr_xattrs = nr;
}

/* --chown and --chmod */
static void adjust(void *ctx, mode_t type, struct tree_attr *attr)
{
	struct copy *copy = ctx;
	const struct copy_args *args = copy->args;

	if (args->has_owner) {
		attr->uid = args->uid;
		attr->gid = args->gid;
	}
	if (args->chmod && type != S_IFLNK) {
		attr->mode = chmod_apply(args->chmod, attr->mode, type == S_IFDIR);
		drop_acl(copy, attr);
	}
}

/* What a copy of this file will have; its attributes were read. */
static struct tree_attr attr_of(struct copy *copy, const struct stat *stat)
{
	bool keep = copy->args->context->keep_owners;
	struct tree_attr attr = {
		.mode = stat->st_mode & 07777,
		.uid = keep ? stat->st_uid : 0,
		.gid = keep ? stat->st_gid : 0,
		.mtime = stat->st_mtim,
		.atime = stat->st_mtim,
		.xattrs = copy->xattrs.items,
		.nr_xattrs = copy->xattrs.nr,
	};

	adjust(copy, stat->st_mode & S_IFMT, &attr);
	return attr;
}

/* A folder that nobody asked for: root's, or --chown's. */
static struct tree_attr attr_of_missing(const struct copy *copy)
{
	const struct copy_args *args = copy->args;

	return (struct tree_attr){
		.mode = 0755,
		.uid = args->has_owner ? args->uid : 0,
		.gid = args->has_owner ? args->gid : 0,
		.mtime = copy->now,
		.atime = copy->now,
	};
}

/* ---- the destination ---- */

static int not_a_folder(const struct copy *copy, struct error *err)
{
	return err_set(err, ERR_USAGE, "cannot copy to non-directory: /%.512s",
		       follow_result(&copy->follow));
}

static int find_destination(struct copy *copy, struct error *err)
{
	const struct copy_args *args = copy->args;
	bool as_folder = copy_is_folder(args->destination);

	copy->follow = (struct follow){ .root_fd = args->root_fd, .beyond = true };
	if (!as_folder && (args->several || args->sources->nr + args->nr_files > 1))
		return err_set(err, ERR_USAGE,
			       "When using %s with more than one source file, the destination must "
			       "be a directory and end with a /",
			       args->instruction);
	if (follow_path(&copy->follow, args->destination, err) < 0)
		return err->sys_errno == ENOTDIR ? not_a_folder(copy, err) : -1;
	copy->destination = follow_result(&copy->follow);
	copy->there = copy->follow.there;
	copy->to_folder = as_folder || args->parents || copy->follow.kind == FOLLOW_FOLDER;
	if (copy->to_folder && copy->follow.kind == FOLLOW_OTHER)
		return not_a_folder(copy, err);
	return 0;
}

/* Makes what is missing of the first `len` bytes of the destination. */
static int need_folder(struct copy *copy, size_t len, struct error *err)
{
	struct tree_attr attr = attr_of_missing(copy);

	while (copy->there < len) {
		size_t end = copy->there + (copy->there > 0);
		auto_free char *path = NULL;

		end += strcspn(copy->destination + end, "/");
		path = xasprintf("%.*s", (int)end, copy->destination);
		if (take_space(copy, TREE_ENTRY_BYTES, err) < 0 ||
		    copy->ops->make_dir(copy->tree, path, &attr, err) < 0)
			return -1;
		copy->there = end;
	}
	return 0;
}

/* The folder that things land in, before the first of them. */
static int need_place(struct copy *copy, struct error *err)
{
	size_t len = strlen(copy->destination);

	if (copy->there >= len)
		return 0;
	if (!copy->to_folder) {
		const char *base = path_base(copy->destination);

		len = base > copy->destination ? (size_t)(base - copy->destination - 1) : 0;
	}
	return need_folder(copy, len, err);
}

/* ---- content ---- */

static int changed(const char *path, struct error *err)
{
	return err_set(err, ERR_IO, "'%s' changed while it was copied", path);
}

/* Did a read fail because the file is shorter now, or none? */
static bool is_other(const struct error *err)
{
	return err->kind == ERR_CORRUPT || err->sys_errno == ESPIPE;
}

static int copy_range(struct copy *copy, int fd, const char *path, uint64_t offset, uint64_t end,
		      struct error *err)
{
	while (offset < end) {
		size_t len = end - offset < CHUNK_BYTES ? (size_t)(end - offset) : CHUNK_BYTES;

		if (cancel_check(err) < 0 || take_space(copy, len, err) < 0)
			return -1;
		if (io_pread(fd, copy->chunk, len, offset, err) < 0)
			return is_other(err) ? changed(path, err) : err_add(err, "'%s'", path);
		if (copy->ops->write_file(copy->tree, copy->chunk, len, offset, err) < 0)
			return -1;
		offset += len;
	}
	return 0;
}

/* Holes stay holes: what is not written reads as zeros. */
static int copy_sparse(struct copy *copy, int fd, const char *path, uint64_t size,
		       struct error *err)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data < 0) /* a file system that does not tell */
			return copy_range(copy, fd, path, at, size, err);
		hole = lseek(fd, data, SEEK_HOLE);
		at = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
		if (copy_range(copy, fd, path, (uint64_t)data, at, err) < 0)
			return -1;
	}
	return 0;
}

static int open_regular(const struct context_entry *entry, struct error *err)
{
	/* Not blocking: it may have become a pipe since it was looked at. */
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(entry->dir_fd, entry->base, flags);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_IO, "'%s' vanished while it was copied", entry->path);
	if (fd < 0 && errno == ELOOP)
		return changed(entry->path, err);
	return fd < 0 ? err_sys(err, errno, "open '%s'", entry->path) : fd;
}

static int check_unchanged(int fd, const struct context_entry *entry, struct error *err)
{
	const struct stat *then = entry->stat;
	struct stat now;

	if (fstat(fd, &now) < 0)
		return err_sys(err, errno, "look at '%s'", entry->path);
	if (now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
	    now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != then->st_mtim.tv_nsec)
		return changed(entry->path, err);
	return 0;
}

static int copy_content(struct copy *copy, int fd, const struct context_entry *entry,
			const char *target, struct error *err)
{
	struct tree_attr attr = attr_of(copy, entry->stat);
	uint64_t size = (uint64_t)entry->stat->st_size;
	bool sparse = (uint64_t)entry->stat->st_blocks * 512 < size;

	if (copy->ops->open_file(copy->tree, target, &attr, size, err) < 0)
		return -1;
	if ((sparse ? copy_sparse(copy, fd, entry->path, size, err)
		    : copy_range(copy, fd, entry->path, 0, size, err)) < 0 ||
	    check_unchanged(fd, entry, err) < 0)
		return -1;
	return copy->ops->close_file(copy->tree, err);
}

/* ---- archives ---- */

static int begin(struct copy *copy, struct error *err)
{
	/* As a lowest layer: there are no whiteouts, so nothing need be remembered for them. */
	return copy->ops->begin_layer(copy->tree, true, err);
}

static int end(struct copy *copy, struct error *err)
{
	bool removed = false;

	if (copy->ops->end_layer(copy->tree, &removed, err) < 0)
		return -1;
	copy->removed |= removed;
	return 0;
}

static int unpack(struct copy *copy, int fd, const struct context_entry *entry, struct error *err)
{
	struct unpack_args args = { .fd = fd,
				    .size_bytes = (uint64_t)entry->stat->st_size,
				    .tree = copy->tree,
				    .adjust = adjust,
				    .adjust_ctx = copy,
				    .take_space = copy->args->take_space,
				    .take_space_ctx = copy->args->take_space_ctx };
	bool removed = false;

	if (copy->follow.kind == FOLLOW_OTHER)
		return not_a_folder(copy, err);
	copy->to_folder = true;
	hardlinks_clear(copy->links);
	/* What a link in an archive leads to is below the destination. */
	if (need_place(copy, err) < 0 || end(copy, err) < 0 ||
	    copy->ops->enter(copy->tree, copy->destination, err) < 0)
		return -1;
	if (unpack_into(&args, &removed, err) < 0)
		return err_add(err, "unpack '%s'", entry->path);
	copy->removed |= removed;
	if (check_unchanged(fd, entry, err) < 0 || copy->ops->enter(copy->tree, "", err) < 0)
		return -1;
	return begin(copy, err);
}

/* ---- parents ---- */

/*
 * What a folder of --parents has in the context: `len` bytes of the source's name lead to it.
 * Where links were followed the name does not tell.
 */
static int attr_of_parent(struct copy *copy, size_t len, struct tree_attr *ret, struct error *err)
{
	const struct context_source *source = copy->source;
	size_t path_len = strlen(source->path), name_len = strlen(source->name);
	auto_free char *path = NULL;
	auto_fd int fd = -1;
	struct stat stat;

	*ret = attr_of_missing(copy);
	if (name_len > path_len || strcmp(source->path + path_len - name_len, source->name) != 0)
		return 0;
	path = xasprintf("%.*s", (int)(path_len - name_len + len), source->path);
	fd = path_open_in_root(copy->args->context->root_fd, path, O_PATH | O_DIRECTORY, 0, err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &stat) < 0)
		return err_sys(err, errno, "look at '%s'", path);
	if (xattrs_read_at(fd, ".", &copy->xattrs, err) < 0)
		return err_add(err, "'%s'", path);
	*ret = attr_of(copy, &stat);
	return 0;
}

/*
 * --parents: the folders that lead to the source, before the first thing of it, as far as the last
 * one did not need them, too.
 */
static int need_parents(struct copy *copy, struct error *err)
{
	const char *name = copy->source->name, *base = path_base(name);
	size_t end = 0, last = base > name ? (size_t)(base - name - 1) : 0;
	auto_free char *parent = NULL;

	if (!copy->args->parents || copy->has_parents)
		return 0;
	while (end < last) {
		auto_free char *path = NULL, *target = NULL;
		struct tree_attr attr;

		end += end > 0;
		end += strcspn(name + end, "/");
		if (end <= copy->parent.len && memcmp(copy->parent.data, name, end) == 0 &&
		    (copy->parent.len == end || copy->parent.data[end] == '/'))
			continue;
		path = xasprintf("%.*s", (int)end, name);
		target = join(copy->destination, path);
		if (take_space(copy, TREE_ENTRY_BYTES, err) < 0 ||
		    attr_of_parent(copy, end, &attr, err) < 0 ||
		    copy->ops->make_dir(copy->tree, target, &attr, err) < 0)
			return -1;
	}
	parent = xasprintf("%.*s", (int)last, name);
	buf_reset(&copy->parent);
	buf_puts(&copy->parent, parent);
	copy->has_parents = true;
	return 0;
}

/* ---- entries ---- */

/* Returns 0, 1 when it was an archive and there is no file now, -1. */
static int copy_regular(struct copy *copy, const struct context_entry *entry, const char *target,
			struct error *err)
{
	auto_fd int fd = open_regular(entry, err);
	int is_tar = 0;

	if (fd < 0)
		return -1;
	if (copy->args->unpack && !copy->source->is_folder)
		is_tar = unpack_is_tar(fd, err);
	if (is_tar < 0)
		return err_add(err, "'%s'", entry->path);
	if (is_tar)
		return unpack(copy, fd, entry, err) < 0 ? -1 : 1;
	if (xattrs_read(fd, &copy->xattrs, err) < 0)
		return err_add(err, "'%s'", entry->path);
	if (need_place(copy, err) < 0)
		return -1;
	return copy_content(copy, fd, entry, target, err);
}

/* All that is not regular: nothing of it is opened. */
static int copy_special(struct copy *copy, const struct context_entry *entry, const char *target,
			struct error *err)
{
	const struct tree_writer_ops *ops = copy->ops;
	struct tree_writer *tree = copy->tree;
	mode_t type = entry->stat->st_mode & S_IFMT;
	struct tree_attr attr;

	if (xattrs_read_at(entry->dir_fd, entry->base, &copy->xattrs, err) < 0)
		return err_add(err, "'%s'", entry->path);
	if (need_place(copy, err) < 0)
		return -1;
	attr = attr_of(copy, entry->stat);
	switch (type) {
	case S_IFDIR:
		return ops->make_dir(tree, target, &attr, err);
	case S_IFLNK:
		return ops->make_symlink(tree, target, entry->link, &attr, err);
	case S_IFCHR:
	case S_IFBLK:
		return ops->make_node(tree, target, type, entry->stat->st_rdev, &attr, err);
	case S_IFIFO:
		return ops->make_node(tree, target, type, 0, &attr, err);
	default:
		return err_set(err, ERR_UNSUPPORTED, "'%s': unknown kind of file", entry->path);
	}
}

/* A further name of a file that was copied. Returns 1, or 0 when it was not; -1. */
static int copy_link(struct copy *copy, const struct context_entry *entry, const char *target,
		     struct error *err)
{
	const char *first = hardlinks_find(copy->links, entry->stat);
	struct tree_attr attr;

	if (!first)
		return 0;
	/* It has its attributes already. */
	copy->xattrs.nr = 0;
	attr = attr_of(copy, entry->stat);
	return copy->ops->make_link(copy->tree, target, first, &attr, err) < 0 ? -1 : 1;
}

static int copy_entry(void *data, const struct context_entry *entry, struct error *err)
{
	struct copy *copy = data;
	auto_free char *target = join(copy->start, entry->name);
	mode_t type = entry->stat->st_mode & S_IFMT;
	bool linked = type != S_IFDIR && entry->stat->st_nlink > 1;
	int done = 0;

	context_see(copy->seen, entry);
	/* The destination itself is no copy of anything. */
	if (type == S_IFDIR && !*entry->name && strcmp(target, copy->destination) == 0)
		return 0;
	if (take_space(copy, TREE_ENTRY_BYTES, err) < 0 || need_parents(copy, err) < 0)
		return -1;
	if (!copy->source->is_folder)
		hardlinks_overwritten(copy->links, target);
	if (linked)
		done = copy_link(copy, entry, target, err);
	if (done)
		return done < 0 ? -1 : 0;
	done = type == S_IFREG ? copy_regular(copy, entry, target, err)
			       : copy_special(copy, entry, target, err);
	if (done < 0)
		return -1;
	return linked && !done ? hardlinks_add(copy->links, entry->stat, target, err) : 0;
}

/* ---- sources ---- */

/* All of a source was copied: is it what the key of the step was made of? */
static void look_back(struct copy *copy, const struct context_source *source)
{
	struct digest seen;

	hasher_end(copy->seen, &seen);
	if (digest_is_set(&source->seen) && !digest_equal(&seen, &source->seen))
		copy->changed = true;
}

static int copy_source(struct copy *copy, const struct context_source *source, struct error *err)
{
	const struct copy_args *args = copy->args;
	bool inside = args->parents || (copy->to_folder && !source->is_folder);
	int done;

	copy->source = source;
	copy->has_parents = false;
	hasher_free(copy->seen);
	copy->seen = hasher_new();
	free(copy->start);
	copy->start = join(copy->destination, inside ? source->name : "");
	if (source->is_folder) {
		if (copy->follow.kind == FOLLOW_OTHER)
			return not_a_folder(copy, err);
		copy->to_folder = true;
		/* What was copied before may give way. */
		hardlinks_clear(copy->links);
	}
	if (copy->to_folder && need_place(copy, err) < 0)
		return -1;
	done = context_walk(args->context, source, args->exclude, copy_entry, copy, err);
	if (source->is_folder)
		hardlinks_clear(copy->links);
	if (done == 0)
		look_back(copy, source);
	return done;
}

/* ---- files without a source ---- */

static int write_data(struct copy *copy, const struct copy_file *file, struct error *err)
{
	if (take_space(copy, file->len, err) < 0)
		return -1;
	return file->len ? copy->ops->write_file(copy->tree, file->data, file->len, 0, err) : 0;
}

/* What is left to read, where that can be told. */
static uint64_t rest_bytes(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat stat;

	if (at < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_size < at)
		return 0;
	return (uint64_t)(stat.st_size - at);
}

static int write_rest(struct copy *copy, const struct copy_file *file, struct error *err)
{
	uint64_t offset = 0;

	for (;;) {
		ssize_t len = io_read(file->fd, copy->chunk, CHUNK_BYTES, err);

		if (len < 0 || cancel_check(err) < 0)
			return -1;
		if (len == 0)
			return 0;
		if (take_space(copy, (uint64_t)len, err) < 0 ||
		    copy->ops->write_file(copy->tree, copy->chunk, (size_t)len, offset, err) < 0)
			return -1;
		offset += (uint64_t)len;
	}
}

static int copy_file(struct copy *copy, const struct copy_file *file, struct error *err)
{
	struct tree_writer *tree = copy->tree;
	const char *base = path_base(file->name);
	auto_free char *target = join(copy->destination, copy->to_folder ? base : "");
	struct tree_attr attr = { .mode = file->mode, .mtime = file->mtime, .atime = file->mtime };
	uint64_t size = file->data ? file->len : rest_bytes(file->fd);

	if (copy->to_folder && (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0))
		return err_set(err, ERR_USAGE, "'%.128s' is no name for a file", file->name);
	adjust(copy, S_IFREG, &attr);
	if (need_place(copy, err) < 0 || take_space(copy, TREE_ENTRY_BYTES, err) < 0 ||
	    copy->ops->open_file(tree, target, &attr, size, err) < 0 ||
	    (file->data ? write_data(copy, file, err) : write_rest(copy, file, err)) < 0)
		return -1;
	return copy->ops->close_file(tree, err);
}

int copy_into(const struct copy_args *args, bool *ret_removed, struct error *err)
{
	auto_copy struct copy copy = { .args = args, .tree = args->tree };

	clock_gettime(CLOCK_REALTIME, &copy.now);
	if (find_destination(&copy, err) < 0 ||
	    (!copy.tree && args->open_tree(args->open_tree_ctx, &copy.tree, err) < 0))
		return -1;
	copy.ops = copy.tree->ops;
	copy.links = hardlinks_new();
	copy.chunk = xmalloc(CHUNK_BYTES);
	if (begin(&copy, err) < 0)
		return -1;
	for (size_t i = 0; i < args->sources->nr; i++)
		if (copy_source(&copy, &args->sources->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < args->nr_files; i++)
		if (copy_file(&copy, &args->files[i], err) < 0)
			return -1;
	if (end(&copy, err) < 0)
		return -1;
	*ret_removed = copy.removed;
	return copy.changed;
}
