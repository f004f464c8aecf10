/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_tool - the unpacker by itself, for tests/bench/unpack.sh
 *
 *	unpack_tool null LAYER...		everything but the tree
 *	unpack_tool DIR LAYER...		layers onto each other into a folder
 *	unpack_tool DEVICE LAYER...		or as blocks of the ext4 on a device or in a file
 *
 * Prints entries, tar bytes, seconds and peak memory; syncs DIR's file system.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cpus.h"
#include "ext4w/ext4w.h"
#include "layer/tar_apply.h"
#include "layer/tree_fs.h"

static int null_begin(struct tree_writer *tree, bool base, struct error *err)
{
	(void)tree, (void)base, (void)err;
	return 0;
}

static int null_attr(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
		     struct error *err)
{
	(void)tree, (void)path, (void)attr, (void)err;
	return 0;
}

static int null_open(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
		     uint64_t size, struct error *err)
{
	(void)tree, (void)path, (void)attr, (void)size, (void)err;
	return 0;
}

static int null_write(struct tree_writer *tree, const void *data, size_t len, uint64_t offset,
		      struct error *err)
{
	(void)tree, (void)data, (void)len, (void)offset, (void)err;
	return 0;
}

static int null_close(struct tree_writer *tree, struct error *err)
{
	(void)tree, (void)err;
	return 0;
}

static int null_link(struct tree_writer *tree, const char *path, const char *target,
		     const struct tree_attr *attr, struct error *err)
{
	(void)tree, (void)path, (void)target, (void)attr, (void)err;
	return 0;
}

static int null_node(struct tree_writer *tree, const char *path, mode_t type, dev_t dev,
		     const struct tree_attr *attr, struct error *err)
{
	(void)tree, (void)path, (void)type, (void)dev, (void)attr, (void)err;
	return 0;
}

static int null_path(struct tree_writer *tree, const char *path, struct error *err)
{
	(void)tree, (void)path, (void)err;
	return 0;
}

static int null_end(struct tree_writer *tree, bool *ret_removed, struct error *err)
{
	(void)tree, (void)err;
	*ret_removed = false;
	return 0;
}

static const struct tree_writer_ops null_ops = {
	.begin_layer = null_begin,
	.make_dir = null_attr,
	.open_file = null_open,
	.write_file = null_write,
	.close_file = null_close,
	.make_link = null_link,
	.make_symlink = null_link,
	.make_node = null_node,
	.whiteout = null_path,
	.opaque = null_path,
	.discard = null_path,
	.enter = null_path,
	.end_layer = null_end,
};

/* A layer that is read, maybe before its turn. */
struct incoming {
	int fd;
	struct stream *stream;
};

static void incoming_done(struct incoming *incoming)
{
	stream_free(incoming->stream);
	if (incoming->fd >= 0)
		close(incoming->fd);
	*incoming = (struct incoming){ .fd = -1 };
}
#define auto_incoming __attribute__((cleanup(incoming_done)))

static int begin(const char *file, bool ahead, struct incoming *ret, struct error *err)
{
	struct stream_options options = { .read = stream_read_fd,
					  .read_ctx = &ret->fd,
					  .ahead = ahead };

	ret->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0)
		return err_set(err, ERR_NOT_FOUND, "no file '%s'", file);
	return stream_open(&options, &ret->stream, err);
}

/* Where the layers go. */
struct target {
	struct tree_writer null;
	struct tree_writer *tree;
	struct tree_writer *fs;	    /* of the folder `root` */
	struct tree_writer *blocks; /* of a device */
	int root;
};

static void target_done(struct target *target)
{
	tree_fs_free(target->fs);
	ext4w_free(target->blocks);
	if (target->root >= 0)
		close(target->root);
}
#define auto_target __attribute__((cleanup(target_done)))

static int open_target(struct target *target, const char *name, struct error *err)
{
	struct stat st;

	target->null.ops = &null_ops;
	target->tree = &target->null;
	if (strcmp(name, "null") == 0)
		return 0;
	if (stat(name, &st) < 0)
		return err_set(err, ERR_NOT_FOUND, "no '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		if (ext4w_open(name, &target->blocks, err) < 0)
			return -1;
		target->tree = target->blocks;
		return 0;
	}
	target->root = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->root < 0 || tree_fs_new(target->root, &target->fs, err) < 0)
		return -1;
	target->tree = target->fs;
	return 0;
}

/* Each as veneer does on two CPUs: while one is written, the next is read. */
static int apply_all(char *const *files, struct tree_writer *tree, struct error *err)
{
	auto_incoming struct incoming even = { .fd = -1 }, odd = { .fd = -1 };
	bool reads_ahead = cpus_usable() > 1;

	for (int i = 0; files[i]; i++) {
		struct incoming *now = i % 2 ? &odd : &even, *next = i % 2 ? &even : &odd;
		struct tar_apply_args args = { .tree = tree, .base = i == 0 };
		struct tar_apply_result result;

		if ((!now->stream && begin(files[i], false, now, err) < 0) ||
		    (files[i + 1] && reads_ahead && begin(files[i + 1], true, next, err) < 0))
			return -1;
		args.stream = now->stream;
		if (tar_apply(&args, &result, err) < 0)
			return err_add(err, "%s", files[i]);
		printf("%s %s entries %ju bytes %ju\n", files[i], result.stream.diff_id.text,
		       (uintmax_t)result.entries, (uintmax_t)result.stream.tar_bytes);
		incoming_done(now);
	}
	return 0;
}

static int run(char **argv, struct error *err)
{
	auto_target struct target target = { .root = -1 };
	struct timespec start, end;
	struct rusage usage;
	double seconds;

	if (open_target(&target, argv[1], err) < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (apply_all(argv + 2, target.tree, err) < 0)
		return -1;
	if (target.root >= 0)
		syncfs(target.root);
	if (target.blocks && ext4w_flush(target.blocks, err) < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds =
		(double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
	getrusage(RUSAGE_SELF, &usage);
	printf("seconds %.3f peak_kib %ld\n", seconds, usage.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	struct error err;

	if (argc < 3) {
		fprintf(stderr, "usage: unpack_tool null|DIR|DEVICE LAYER...\n");
		return 2;
	}
	if (run(argv, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	return 0;
}
