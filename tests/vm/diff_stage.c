/* SPDX-License-Identifier: Apache-2.0 */
#include "diff_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/size.h"
#include "fs/ext4_changes.h"
#include "layer/tree_walk.h"

#define WORK_ID	    1u
#define COPY_ID	    2u
#define IMAGE_BYTES (64 * MIB)
#define BLOCK	    (64 * KIB)
#define PROGRAM_MS  60000
#define FEATURES                                                                   \
	"none,has_journal,ext_attr,resize_inode,dir_index,filetype,64bit,flex_bg," \
	"sparse_super,large_file,huge_file,dir_nlink,extra_isize"

static char *path_of(const struct stage *stage, const char *kind, unsigned id)
{
	return xasprintf("%s/%s-%u", stage->folder, kind, id);
}

static int make(const char *device, const char *features, struct error *err)
{
	auto_free char *all = xasprintf("%s,%s", FEATURES, features);
	const char *const argv[] = { "mkfs.ext4",
				     "-q",
				     "-F",
				     "-b",
				     "4096",
				     "-I",
				     "256",
				     "-J",
				     "size=4",
				     "-E",
				     "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
				     "-O",
				     all,
				     device,
				     NULL };

	return proc_check(argv, PROGRAM_MS, err);
}

/* ---- on files ---- */

static int mount_file(const char *image, const char *dir, const char *options, int *ret_fd,
		      struct error *err)
{
	const char *const argv[] = { "mount", "-t", "ext4", "-o", options, image, dir, NULL };

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make '%s'", dir);
	if (proc_check(argv, PROGRAM_MS, err) < 0)
		return -1;
	*ret_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, errno, "open '%s'", dir) : 0;
}

static void unmount(const char *dir)
{
	const char *const argv[] = { "umount", dir, NULL };
	struct error err;

	if (proc_check(argv, PROGRAM_MS, &err) < 0)
		log_warn("%s", err.text);
	rmdir(dir);
}

static int copy_file(const char *from, const char *to, struct error *err)
{
	const char *const argv[] = { "cp", "--sparse=always", "--reflink=auto", from, to, NULL };

	return proc_check(argv, PROGRAM_MS, err);
}

static int keep_file(struct stage *stage, unsigned id, struct error *err)
{
	auto_free char *work = path_of(stage, "image", WORK_ID);
	auto_free char *state = path_of(stage, "image", id);
	int result;

	if (syncfs(stage->root_fd) < 0 || ioctl(stage->root_fd, FIFREEZE, 0) < 0)
		return err_sys(err, errno, "freeze");
	result = copy_file(work, state, err);
	if (ioctl(stage->root_fd, FITHAW, 0) < 0)
		return err_sys(err, errno, "thaw");
	return result;
}

static int add_found(void *ctx, enum ext4_change change, const char *path, bool is_dir,
		     struct error *err)
{
	static const enum change_kind kinds[] = { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

	(void)err;
	change_list_add(ctx, kinds[change], is_dir, xstrdup(path));
	return 0;
}

/* What the pool's mapping would say. Returns new. */
static struct ext4_changes_range *compare_files(const char *a, const char *b, size_t *ret_nr)
{
	auto_fd int left = open(a, O_RDONLY | O_CLOEXEC), right = open(b, O_RDONLY | O_CLOEXEC);
	auto_free char *x = xmalloc(BLOCK);
	auto_free char *y = xmalloc(BLOCK);
	struct ext4_changes_range *ranges = xcalloc(IMAGE_BYTES / BLOCK, sizeof(*ranges));
	struct error err;

	*ret_nr = 0;
	for (uint64_t at = 0; at < IMAGE_BYTES; at += BLOCK)
		if (io_pread(left, x, BLOCK, at, &err) == 0 &&
		    io_pread(right, y, BLOCK, at, &err) == 0 && memcmp(x, y, BLOCK) != 0)
			ranges[(*ret_nr)++] = (struct ext4_changes_range){ at, BLOCK };
	return ranges;
}

static int diff_files(struct stage *stage, unsigned parent, unsigned child, struct change_list *ret,
		      struct error *err)
{
	auto_free char *old = path_of(stage, "image", parent);
	auto_free char *new = path_of(stage, "image", child);
	auto_free struct ext4_changes_range *ranges = NULL;
	struct ext4_changes_args args = {
		.parent = old, .child = new, .found = add_found, .ctx = ret
	};
	struct ext4_changes_cost cost;

	ranges = compare_files(old, new, &args.nr_ranges);
	args.ranges = ranges;
	if (ext4_changes(&args, &cost, err) < 0)
		return -1;
	ret->blocks_read = cost.blocks_read;
	change_list_complete(ret, NULL);
	return 0;
}

/* ---- either ---- */

static int begin_files(struct stage *stage, const char *features, struct error *err)
{
	auto_free char *image = path_of(stage, "image", WORK_ID);
	auto_free char *dir = path_of(stage, "mount", WORK_ID);
	auto_fd int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)IMAGE_BYTES) < 0)
		return err_sys(err, errno, "make '%s'", image);
	if (make(image, features, err) < 0)
		return -1;
	return mount_file(image, dir, "loop,noinit_itable,noatime", &stage->root_fd, err);
}

