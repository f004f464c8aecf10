/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "layer/inflate.h"
#include "layer/space.h"
#include "layer/stream.h"
#include "layer/tar_apply.h"
#include "layer/tar_emit.h"
#include "layer/tree_copy.h"
#include "layer/tree_fs.h"
#include "limits.h"
#include "run/account.h"
#include "run/cppath.h"
#include "run/document.h"
#include "run/files.h"
#include "store.h"

#define MAX_LINKS 10 /* docker: maxSymlinkIter */
#define HERE	  (-1)

/* ---- paths of the container (below root_fd) and here (HERE) ---- */

static int open_at(int root_fd, const char *path, int flags, struct error *err)
{
	int fd;

	if (root_fd != HERE)
		return path_open_in_root(root_fd, path, flags, 0, err);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open '%s'", path) : fd;
}

/* Without following the last part. Returns 1, 0 when there is nothing, -1. */
static int look_at(int root_fd, const char *path, struct stat *ret, struct error *err)
{
	auto_fd int fd = open_at(root_fd, path, O_PATH | O_NOFOLLOW, err);

	if (fd < 0)
		return err->sys_errno == ENOENT || err->sys_errno == ENOTDIR ? 0 : -1;
	return fstat(fd, ret) < 0 ? err_sys(err, errno, "look at '%s'", path) : 1;
}

/* As long as path is a link, it becomes what that leads to. Returns as look_at(). */
static int follow_links(int root_fd, char **path, struct stat *ret, struct error *err)
{
	int found;

	for (int n = 0; (found = look_at(root_fd, *path, ret, err)) > 0 && S_ISLNK(ret->st_mode);
	     n++) {
		auto_fd int fd = open_at(root_fd, *path, O_PATH | O_NOFOLLOW, err);
		char target[LIMIT_PATH_BYTES];
		ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
		char *next;

		if (len < 0)
			return err_sys(err, errno, "read link '%s'", *path);
		if (n > MAX_LINKS)
			return err_set(err, ERR_USAGE, "too many symlinks in %s", *path);
		target[len] = '\0';
		next = cppath_follow(*path, target);
		free(*path);
		*path = next;
	}
	return found;
}

/* ---- what is copied ---- */

struct source {
	char *path; /* as it was asked for, absolute */
	bool is_folder;
	int fd;	    /* the folder, or that in which it lies */
	char *name; /* in it; of a folder NULL */
};

static void source_done(struct source *source)
{
	free(source->path);
	free(source->name);
	if (source->fd >= 0)
		close(source->fd);
}
#define auto_source __attribute__((cleanup(source_done)))

static int open_source(int root_fd, bool follow, struct source *source, struct error *err)
{
	auto_free char *path = xstrdup(source->path);
	auto_free char *folder = NULL;
	struct stat st;
	int found =
		follow ? follow_links(root_fd, &path, &st, err) : look_at(root_fd, path, &st, err);

	if (found < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "lstat %s: no such file or directory", path);
	/* With a slash at the end the kernel follows a link by itself, and refuses a file. */
	source->is_folder = S_ISDIR(st.st_mode);
	if (source->is_folder) {
		source->fd = open_at(root_fd, path, O_RDONLY | O_DIRECTORY, err);
		return source->fd < 0 ? -1 : 0;
	}
	cppath_divide(path, &folder, &source->name);
	source->fd = open_at(root_fd, folder, O_RDONLY | O_DIRECTORY, err);
	return source->fd < 0 ? -1 : 0;
}

/* ---- a tar in a pipe ---- */

struct producer {
	const struct source *source;
	const char *as;
	int fd;
	bool refused; /* the reader went first, and knows why */
	uint64_t bytes;
	int result;
	struct error err;
	pthread_t thread;
};

static int send_all(void *ctx, const void *data, size_t len, struct error *err)
{
	struct producer *producer = ctx;
	const char *at = data;

	while (len) {
		ssize_t sent = send(producer->fd, at, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			producer->refused = errno == EPIPE || errno == ECONNRESET;
			return err_sys(err, errno, "write into a pipe");
		}
		at += sent;
		len -= (size_t)sent;
		producer->bytes += (uint64_t)sent;
	}
	return 0;
}

static int emit(const struct source *source, const char *as,
		int (*write)(void *, const void *, size_t, struct error *), void *ctx,
		struct tar_emit_result *ret, struct error *err)
{
	struct change alone = { CHANGE_ADDED, false, source->name };
	const struct change_list list = { .items = &alone, .nr = 1 };
	const struct tar_emit_args args = {
		.root_fd = source->fd,
		.changes = source->is_folder ? NULL : &list,
		.as = as,
		.write = write,
		.ctx = ctx,
	};

	return tar_emit(&args, ret, err);
}

