/* SPDX-License-Identifier: Apache-2.0 */
#include "build/context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "build/filehash.h"
#include "build/xattrs.h"
#include "limits.h"

/* Large enough that a call costs nothing, small enough for the cache. */
#define CHUNK_BYTES (256 * 1024)

/* A folder on the way down; open only while it is the last one. */
struct frame {
	struct strlist names;
	size_t next;
	size_t path_len; /* of the walk's path, at this folder */
	bool pending;	 /* ignored, and not visited yet */
	struct stat stat;
};

struct walk {
	const struct context *context;
	const struct context_source *source;
	const struct ignore *exclude;
	context_visit_fn *visit;
	void *data;
	struct buf path;
	struct frame *frames;
	size_t nr;
	int fd; /* of the last frame; -1: to be opened */
};

static void walk_done(struct walk *walk)
{
	for (size_t i = 0; i < walk->nr; i++)
		strlist_done(&walk->frames[i].names);
	free(walk->frames);
	buf_done(&walk->path);
	if (walk->fd >= 0)
		close(walk->fd);
}
#define auto_walk __attribute__((cleanup(walk_done)))

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int open_folder(const struct context *context, const char *path, struct error *err)
{
	return path_open_in_root(context->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
				 err);
}

/* The names in an open folder, sorted. */
static int list_folder(int fd, struct strlist *ret, struct error *err)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "read a folder of the build context");
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (ret->nr == LIMIT_CONTEXT_NAMES)
			return err_set(err, ERR_LIMIT, "more than %u names in a folder",
				       LIMIT_CONTEXT_NAMES);
		strlist_add(ret, entry->d_name);
	}
	if (errno)
		return err_sys(err, errno, "read a folder of the build context");
	if (ret->nr)
		qsort(ret->items, ret->nr, sizeof(*ret->items), compare_text);
	return 0;
}

