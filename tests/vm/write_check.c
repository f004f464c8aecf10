/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_check - the tree writer of blocks against the one of system calls, and the kernel
 *
 * usage: write_check FOLDER CASES SEED [OPERATIONS]
 *
 * Each case is a random stack of layers. Both writers get it, entry by entry, and must agree on
 * what can be done; after each layer e2fsck must have nothing to say, and in the end both trees
 * must be the same. In between the kernel works on both. A case that fails is printed with its
 * seed and its entries; OPERATIONS ends it after so many of them, to find the one that matters.
 * FOLDER is empty and on a real disk. Runs as root; image files and loop devices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "ext4w/ext4w.h"
#include "fs/fs.h"
#include "layer/tree_fs.h"
#include "write_ops.h"
#include "write_tree.h"

#define PROGRAM_MS   60000
#define LAYERS_MAX   4u
#define FAILURES_MAX 3u

struct check {
	char *template, *mounted, *direct; /* images */
	char *mounted_at, *direct_at;	   /* mount points */
	struct tree_writer *fs, *blocks;
	int fs_root;
	uint64_t max_ops;
	struct ops ops;
	struct op op;
	struct buf log;
	struct error err;
};

static bool run(struct check *check, const char *const argv[])
{
	auto_buf struct buf output = { 0 };
	int status = proc_run(argv, PROGRAM_MS, &output, &check->err);

	if (status == 0)
		return true;
	buf_printf(&check->log, "  %s: %s\n", argv[0],
		   status < 0	? check->err.text
		   : output.len ? output.data
				: "");
	return false;
}

static bool mount_image(struct check *check, const char *image, const char *at, bool read_only)
{
	const char *const argv[] = {
		"mount", "-o", read_only ? "loop,ro,noload" : "loop,noinit_itable,noatime",
		image,	 at,   NULL
	};

	return run(check, argv);
}

static bool make_template(struct check *check, const char *folder)
{
	const char *const argv[] = {
		"mkfs.ext4",
		"-q",
		"-F",
		"-b",
		"4096",
		"-I",
		"256",
		"-m",
		"0",
		"-J",
		"size=8",
		"-i",
		"8192",
		"-E",
		"lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
		"-O",
		FS_EXT4_FEATURES,
		check->template,
		"192M",
		NULL
	};
	auto_free char *lost = xasprintf("%s/lost+found", check->mounted_at);

	(void)folder;
	if (!run(check, argv) || !mount_image(check, check->template, check->mounted_at, false))
		return false;
	rmdir(lost);
	return umount(check->mounted_at) == 0;
}

/* ---- one case ---- */

static void close_writers(struct check *check)
{
	tree_fs_free(take_ptr(check->fs));
	ext4w_free(take_ptr(check->blocks));
	if (check->fs_root >= 0)
		close(take_fd(check->fs_root));
}