static void *produce(void *ctx)
{
	struct producer *producer = ctx;
	struct tar_emit_result result;

	producer->result =
		emit(producer->source, producer->as, send_all, producer, &result, &producer->err);
	shutdown(producer->fd, SHUT_WR);
	return NULL;
}

/* ---- where it goes ---- */

struct target {
	struct tree_writer *tree; /* to pass everything to */
	char *folder;		  /* below its root; exists */
	char *shown;
	bool set_owner;
	uid_t uid;
	gid_t gid;
	struct space *space; /* or NULL */
};

static void set_owner(void *ctx, mode_t type, struct tree_attr *attr)
{
	const struct target *target = ctx;

	(void)type;
	if (target->set_owner) {
		attr->uid = target->uid;
		attr->gid = target->gid;
	}
}

static int unpack(const struct target *target, int fd, uint64_t *ret_bytes, struct error *err)
{
	const struct stream_options options = {
		.read = stream_read_fd,
		.read_ctx = &fd,
		.kinds = INFLATE_ALL_KINDS,
		.no_digests = true,
	};
	auto_stream struct stream *stream = NULL;
	auto_tree_copy struct tree_copy copy = { 0 };
	const struct tree_copy_args into = {
		.under = target->tree,
		.folder = target->folder,
		.shown = target->shown,
	};
	struct tar_apply_args args = {
		.tree = &copy.tree,
		.base = true,
		.plain = true,
		.adjust = set_owner,
		.adjust_ctx = (void *)target,
		.take_space = target->space ? space_take : NULL,
		.take_space_ctx = target->space,
	};
	struct tar_apply_result result;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	tree_copy_init(&into, &copy);
	args.stream = stream;
	if (tar_apply(&args, &result, err) < 0)
		return -1;
	*ret_bytes = result.stream.tar_bytes;
	return 0;
}

static int transfer(const struct source *source, const char *as, const struct target *target,
		    uint64_t *ret_bytes, struct error *err)
{
	struct producer producer = { .source = source, .as = as };
	int ends[2], result;
	uint64_t ignored;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "make a pipe");
	producer.fd = ends[1];
	if (pthread_create(&producer.thread, NULL, produce, &producer) != 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(err, ERR_IO, "cannot start a thread");
	}
	result = unpack(target, ends[0], &ignored, err);
	close(ends[0]);
	pthread_join(producer.thread, NULL);
	close(ends[1]);
	*ret_bytes = producer.bytes;
	/* A tar that ends early looks whole. */
	if (producer.result < 0 && !producer.refused) {
		*err = producer.err;
		return -1;
	}
	return result;
}

/* ---- out ---- */

static int could_not_find(const struct cp_args *args, const char *path, struct error *err)
{
	return err_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", path,
		       args->container);
}

static int pack(const struct source *source, int fd, uint64_t *ret_bytes, struct error *err)
{
	auto_free char *base = cppath_base(source->path);
	struct tar_emit_result result = { 0 };
	int status =
		emit(source, strcmp(base, "/") == 0 ? "" : base, tar_emit_to_fd, &fd, &result, err);

	*ret_bytes = result.tar_bytes;
	return status;
}

/* A destination here: docker's CopyInfoDestinationPath. */
static int find_here(char **path, struct cppath_end *ret, struct error *err)
{
	struct stat st;
	int found = follow_links(HERE, path, &st, err);

	if (found < 0)
		return -1;
	*ret = (struct cppath_end){ *path, found > 0, found > 0 && S_ISDIR(st.st_mode) };
	return 0;
}

static int unpack_here(const struct cp_args *args, const struct source *source, uint64_t *ret_bytes,
		       struct error *err)
{
	auto_free char *cwd = getcwd(NULL, 0);
	auto_free char *path = cppath_absolute(cwd ? cwd : "/", args->outside);
	auto_free char *folder = NULL;
	auto_free char *name = NULL;
	auto_fd int fd = -1;
	auto_tree_fs struct tree_writer *tree = NULL;
	const struct cppath_end from = { source->path, true, source->is_folder };
	struct cppath_end to;
	struct target target = { .set_owner = !args->archive, .uid = geteuid(), .gid = getegid() };

	if (find_here(&path, &to, err) < 0 || cppath_plan(&from, &to, &folder, &name, err) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR ? err_set(err, ERR_USAGE, "not a directory")
					: err_sys(err, errno, "open '%s'", folder);
	if (tree_fs_new(fd, &tree, err) < 0)
		return -1;
	target.tree = tree;
	target.folder = (char[]){ "" };
	target.shown = folder;
	return transfer(source, name, &target, ret_bytes, err);
}

int cp_out(struct store *store, const struct cp_args *args, uint64_t *ret_bytes, struct error *err)
{
	auto_files struct files files = FILES_NONE(store);
	auto_source struct source source = { .path = cppath_absolute("/", args->inside), .fd = -1 };

	if (files_open_read(&files, args->container, err) < 0)
		return -1;
	if (open_source(files.root_fd, args->follow, &source, err) < 0)
		return err->kind == ERR_NOT_FOUND ? could_not_find(args, args->inside, err) : -1;
	return args->outside ? unpack_here(args, &source, ret_bytes, err)
			     : pack(&source, args->fd, ret_bytes, err);
}

/* ---- in ---- */

static int find_inside(int root_fd, const struct cp_args *args, char **path, struct cppath_end *ret,
		       struct error *err)
{
	struct stat st;
	int found = follow_links(root_fd, path, &st, err);