/* Reads where a link points to; *ret is new. */
static int read_link(int dir_fd, const char *base, char **ret, struct error *err)
{
	char target[LIMIT_PATH_BYTES];
	ssize_t len = readlinkat(dir_fd, base, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys(err, errno, "read link '%s'", base);
	target[len] = '\0';
	*ret = xstrdup(target);
	return 0;
}

/* ---- walking ---- */

static int call_visit(struct walk *walk, size_t path_len, int dir_fd, const char *base,
		      const struct stat *stat, const char *link, struct error *err)
{
	auto_free char *path = xasprintf("%.*s", (int)path_len, walk->path.data);
	size_t start = strlen(walk->source->path);
	const char *name = path + start + (start && path_len > start);
	struct context_entry entry = { path, name, dir_fd, base, stat, link };

	return walk->visit(walk->data, &entry, err);
}

/* Folders that are ignored come up when something in them does not. */
static int visit_pending(struct walk *walk, struct error *err)
{
	for (size_t i = 0; i < walk->nr; i++) {
		struct frame *frame = &walk->frames[i];
		auto_free char *path = NULL;
		auto_fd int fd = -1;

		if (!frame->pending)
			continue;
		frame->pending = false;
		path = xasprintf("%.*s", (int)frame->path_len, walk->path.data);
		fd = open_folder(walk->context, path, err);
		if (fd < 0 ||
		    call_visit(walk, frame->path_len, fd, ".", &frame->stat, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_excluded(const struct walk *walk, bool *ret_prune)
{
	size_t start = strlen(walk->source->path);
	const char *path = walk->path.data, *name = path + start;
	bool ignored = ignore_excludes(walk->context->ignore, path), excluded;

	name += *name == '/';
	if (!*name)
		name = path_base(walk->source->name);
	excluded = ignore_excludes(walk->exclude, name);
	*ret_prune = (ignored && !ignore_may_include_below(walk->context->ignore, path)) ||
		     (excluded && !ignore_may_include_below(walk->exclude, name));
	return ignored || excluded;
}

static void push_frame(struct walk *walk, const struct stat *stat, bool pending)
{
	walk->frames = xrealloc(walk->frames, (walk->nr + 1) * sizeof(*walk->frames));
	walk->frames[walk->nr++] = (struct frame){
		.path_len = walk->path.len,
		.pending = pending,
		.stat = *stat,
	};
}

/* A folder is entered: its names are read, whoever was open before is closed. */
static int enter(struct walk *walk, const struct stat *stat, bool pending, struct error *err)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = open_folder(walk->context, walk->path.data, err);
	if (walk->fd < 0)
		return -1;
	push_frame(walk, stat, pending);
	return list_folder(walk->fd, &walk->frames[walk->nr - 1].names, err);
}

/* What the path names is at hand. */
static int take_entry(struct walk *walk, int dir_fd, const char *base, struct error *err)
{
	auto_free char *link = NULL;
	struct stat stat;
	bool prune, excluded = is_excluded(walk, &prune);

	if (fstatat(dir_fd, base, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "look at '%s'", walk->path.data);
	if (excluded && (prune || !S_ISDIR(stat.st_mode)))
		return 0;
	if (S_ISSOCK(stat.st_mode))
		return 0;
	if (S_ISLNK(stat.st_mode) && read_link(dir_fd, base, &link, err) < 0)
		return -1;
	if (!excluded && visit_pending(walk, err) < 0)
		return -1;
	if (!excluded) {
		int done = call_visit(walk, walk->path.len, dir_fd, base, &stat, link, err);

		if (done)
			return done < 0 ? -1 : 0;
	}
	return S_ISDIR(stat.st_mode) ? enter(walk, &stat, excluded, err) : 0;
}

static void cut_path(struct walk *walk, size_t len)
{
	walk->path.len = len;
	walk->path.data[len] = '\0';
}

static int take_next(struct walk *walk, struct error *err)
{
	struct frame *frame = &walk->frames[walk->nr - 1];
	const char *base;

	cut_path(walk, frame->path_len);
	if (frame->next == frame->names.nr) {
		strlist_done(&frame->names);
		walk->nr--;
		if (walk->fd >= 0)
			close(take_fd(walk->fd));
		return 0;
	}
	if (walk->fd < 0)
		walk->fd = open_folder(walk->context, walk->path.data, err);
	if (walk->fd < 0 || cancel_check(err) < 0)
		return -1;
	base = frame->names.items[frame->next++];
	if (walk->path.len)
		buf_putc(&walk->path, '/');
	buf_puts(&walk->path, base);
	if (walk->path.len >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT,
			       "a path in the build context is longer than %d bytes",
			       LIMIT_PATH_BYTES);
	return take_entry(walk, walk->fd, base, err);
}

int context_walk(const struct context *context, const struct context_source *source,
		 const struct ignore *exclude, context_visit_fn *visit, void *data,
		 struct error *err)
{
	auto_walk struct walk walk = { .context = context,
				       .source = source,
				       .exclude = exclude,
				       .visit = visit,
				       .data = data,
				       .fd = -1 };
	const char *base = path_base(source->path);
	size_t parent_len = (size_t)(base - source->path);
	auto_free char *parent =
		xasprintf("%.*s", (int)(parent_len ? parent_len - 1 : 0), source->path);
	auto_fd int dir_fd = open_folder(context, parent, err);

	buf_puts(&walk.path, source->path);
	/* Of files, each of which is a walk, there may be very many. */
	if (dir_fd < 0 || cancel_check(err) < 0 ||
	    take_entry(&walk, dir_fd, *base ? base : ".", err) < 0)
		return -1;
	while (walk.nr)
		if (take_next(&walk, err) < 0)
			return -1;
	return 0;
}

/* ---- hashing ---- */

struct hash_job {
	const struct context *context;
	struct hasher *hasher, *seen;
	const char *prefix; /* of the names, with a '/' when there is one */
	char *chunk;
	uint64_t nr_bytes;
};

/* As many bytes as the record says: a file that grows meanwhile has no end. */
static int hash_content(struct hash_job *job, int fd, uint64_t left, struct error *err)
{
	while (left) {
		size_t want = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
		ssize_t len = io_read(fd, job->chunk, want, err);

		if (len < 0 || cancel_check(err) < 0)
			return -1;
		if (!len)
			return 0;
		hasher_add(job->hasher, job->chunk, (size_t)len);
		left -= (uint64_t)len;
	}
	return 0;
}

static int hash_file(struct hash_job *job, const struct context_entry *entry,
		     struct filehash_record *record, struct error *err)
{
	bool regular = S_ISREG(entry->stat->st_mode);
	auto_xattrs struct xattrs xattrs = { 0 };
	auto_fd int fd = -1;
	struct stat now;

	if (regular || S_ISDIR(entry->stat->st_mode)) {
		/* Not blocking: it may have become a pipe since it was looked at. */
		fd = openat(entry->dir_fd, entry->base,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
				    (regular ? 0 : O_DIRECTORY));
		if (fd < 0 || fstat(fd, &now) < 0)
			return err_sys(err, errno, "open '%s'", entry->path);
		if ((now.st_mode & S_IFMT) != (entry->stat->st_mode & S_IFMT))
			return err_set(err, ERR_IO, "'%s' changed while it was read", entry->path);
		record->size_bytes = (uint64_t)now.st_size;
		if (xattrs_read(fd, &xattrs, err) < 0)
			return err_add(err, "file '%s'", entry->path);
		record->xattrs = xattrs.items;
		record->nr_xattrs = xattrs.nr;
	}
	filehash_add(job->hasher, record);
	return regular ? hash_content(job, fd, record->size_bytes, err) : 0;
}

void context_see(struct hasher *hasher, const struct context_entry *entry)
{
	const struct stat *stat = entry->stat;

	filehash_field(hasher, entry->name, strlen(entry->name));
	filehash_number(hasher, stat->st_mode);
	filehash_number(hasher, stat->st_uid);
	filehash_number(hasher, stat->st_gid);
	filehash_number(hasher, (uint64_t)stat->st_size);
	filehash_number(hasher, (uint64_t)stat->st_mtim.tv_sec);
	filehash_number(hasher, (uint64_t)stat->st_mtim.tv_nsec);
	filehash_number(hasher, (uint64_t)stat->st_ctim.tv_sec);
	filehash_number(hasher, (uint64_t)stat->st_ctim.tv_nsec);
}

static int hash_entry(void *data, const struct context_entry *entry, struct error *err)
{
	struct hash_job *job = data;
	bool joined = *job->prefix && *entry->name;
	auto_free char *name = xasprintf("%s%s%s", job->prefix, joined ? "/" : "", entry->name);
	struct filehash_record record = {
		.name = name,
		.mode = entry->stat->st_mode,
		.uid = job->context->keep_owners ? entry->stat->st_uid : 0,
		.gid = job->context->keep_owners ? entry->stat->st_gid : 0,
		.link = entry->link,
		.rdev = entry->stat->st_rdev,
	};

	context_see(job->seen, entry);
	job->nr_bytes += S_ISREG(entry->stat->st_mode) ? (uint64_t)entry->stat->st_size : 0;
	return hash_file(job, entry, &record, err);
}

int context_hash(const struct context *context, struct context_source *source,
		 const struct ignore *exclude, bool parents, struct digest *ret, struct error *err)
{
	auto_hasher struct hasher *hasher = hasher_new();
	auto_hasher struct hasher *seen = hasher_new();
	auto_free char *chunk = xmalloc(CHUNK_BYTES);
	struct hash_job job = {
		.context = context,
		.hasher = hasher,
		.seen = seen,
		.prefix = parents ? source->name : "",
		.chunk = chunk,
	};

	if (context_walk(context, source, exclude, hash_entry, &job, err) < 0)
		return -1;
	hasher_end(hasher, ret);
	hasher_end(seen, &source->seen);
	source->nr_bytes = job.nr_bytes;
	return 0;
}
