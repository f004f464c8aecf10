/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_bench - what it costs to find one changed file in a large image
 *
 *	diff_bench FOLDER DEVICE FILES...
 *
 * For each number of files: a tree in the shape of an unpacked image on a thin
 * volume, then a snapshot in which one thing was changed, then the list of
 * changes by blocks, by thin_delta (which gives only ranges), and by walking both
 * trees. Caches are dropped before each. FOLDER is an empty store root, DEVICE
 * is overwritten. Prints a table; times are the median of RUNS.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/size.h"
#include "layer/diff.h"
#include "pool/metasnap.h"
#include "pool/pool.h"
#include "volume.h"

#define RUNS	   3
#define WORK_ID	   1u
#define PARENT_ID  2u
#define CHILD_ID   3u
#define PROGRAM_MS 600000
#define LATE_FILE  "d0/late"

struct bench {
	const char *root;
	struct volume_pool *pool;
	unsigned nr_files;
	struct error err;
};

static _Noreturn void die(const char *what, const struct error *err)
{
	fprintf(stderr, "diff_bench: %s: %s\n", what, err->text);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void drop_caches(void)
{
	auto_fd int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	struct error err;

	sync();
	if (fd >= 0 && io_write(fd, "3", 1, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
}

/* ---- the image ---- */

/* Directories of some ten files, four levels deep or less, one after the other as in a tar. */
static void fill(int root_fd, unsigned nr_files)
{
	static const char text[700] = "content";
	unsigned at = 0;

	for (unsigned number = 0; at < nr_files; number++) {
		auto_free char *path = xasprintf("d%u/d%u/d%u/p%u", number % 13, number / 13 % 13,
						 number / 169 % 13, number);

		for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			mkdirat(root_fd, path, 0755);
			*slash = '/';
		}
		mkdirat(root_fd, path, 0755);
		for (unsigned i = 0; i < 2 + number % 17 && at < nr_files; i++, at++) {
			auto_free char *file = xasprintf("%s/a-name-of-a-file-%u", path, at);
			auto_fd int fd = openat(root_fd, file, O_WRONLY | O_CREAT | O_EXCL, 0644);

			if (write(fd, text, 7 + at % 690) < 0)
				perror(file);
		}
	}
	/* A file far away from its directory, which was made before everything else. */
	close(openat(root_fd, LATE_FILE, O_WRONLY | O_CREAT, 0644));
}

static void make_image(struct bench *bench)
{
	auto_volume struct volume *volume = NULL;
	auto_fd int fd = -1;
	struct error *err = &bench->err;

	if (volume_create(bench->pool, WORK_ID, err) < 0 ||
	    volume_format(bench->pool, WORK_ID, err) < 0 ||
	    volume_activate(bench->pool, WORK_ID, VOLUME_READ_WRITE, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_UNPACK, &fd, err) < 0)
		die("make a volume", err);
	fill(fd, bench->nr_files);
	if (volume_freeze(volume, fd, false, err) < 0 ||
	    volume_snapshot(bench->pool, PARENT_ID, WORK_ID, err) < 0 ||
	    volume_thaw(volume, err) < 0)
		die("make an image", err);
}

/* ---- changes ---- */

/* The path of some file in the middle; new. */
static char *some_file(int root_fd, unsigned nr_files)
{
	unsigned number = 0;

	for (unsigned at = 0; at + 2 + number % 17 < nr_files / 2; number++)
		at += 2 + number % 17;
	for (unsigned at = 0; at < nr_files; at++) {
		char *path = xasprintf("d%u/d%u/d%u/p%u/a-name-of-a-file-%u", number % 13,
				       number / 13 % 13, number / 169 % 13, number, at);

		if (faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static void append_in_place(int root_fd, const char *path)
{
	auto_fd int fd = openat(root_fd, path, O_WRONLY | O_APPEND);

	if (write(fd, "more", 4) != 4)
		perror(path);
}

static void replace(int root_fd, const char *path)
{
	auto_free char *temporary = xasprintf("%s.new", path);
	auto_fd int fd = openat(root_fd, temporary, O_WRONLY | O_CREAT, 0644);

	if (write(fd, "more", 4) != 4 || renameat(root_fd, temporary, root_fd, path) < 0)
		perror(path);
}

static void append_to_late(int root_fd, const char *path)
{
	(void)path;
	append_in_place(root_fd, LATE_FILE);
}

static void chmod_only(int root_fd, const char *path)
{
	if (fchmodat(root_fd, path, 0600, 0) < 0)
		perror(path);
}

static const struct {
	const char *name;
	void (*run)(int root_fd, const char *path);
} changes[] = {
	{ "append to a file", append_in_place },
	{ "replace a file", replace },
	{ "chmod a file", chmod_only },
	{ "append to a late one", append_to_late },
};

static void make_change(struct bench *bench, size_t which)
{
	auto_volume struct volume *volume = NULL;
	auto_free char *path = NULL;
	auto_fd int fd = -1;
	struct error *err = &bench->err;

	if (volume_snapshot(bench->pool, CHILD_ID, PARENT_ID, err) < 0 ||
	    volume_activate(bench->pool, CHILD_ID, VOLUME_READ_WRITE, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_WRITE, &fd, err) < 0)
		die("make a container", err);
	path = some_file(fd, bench->nr_files);
	changes[which].run(fd, path);
}

/* ---- measuring ---- */

static double time_diff(struct bench *bench, bool walk, struct change_list *ret)
{
	struct diff_args args = {
		.pool = bench->pool, .parent_id = PARENT_ID, .child_id = CHILD_ID, .walk = walk
	};
	double start;

	drop_caches();
	start = now_ms();
	if (diff_volumes(&args, ret, &bench->err) < 0)
		die("diff", &bench->err);
	return now_ms() - start;
}

static double time_thin_delta(struct bench *bench)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_pool struct pool *pool = NULL;
	auto_free char *one = xasprintf("%u", PARENT_ID);
	auto_free char *two = xasprintf("%u", CHILD_ID);
	const char *argv[] = { "thin_delta", "-m", "--snap1", one, "--snap2", two, NULL, NULL };
	double start;

	drop_caches();
	start = now_ms();
	if (pool_open(bench->root, &pool, &bench->err) < 0 ||
	    metasnap_hold(pool, &snap, &bench->err) < 0)
		die("thin_delta", &bench->err);
	argv[6] = snap.node;
	if (proc_check(argv, PROGRAM_MS, &bench->err) < 0)
		die("thin_delta", &bench->err);
	return now_ms() - start;
}

static double median(double *times)
{
	for (int i = 0; i < RUNS; i++)
		for (int k = i + 1; k < RUNS; k++)
			if (times[k] < times[i]) {
				double swap = times[i];

				times[i] = times[k];
				times[k] = swap;
			}
	return times[RUNS / 2];
}

static void measure(struct bench *bench, size_t which)
{
	double blocks[RUNS], delta[RUNS], walk_ms = 0;
	auto_change_list struct change_list list = { 0 };
	auto_change_list struct change_list walk = { 0 };

	make_change(bench, which);
	for (int i = 0; i < RUNS; i++) {
		change_list_done(&list);
		blocks[i] = time_diff(bench, false, &list);
		delta[i] = time_thin_delta(bench);
	}
	walk_ms = time_diff(bench, true, &walk);
	if (list.walked || list.nr != walk.nr)
		printf("  the two ways differ: %zu and %zu changes\n", list.nr, walk.nr);
	printf("  %7u files, %-20s %3zu changes  %4" PRIu64 " blocks  %3" PRIu64
	       " nodes  %7.1f ms   thin_delta %7.1f ms   walk %8.1f ms\n",
	       bench->nr_files, changes[which].name, list.nr, list.blocks_read, list.nodes_read,
	       median(blocks), median(delta), walk_ms);
	fflush(stdout);
	if (volume_delete(bench->pool, CHILD_ID, PARENT_ID, &bench->err) < 0)
		die("delete", &bench->err);
}

int main(int argc, char *argv[])
{
	struct pool_create_args args = { .volume_bytes = 16 * GIB, .force = true };
	struct bench bench = { 0 };

	if (argc < 4) {
		fprintf(stderr, "usage: diff_bench FOLDER DEVICE FILES...\n");
		return 2;
	}
	bench.root = argv[1];
	args.data = argv[2];
	for (int i = 3; i < argc; i++) {
		bench.nr_files = (unsigned)strtoul(argv[i], NULL, 10);
		if (pool_create(bench.root, &args, &bench.err) < 0 ||
		    volume_pool_open(bench.root, &bench.pool, &bench.err) < 0)
			die("pool", &bench.err);
		make_image(&bench);
		for (size_t which = 0; which < sizeof(changes) / sizeof(*changes); which++)
			measure(&bench, which);
		volume_pool_close(bench.pool);
		if (pool_destroy(bench.root, &bench.err) < 0)
			die("pool", &bench.err);
	}
	return 0;
}