	if (found < 0)
		return -1;
	if (found && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(err, ERR_USAGE,
			       "destination \"%s:%s\" must be a directory or a regular file: got a "
			       "device",
			       args->container, args->inside);
	*ret = (struct cppath_end){ *path, found > 0, found > 0 && S_ISDIR(st.st_mode) };
	return 0;
}

/* The folder has to be there, and may be written to. */
static int check_folder(const struct files *files, const struct cp_args *args, const char *folder,
			struct error *err)
{
	auto_fd int fd = path_open_in_root(files->root_fd, folder, O_PATH, 0, err);
	struct stat st, root;
	struct statvfs fs;

	if (fd < 0)
		return err->sys_errno == ENOENT || err->sys_errno == ENOTDIR
			       ? could_not_find(args, folder, err)
			       : -1;
	if (fstat(fd, &st) < 0 || fstat(files->root_fd, &root) < 0 || fstatvfs(fd, &fs) < 0)
		return err_sys(err, errno, "look at '%s'", folder);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "extraction point is not a directory");
	if (st.st_dev == root.st_dev &&
	    document_flag(files->document, "HostConfig", "ReadonlyRootfs"))
		return err_set(err, ERR_DENIED, "container rootfs is marked read-only");
	if (fs.f_flag & ST_RDONLY)
		return err_set(err, ERR_DENIED, "mounted volume is marked read-only");
	return 0;
}

static int choose_owner(const struct files *files, const struct cp_args *args,
			struct target *target, struct error *err)
{
	const char *user = document_text(files->document, "Config", "User");
	auto_account struct account account = { 0 };

	if (!args->archive || !*user)
		return 0;
	if (account_find(files->root_fd, user, &account, err) < 0)
		return -1;
	target->set_owner = true;
	target->uid = account.uid;
	target->gid = account.gid;
	return 0;
}

/* Where it goes to: new texts. */
static int plan_inside(const struct files *files, const struct cp_args *args,
		       const struct source *source, char **ret_folder, char **ret_name,
		       struct error *err)
{
	auto_free char *path = cppath_absolute("/", args->inside);
	struct cppath_end to;

	if (find_inside(files->root_fd, args, &path, &to, err) < 0)
		return -1;
	if (source) {
		const struct cppath_end from = { source->path, true, source->is_folder };

		return cppath_plan(&from, &to, ret_folder, ret_name, err);
	}
	if (!to.is_folder)
		return err_set(err, ERR_USAGE, "destination \"%s:%s\" must be a directory",
			       args->container, args->inside);
	*ret_folder = xstrdup(path);
	return 0;
}

static int unpack_inside(struct files *files, const struct cp_args *args,
			 const struct source *source, uint64_t *ret_bytes, struct error *err)
{
	auto_free char *folder = NULL;
	auto_free char *name = NULL;
	auto_buf struct buf clean = { 0 };
	struct space space = { .pool = files->store->pool };
	struct target target = { .space = &space };

	if (plan_inside(files, args, source, &folder, &name, err) < 0 ||
	    check_folder(files, args, folder, err) < 0 || path_clean(folder, &clean, err) < 0 ||
	    choose_owner(files, args, &target, err) < 0 || files_tree(files, &target.tree, err) < 0)
		return -1;
	space.mount_fd = files->work.mount_fd;
	target.folder = clean.data;
	target.shown = folder;
	if ((source ? transfer(source, name, &target, ret_bytes, err)
		    : unpack(&target, args->fd, ret_bytes, err)) == 0)
		return 0;
	work_tree_explain(&files->tree, err);
	return -1;
}

int cp_in(struct store *store, const struct cp_args *args, uint64_t *ret_bytes, struct error *err)
{
	auto_files struct files files = FILES_NONE(store);
	auto_free char *cwd = getcwd(NULL, 0);
	auto_source struct source source = { .fd = -1 };

	if (args->outside) {
		source.path = cppath_absolute(cwd ? cwd : "/", args->outside);
		if (open_source(HERE, args->follow, &source, err) < 0)
			return -1;
	}
	if (files_open_write(&files, args->container, err) < 0 ||
	    unpack_inside(&files, args, args->outside ? &source : NULL, ret_bytes, err) < 0)
		return -1;
	return files_close(&files, err);
}