int stage_begin(struct stage *stage, const char *features, struct error *err)
{
	if (!stage->pool)
		return begin_files(stage, features, err);
	if (volume_create(stage->pool, WORK_ID, err) < 0 ||
	    volume_activate(stage->pool, WORK_ID, VOLUME_READ_WRITE, &stage->work, err) < 0 ||
	    make(volume_device(stage->work), features, err) < 0)
		return -1;
	return volume_mount(stage->work, VOLUME_MOUNT_UNPACK, &stage->root_fd, err);
}

void stage_end(struct stage *stage)
{
	auto_free char *dir = path_of(stage, "mount", WORK_ID);
	struct error err;

	close(stage->root_fd);
	if (!stage->pool) {
		unmount(dir);
		return;
	}
	volume_free(stage->work);
	if (volume_delete(stage->pool, WORK_ID, 0, &err) < 0)
		log_warn("%s", err.text);
}

/*
 * Both ways trust the times of inodes, which the kernel takes once a tick. Elsewhere the start of a
 * process is between two states; here the next change follows at once.
 */
static void wait_for_tick(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	do
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

int stage_keep(struct stage *stage, unsigned id, struct error *err)
{
	wait_for_tick();
	if (!stage->pool)
		return keep_file(stage, id, err);
	if (volume_freeze(stage->work, stage->root_fd, false, err) < 0 ||
	    volume_snapshot(stage->pool, id, WORK_ID, err) < 0)
		return -1;
	return volume_thaw(stage->work, err);
}

int stage_forget(struct stage *stage, unsigned id, struct error *err)
{
	auto_free char *image = path_of(stage, "image", id);

	if (stage->pool)
		return volume_delete(stage->pool, id, WORK_ID, err);
	return unlink(image) < 0 ? err_sys(err, errno, "remove '%s'", image) : 0;
}

int stage_diff(struct stage *stage, unsigned parent, unsigned child, bool walk,
	       struct change_list *ret, struct error *err)
{
	struct diff_args args = { .pool = stage->pool, parent, child, .walk = walk };
	auto_view struct view old = { .root_fd = -1 };
	auto_view struct view new = { .root_fd = -1 };

	if (stage->pool)
		return diff_volumes(&args, ret, err);
	if (!walk)
		return diff_files(stage, parent, child, ret, err);
	if (view_open(stage, parent, false, &old, err) < 0 ||
	    view_open(stage, child, false, &new, err) < 0)
		return -1;
	return diff_trees(old.root_fd, new.root_fd, NULL, ret, err);
}

static int open_file_view(struct view *view, struct error *err)
{
	struct stage *stage = view->stage;
	auto_free char *image = path_of(stage, "image", view->id);
	auto_free char *copy = path_of(stage, "image", COPY_ID);
	auto_free char *dir = path_of(stage, "mount", view->is_copy ? COPY_ID : view->id);

	if (!view->is_copy)
		return mount_file(image, dir, "loop,ro,noload", &view->root_fd, err);
	if (copy_file(image, copy, err) < 0)
		return -1;
	return mount_file(copy, dir, "loop,noinit_itable", &view->root_fd, err);
}

static int open_volume_view(struct view *view, struct error *err)
{
	struct stage *stage = view->stage;
	enum volume_mode mode = view->is_copy ? VOLUME_READ_WRITE : VOLUME_READ_ONLY;
	enum volume_mount_use use = view->is_copy ? VOLUME_MOUNT_UNPACK : VOLUME_MOUNT_VIEW;
	unsigned id = view->is_copy ? COPY_ID : view->id;

	if (view->is_copy && volume_snapshot(stage->pool, id, view->id, err) < 0)
		return -1;
	if (volume_activate(stage->pool, id, mode, &view->volume, err) < 0)
		return -1;
	return volume_mount(view->volume, use, &view->root_fd, err);
}

int view_open(struct stage *stage, unsigned id, bool copy, struct view *ret, struct error *err)
{
	*ret = (struct view){ .stage = stage, .id = id, .is_copy = copy, .root_fd = -1 };
	return stage->pool ? open_volume_view(ret, err) : open_file_view(ret, err);
}

void view_close(struct view *view)
{
	struct stage *stage = view->stage;
	unsigned id = view->is_copy ? COPY_ID : view->id;
	struct error err;

	if (!stage || view->root_fd < 0)
		return;
	close(take_fd(view->root_fd));
	if (!stage->pool) {
		auto_free char *dir = path_of(stage, "mount", id);

		unmount(dir);
		return;
	}
	volume_free(view->volume);
	if (view->is_copy && volume_delete(stage->pool, id, view->id, &err) < 0)
		log_warn("%s", err.text);
}