static bool open_mounted(struct check *check)
{
	check->fs_root = open(check->mounted_at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return check->fs_root >= 0 && tree_fs_new(check->fs_root, &check->fs, &check->err) == 0;
}

static bool open_direct(struct check *check)
{
	if (ext4w_open(check->direct, &check->blocks, &check->err) == 0)
		return true;
	buf_printf(&check->log, "  ext4w_open: %s\n", check->err.text);
	return false;
}

static bool begin_case(struct check *check)
{
	const char *const copies[][6] = {
		{ "cp", "--sparse=always", check->template, check->mounted },
		{ "cp", "--sparse=always", check->template, check->direct },
	};

	return run(check, copies[0]) && run(check, copies[1]) &&
	       mount_image(check, check->mounted, check->mounted_at, false) &&
	       open_mounted(check) && open_direct(check);
}

static void end_case(struct check *check)
{
	close_writers(check);
	umount(check->mounted_at);
	umount(check->direct_at);
}

static bool fsck(struct check *check)
{
	const char *const argv[] = { "e2fsck", "-fn", check->direct, NULL };

	return run(check, argv);
}

static bool compare(struct check *check)
{
	bool same;

	if (!mount_image(check, check->direct, check->direct_at, true))
		return false;
	same = write_tree_same(check->mounted_at, check->direct_at, &check->log);
	umount(check->direct_at);
	return same;
}

/* Both see the same at the path of the next entry. */
static bool both_look(struct check *check)
{
	const char *path = check->op.path;
	mode_t types[2] = { 0 };
	struct error other;
	int a, b;

	if (!*path)
		return true;
	a = check->fs->ops->look(check->fs, path, &types[0], &check->err);
	b = check->blocks->ops->look(check->blocks, path, &types[1], &other);
	if (a == b && (a < 0 || types[0] == types[1]))
		return true;
	buf_printf(&check->log, "  look: mounted: %s %o\n  direct:  %s %o\n",
		   a < 0 ? check->err.text : "ok", types[0], b < 0 ? other.text : "ok", types[1]);
	return false;
}

/* Returns 1 when both did it, 0 when both refused, -1 when they do not agree. */
static int both_apply(struct check *check)
{
	struct error other;
	int a, b;

	ops_next(&check->ops, &check->op);
	ops_print(&check->op, &check->log);
	if (!both_look(check))
		return -1;
	a = ops_apply(&check->op, check->fs, &check->err);
	b = ops_apply(&check->op, check->blocks, &other);
	/* An entry in an impossible place is left out by both, and what is on the way to it is made. */
	if (a == b)
		return a == 0 || (other.kind == ERR_CORRUPT && check->err.kind == ERR_CORRUPT);
	buf_printf(&check->log, "  mounted: %s\n  direct:  %s\n", a < 0 ? check->err.text : "ok",
		   b < 0 ? other.text : "ok");
	return -1;
}

/* Returns 1, 0 when both refused an entry, -1. */
static int one_layer(struct check *check, bool base)
{
	uint32_t nr = 1 + ops_random(&check->ops, 60);
	bool removed[2];

	buf_printf(&check->log, "  layer%s\n", base ? " (base)" : "");
	if (check->fs->ops->begin_layer(check->fs, base, &check->err) < 0 ||
	    check->blocks->ops->begin_layer(check->blocks, base, &check->err) < 0)
		return -1;
	for (uint32_t i = 0; i < nr && check->ops.done < check->max_ops; i++) {
		int done = both_apply(check);

		if (done <= 0)
			return done;
	}
	if (check->fs->ops->end_layer(check->fs, &removed[0], &check->err) < 0 ||
	    check->blocks->ops->end_layer(check->blocks, &removed[1], &check->err) < 0 ||
	    ext4w_flush(check->blocks, &check->err) < 0) {
		buf_printf(&check->log, "  end of layer: %s\n", check->err.text);
		return -1;
	}
	return fsck(check) && compare(check) ? 1 : -1;
}

/*
 * The same with the kernel, on both: some of what is there is removed, copied and moved, and a folder
 * is filled. No path leads through a symbolic link: those lead anywhere.
 */
static bool kernel_works(struct check *check)
{
	auto_free char *script = xasprintf(
		"for r in '%s' '%s'; do cd $r; k=kernel-%ju; mkdir $k; n=0; find . -xdev -mindepth 1 "
		"! -path './kernel*' | LC_ALL=C sort >$k.list; while read -r p; do n=$((n + 1)); "
		"[ -e \"$p\" ] || [ -L \"$p\" ] || continue; case $((n %% %u)) in 1) rm -rf \"$p\" ;; "
		"2) cp -a \"$p\" $k/copy-$n ;; 3) mv \"$p\" $k/moved-$n ;; esac; done <$k.list; "
		"for i in $(seq %u); do echo $i >$k/file-$i; done; "
		"find . -newermt '1 hour ago' -exec touch -h -d @1000000 {} +; done; cd /",
		check->mounted_at, check->direct_at, (uintmax_t)check->ops.done,
		7 + ops_random(&check->ops, 20), 1 + ops_random(&check->ops, 400));
	const char *const argv[] = { "bash", "-c", script, NULL };
	bool ok;

	buf_puts(&check->log, "  the kernel works on it\n");
	ext4w_free(take_ptr(check->blocks));
	tree_fs_free(take_ptr(check->fs));
	close(take_fd(check->fs_root));
	ok = mount_image(check, check->direct, check->direct_at, false) && run(check, argv);
	return umount(check->direct_at) == 0 && ok && fsck(check) && compare(check) &&
	       open_mounted(check) && open_direct(check);
}

/* Returns 1 when a whole stack was the same, 0 when both refused it, -1. */
static int one_case(struct check *check, uint64_t seed)
{
	uint32_t nr;

	check->ops = (struct ops){ .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	check->ops.hostile = seed % 4 == 0;
	nr = 1 + ops_random(&check->ops, LAYERS_MAX);
	if (!begin_case(check))
		return -1;
	for (uint32_t i = 0; i < nr && check->ops.done < check->max_ops; i++) {
		int done = one_layer(check, i == 0);

		if (done <= 0)
			return done;
		if (ops_random(&check->ops, 4) == 0 && !kernel_works(check))
			return -1;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct check check = { .fs_root = -1, .max_ops = UINT64_MAX };
	unsigned int failures = 0, refused = 0, nr;
	uint64_t seed;

	if (argc < 4) {
		fprintf(stderr, "usage: write_check FOLDER CASES SEED [OPERATIONS]\n");
		return 2;
	}
	check.template = xasprintf("%s/template", argv[1]);
	check.mounted = xasprintf("%s/mounted", argv[1]);
	check.direct = xasprintf("%s/direct", argv[1]);
	check.mounted_at = xasprintf("%s/mounted.d", argv[1]);
	check.direct_at = xasprintf("%s/direct.d", argv[1]);
	nr = (unsigned int)strtoul(argv[2], NULL, 10);
	seed = strtoull(argv[3], NULL, 10);
	if (argc > 4)
		check.max_ops = strtoull(argv[4], NULL, 10);
	mkdir(check.mounted_at, 0700);
	mkdir(check.direct_at, 0700);
	if (!make_template(&check, argv[1])) {
		printf("%s", check.log.data);
		return 1;
	}
	for (unsigned int i = 0; i < nr && failures < FAILURES_MAX; i++) {
		int result;

		buf_reset(&check.log);
		result = one_case(&check, seed + i);
		end_case(&check);
		refused += result == 0;
		if (result >= 0)
			continue;
		failures++;
		printf("not ok case with seed %ju, %ju entries\n%s", (uintmax_t)(seed + i),
		       (uintmax_t)check.ops.done, check.log.data);
	}
	if (!failures)
		printf("ok %u stacks of layers, of these %u refused by both\n", nr, refused);
	return failures ? 1 : 0;
}
