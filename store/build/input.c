/* SPDX-License-Identifier: Apache-2.0 */
#include "build/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "build/unpack.h"
#include "db/recover_container.h"
#include "layer/inflate.h"
#include "layer/stream.h"
#include "layer/tar_apply.h"
#include "layer/tar_header.h"
#include "layer/tree_fs.h"
#include "limits.h"
#include "store.h"

void build_input_done(struct build_input *input)
{
	struct error err;

	if (input->root_fd >= 0)
		close(input->root_fd);
	if (input->temporary && recover_remove_tree(input->temporary, &err) < 0)
		log_debug("%s", err.text);
	ignore_free(input->ignore);
	buf_done(&input->dockerfile);
	free(input->path);
	free(input->name);
	free(input->temporary);
	*input = (struct build_input){ .root_fd = -1 };
}

/* ---- a context, or a Dockerfile, from a stream ---- */

/* Its beginning was looked at already. */
struct begun {
	const char *data;
	size_t len;
	int fd;
};

static int read_begun(void *ctx, void *data, size_t len, struct error *err)
{
	struct begun *begun = ctx;

	if (!begun->len)
		return stream_read_fd(&begun->fd, data, len, err);
	if (len > begun->len)
		len = begun->len;
	memcpy(data, begun->data, len);
	begun->data += len;
	begun->len -= len;
	return (int)len;
}

static int unpack(struct store *store, struct begun *begun, struct build_input *ret,
		  struct error *err)
{
	auto_stream struct stream *stream = NULL;
	auto_tree_fs struct tree_writer *tree = NULL;
	const struct stream_options options = {
		.read = read_begun,
		.read_ctx = begun,
		.kinds = INFLATE_ALL_KINDS,
		.no_digests = true,
	};
	struct tar_apply_args args = { .base = true, .plain = true };
	struct tar_apply_result result;

	if (store_session(store, err) < 0)
		return -1;
	ret->temporary = xasprintf("%s/tmp/%" PRId64 "-context", store->root.path, store->session);
	ret->path = xstrdup(ret->temporary);
	if (mkdir(ret->path, 0700) < 0)
		return err_sys(err, errno, "create folder '%s'", ret->path);
	ret->root_fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->root_fd < 0)
		return err_sys(err, errno, "open folder '%s'", ret->path);
	if (tree_fs_new(ret->root_fd, &tree, err) < 0 || stream_open(&options, &stream, err) < 0)
		return -1;
	args.tree = tree;
	args.stream = stream;
	return tar_apply(&args, &result, err) < 0 ? err_add(err, "unpack the build context") : 0;
}

/* Reads until a tar header would be whole, or the end. */
static int look(int fd, struct buf *ret, struct error *err)
{
	char chunk[TAR_BLOCK_BYTES];
	int got = 1;

	while (got > 0 && ret->len < TAR_BLOCK_BYTES) {
		got = stream_read_fd(&fd, chunk, sizeof(chunk), err);
		if (got > 0)
			buf_append(ret, chunk, (size_t)got);
	}
	return got;
}

static int read_dockerfile_stream(int fd, struct buf *ret, struct error *err)
{
	char chunk[16 * 1024];
	int got;

	while ((got = stream_read_fd(&fd, chunk, sizeof(chunk), err)) > 0) {
		buf_append(ret, chunk, (size_t)got);
		if (ret->len > LIMIT_DOCKERFILE_BYTES)
			return err_set(err, ERR_LIMIT, "the Dockerfile is larger than %u bytes",
				       LIMIT_DOCKERFILE_BYTES);
	}
	return got;
}

/* A tar becomes the context; anything else is the Dockerfile, without one. */
static int read_stream(struct store *store, int fd, const char *file, struct build_input *ret,
		       struct error *err)
{
	auto_buf struct buf begin = { 0 };
	struct begun begun = { .fd = fd };

	if (look(fd, &begin, err) < 0)
		return -1;
	if (inflate_detect(begin.data, begin.len) != INFLATE_PLAIN ||
	    (begin.len >= TAR_BLOCK_BYTES && unpack_is_header(begin.data))) {
		begun.data = begin.data;
		begun.len = begin.len;
		return unpack(store, &begun, ret, err);
	}
	if (file && strcmp(file, "-") != 0)
		return err_set(err, ERR_USAGE,
			       "ambiguous Dockerfile source: both stdin and flag correspond to "
			       "Dockerfiles");
	buf_append(&ret->dockerfile, begin.data, begin.len);
	ret->name = xstrdup("Dockerfile");
	return read_dockerfile_stream(fd, &ret->dockerfile, err);
}

/* ---- the Dockerfile and the ignore file ---- */

/*
 * Of a context: links stay in it. What is no file is not opened, for a pipe waits and a device
 * acts. O_PATH; -1.
 */
static int look_in_root(int root_fd, const char *path, struct error *err)
{
	auto_fd int fd = path_open_in_root(root_fd, path, O_PATH, 0, err);
	struct stat stat;

	if (fd < 0)
		return -1;
	if (fstat(fd, &stat) < 0)
		return err_sys(err, errno, "look at '%s'", path);
	if (!S_ISREG(stat.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is not a regular file", path);
	return take_fd(fd);
}

/* A path in the root, or with root_fd -1 the caller's. Returns 1, 0 when it is not there, or -1. */
static int read_text(int root_fd, const char *path, size_t max, struct buf *ret, struct error *err)
{
	auto_fd int fd =
		root_fd < 0 ? open(path, O_RDONLY | O_CLOEXEC) : look_in_root(root_fd, path, err);
	auto_free char *name = NULL;

	if (fd < 0 && root_fd < 0)
		err_sys(err, errno, "open '%s'", path);
	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	name = xasprintf("/proc/self/fd/%d", fd);
	return io_read_file(AT_FDCWD, name, max, ret, err) < 0 ? err_add(err, "'%s'", path) : 1;
}

/* A -f that a folder was given with is a path of the caller's; that of a stream, one in it. */
static int read_dockerfile(const struct build_input_args *args, struct build_input *ret,
			   struct error *err)
{
	static const char *const names[] = { "Dockerfile", "dockerfile" };
	int got = 0;

	if (args->file) {
		ret->name = xstrdup(args->file);
		got = read_text(args->context ? -1 : ret->root_fd, args->file,
				LIMIT_DOCKERFILE_BYTES, &ret->dockerfile, err);
	} else {
		for (size_t i = 0; i < 2 && got == 0; i++) {
			free(ret->name);
			ret->name = xstrdup(names[i]);
			got = read_text(ret->root_fd, names[i], LIMIT_DOCKERFILE_BYTES,
					&ret->dockerfile, err);
		}
	}
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "failed to read dockerfile: open %s: no such file or directory",
			       args->file ? args->file : "Dockerfile");
	return got < 0 ? err_add(err, "failed to read dockerfile") : 0;
}

/* Returns 1, 0 when it is not there, or -1. */
static int parse_ignore(int root_fd, const char *path, struct ignore **ret, size_t *ret_bytes,
			struct error *err)
{
	auto_buf struct buf text = { 0 };
	int got = read_text(root_fd, path, LIMIT_IGNORE_BYTES, &text, err);

	if (got <= 0)
		return got;
	*ret_bytes = text.len;
	return ignore_parse(text.data, text.len, ret, err) < 0
		       ? err_add(err, "failed to read .dockerignore")
		       : 1;
}

/* "PATH.dockerignore" beside the Dockerfile in place of the one of the context. */
static int read_ignore(const struct build_input_args *args, struct build_input *ret,
		       struct error *err)
{
	bool elsewhere = args->file && args->context;
	auto_free char *beside = xasprintf("%s.dockerignore", args->file ? args->file : ret->name);
	int got = 0;

	if (!args->file || strcmp(args->file, "-") != 0)
		got = parse_ignore(elsewhere ? -1 : ret->root_fd, beside, &ret->ignore,
				   &ret->ignore_bytes, err);
	if (got == 0)
		got = parse_ignore(ret->root_fd, ".dockerignore", &ret->ignore, &ret->ignore_bytes,
				   err);
	return got < 0 ? -1 : 0;
}

int build_input_ignore(int root_fd, struct ignore **ret, struct error *err)
{
	size_t bytes;

	return parse_ignore(root_fd, ".dockerignore", ret, &bytes, err) < 0 ? -1 : 0;
}

static int open_folder(const char *path, struct build_input *ret, struct error *err)
{
	ret->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->root_fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND,
			       "unable to prepare context: path \"%s\" not found", path);
	if (ret->root_fd < 0)
		return err_sys(err, errno, "unable to prepare context: open '%s'", path);
	ret->path = realpath(path, NULL);
	return ret->path ? 0 : err_sys(err, errno, "unable to prepare context: '%s'", path);
}

int build_input_open(struct store *store, const struct build_input_args *args,
		     struct build_input *ret, struct error *err)
{
	bool file_in_stream = args->file && strcmp(args->file, "-") == 0;

	*ret = (struct build_input){ .root_fd = -1 };
	if (args->context ? open_folder(args->context, ret, err) < 0
			  : read_stream(store, args->stdin_fd, args->file, ret, err) < 0)
		return -1;
	if (args->context && file_in_stream) {
		ret->name = xstrdup("Dockerfile");
		if (read_dockerfile_stream(args->stdin_fd, &ret->dockerfile, err) < 0)
			return -1;
	} else if (ret->root_fd >= 0 && read_dockerfile(args, ret, err) < 0) {
		return -1;
	}
	return ret->root_fd < 0 ? 0 : read_ignore(args, ret, err);
}
