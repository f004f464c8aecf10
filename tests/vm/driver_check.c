/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_check - the driver against a real kernel with dm-thin
 *
 * usage: driver_check FOLDER DEVICE
 *
 * Runs as root in the test kernel. FOLDER is empty and on a real disk, DEVICE
 * is an empty block device of at least 1 GiB. Prints "ok NAME" or "not ok NAME"
 * with what went wrong below it, as tests/vm/run wants it. The judges are
 * e2fsck, thin_check, thin_delta, thin_ls, dmsetup and losetup.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "pool/check.h"
#include "pool/metasnap.h"
#include "pool/pool.h"
#include "volume.h"

#define TEMPLATE   1u
#define WORKING	   2u
#define LAYER1	   3u
#define LAYER2	   4u
#define POOL_BYTES GIB
#define PROGRAM_MS 60000

struct check {
	const char *root;
	const char *device;
	char *mount_dir;
	struct error err;
	struct buf why; /* of the case that runs: empty while all is well */
};

static void fail(struct check *check, int line, const char *what)
{
	buf_printf(&check->why, "    line %d: %s\n", line, what);
}

/* All return true when it was so, so that a case can stop at what it cannot do without. */
#define IS(condition) ((condition) ? true : (fail(check, __LINE__, #condition), false))
#define DOES(call)          \
	((call) >= 0 ? true \
		     : (fail(check, __LINE__, #call), fail(check, 0, check->err.text), false))
#define REFUSES(kind_wanted, call)                      \
	((call) < 0 && check->err.kind == (kind_wanted) \
		 ? true                                 \
		 : (fail(check, __LINE__, #call " must be " #kind_wanted), false))

/* What a program prints; its status must be 0. */
static bool run(struct check *check, const char *const argv[], struct buf *ret_output)
{
	int status = proc_run(argv, PROGRAM_MS, ret_output, &check->err);

	if (status == 0)
		return true;
	fail(check, 0, argv[0]);
	if (status < 0)
		fail(check, 0, check->err.text);
	else if (ret_output && ret_output->data)
		fail(check, 0, ret_output->data);
	return false;
}

static bool open_pool(struct check *check, struct volume_pool **ret)
{
	return DOES(volume_pool_open(check->root, ret, &check->err));
}

static uint64_t data_used(struct check *check, struct volume_pool *pool)
{
	struct volume_pool_info info = { 0 };

	DOES(volume_pool_info(pool, &info, &check->err));
	return info.data_used_bytes;
}

static void write_file(struct check *check, int dir_fd, const char *name, size_t bytes, int fill)
{
	auto_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char chunk[4096];

	memset(chunk, fill, sizeof(chunk));
	IS(fd >= 0);
	for (size_t done = 0; fd >= 0 && done < bytes; done += sizeof(chunk)) {
		if (write(fd, chunk, sizeof(chunk)) != (ssize_t)sizeof(chunk))
			return;
	}
}

/* A working volume with its mount. */
struct work {
	struct volume *volume;
	int mount_fd;
};

static void work_done(struct work *work)
{
	if (work->mount_fd >= 0)
		close(work->mount_fd);
	volume_free(work->volume);
}
#define auto_work __attribute__((cleanup(work_done)))

static bool work_begin(struct check *check, struct volume_pool *pool, uint32_t id, uint32_t origin,
		       struct work *ret)
{
	return DOES(volume_snapshot(pool, id, origin, &check->err)) &&
	       DOES(volume_activate(pool, id, VOLUME_READ_WRITE, &ret->volume, &check->err)) &&
	       DOES(volume_mount(ret->volume, VOLUME_MOUNT_UNPACK, &ret->mount_fd, &check->err));
}

static void boundary(struct check *check, struct volume_pool *pool, struct work *work, uint32_t id)
{
	if (DOES(volume_freeze(work->volume, work->mount_fd, true, &check->err))) {
		DOES(volume_snapshot(pool, id, volume_id(work->volume), &check->err));
		DOES(volume_thaw(work->volume, &check->err));
	}
}

static void fsck(struct check *check, struct volume_pool *pool, uint32_t id)
{
	auto_volume struct volume *volume = NULL;
	auto_buf struct buf output = { 0 };

	if (!DOES(volume_activate(pool, id, VOLUME_READ_ONLY, &volume, &check->err)))
		return;
	run(check, (const char *const[]){ "e2fsck", "-fn", volume_device(volume), NULL }, &output);
	output.len = 0;
	run(check, (const char *const[]){ "dumpe2fs", "-h", volume_device(volume), NULL }, &output);
	IS(output.data && !strstr(output.data, "needs_recovery"));
}

/* The size of a file in a view of the volume; -1 when it is not there. */
static int64_t size_in_view(struct check *check, struct volume_pool *pool, uint32_t id,
			    const char *name)
{
	auto_volume struct volume *volume = NULL;
	auto_fd int mount_fd = -1;
	struct stat st;

	if (!DOES(volume_activate(pool, id, VOLUME_READ_ONLY, &volume, &check->err)) ||
	    !DOES(volume_mount(volume, VOLUME_MOUNT_VIEW, &mount_fd, &check->err)))
		return -1;
	return fstatat(mount_fd, name, &st, 0) < 0 ? -1 : st.st_size;
}

static void case_pool_is_made(struct check *check)
{
	struct pool_create_args args = { .files_bytes = POOL_BYTES, .volume_bytes = 2 * GIB };
	struct volume_pool_info info = { 0 };
	auto_volume_pool struct volume_pool *pool = NULL;

	if (!DOES(pool_create(check->root, &args, &check->err)) || !open_pool(check, &pool))
		return;
	DOES(volume_pool_info(pool, &info, &check->err));
	IS(info.data_total_bytes == POOL_BYTES && info.data_used_bytes == 0);
	IS(info.transaction_id == 0 && info.on_files && info.block_bytes == 64 * KIB);
	DOES(volume_pool_check_reserve(pool, &check->err));
	REFUSES(ERR_EXISTS, pool_create(check->root, &args, &check->err));
}

static void case_template(struct check *check)
{
	struct volume_delta delta = { 0 };
	auto_volume_pool struct volume_pool *pool = NULL;

	if (!open_pool(check, &pool) || !DOES(volume_create(pool, TEMPLATE, &check->err)) ||
	    !DOES(volume_format(pool, TEMPLATE, &check->err)))
		return;
	REFUSES(ERR_EXISTS, volume_create(pool, TEMPLATE, &check->err));
	DOES(volume_pool_advance(pool, 0, 1, &check->err));
	REFUSES(ERR_CORRUPT, volume_pool_advance(pool, 0, 1, &check->err));
	DOES(volume_delta(pool, 0, TEMPLATE, &delta, &check->err));
	IS(delta.own_bytes == data_used(check, pool) && delta.own_bytes < 8 * MIB);
	IS(!volume_is_active(pool, TEMPLATE));
	IS(size_in_view(check, pool, TEMPLATE, "lost+found") == -1);
	fsck(check, pool, TEMPLATE);
}

static void case_live_boundary(struct check *check)
{
	char label[VOLUME_LABEL_BYTES] = "the first", back[VOLUME_LABEL_BYTES] = "";
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_work struct work work = { .mount_fd = -1 };
	auto_volume struct volume *layer = NULL;

	if (!open_pool(check, &pool) || !work_begin(check, pool, WORKING, TEMPLATE, &work))
		return;
	write_file(check, work.mount_fd, "a", 20 * MIB, 'a');
	DOES(volume_write_label(work.volume, label, &check->err));
	boundary(check, pool, &work, LAYER1);
	write_file(check, work.mount_fd, "b", 3 * MIB, 'b');
	IS(unlinkat(work.mount_fd, "a", 0) == 0);
	memcpy(label, "the second", 11);
	DOES(volume_write_label(work.volume, label, &check->err));
	boundary(check, pool, &work, LAYER2);
	REFUSES(ERR_IN_USE, volume_delete(pool, WORKING, 0, &check->err));
	work_done(&work);
	work = (struct work){ .mount_fd = -1 };
	DOES(volume_delete(pool, WORKING, 0, &check->err));
	fsck(check, pool, LAYER1);
	fsck(check, pool, LAYER2);
	IS(size_in_view(check, pool, LAYER1, "a") == 20 * MIB);
	IS(size_in_view(check, pool, LAYER2, "a") == -1);
	IS(size_in_view(check, pool, LAYER2, "b") == 3 * MIB);
	if (DOES(volume_activate(pool, LAYER1, VOLUME_READ_ONLY, &layer, &check->err)))
		DOES(volume_read_label(layer, back, &check->err));
	IS(strcmp(back, "the first") == 0);
}

/* Adds the lengths of all elements of that name in thin_delta's output. */
static uint64_t sum_lengths(const char *text, const char *element)
{
	uint64_t sum = 0, begin, length;

	for (const char *at = text; (at = strstr(at, element)); at += strlen(element)) {
		if (sscanf(at + strlen(element), " begin=\"%" SCNu64 "\" length=\"%" SCNu64 "\"",
			   &begin, &length) == 2)
			sum += length;
	}
	return sum;
}

static void compare_delta(struct check *check, struct volume_pool *pool, uint32_t parent,
			  uint32_t child, struct metasnap *snap)
{
	char left[16], right[16];
	auto_buf struct buf output = { 0 };
	struct volume_delta delta = { 0 };

	snprintf(left, sizeof(left), "%" PRIu32, parent);
	snprintf(right, sizeof(right), "%" PRIu32, child);
	/* It finds the snapshot by the superblock; only its old version takes a number. */
	run(check,
	    (const char *const[]){ "thin_delta", "--metadata-snap", "--snap1", left, "--snap2",
				   right, snap->node, NULL },
	    &output);
	metasnap_release(snap);
	DOES(volume_delta(pool, parent, child, &delta, &check->err));
	if (!IS(output.data))
		return;
	IS(delta.own_bytes ==
	   (sum_lengths(output.data, "<different") + sum_lengths(output.data, "<right_only")) * 64 *
		   KIB);
	IS(delta.dropped_bytes == sum_lengths(output.data, "<left_only") * 64 * KIB);
	IS(delta.own_bytes > 0);
}

static void case_delta_agrees(struct check *check)
{
	static const uint32_t pairs[][2] = { { TEMPLATE, LAYER1 },
					     { LAYER1, LAYER2 },
					     { LAYER2, TEMPLATE } };
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_pool struct pool *raw = NULL;

	if (!open_pool(check, &pool) || !DOES(pool_open(check->root, &raw, &check->err)))
		return;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		auto_metasnap struct metasnap snap = { .lock_fd = -1 };

		if (DOES(metasnap_hold(raw, &snap, &check->err)))
			compare_delta(check, pool, pairs[i][0], pairs[i][1], &snap);
	}
}

static void case_list_agrees(struct check *check)
{
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_free uint32_t *ids = NULL;
	size_t nr = 0;

	if (!open_pool(check, &pool) || !DOES(volume_list(pool, &ids, &nr, &check->err)))
		return;
	if (IS(nr == 3))
		IS(ids[0] == TEMPLATE && ids[1] == LAYER1 && ids[2] == LAYER2);
}

static void case_mount_has_a_place(struct check *check)
{
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_volume struct volume *volume = NULL;
	auto_fd int mount_fd = -1;

	if (!open_pool(check, &pool) ||
	    !DOES(volume_activate(pool, LAYER1, VOLUME_READ_ONLY, &volume, &check->err)) ||
	    !DOES(volume_mount(volume, VOLUME_MOUNT_VIEW, &mount_fd, &check->err)) ||
	    !DOES(volume_attach_mount(mount_fd, check->mount_dir, &check->err)))
		return;
	close(take_fd(mount_fd));
	IS(volume_is_mounted(pool, LAYER1));
	REFUSES(ERR_IN_USE, volume_deactivate(pool, LAYER1, &check->err));
	REFUSES(ERR_IN_USE, pool_deactivate(check->root, &check->err));
	REFUSES(ERR_IN_USE, pool_destroy(check->root, &check->err));
	REFUSES(ERR_NOT_FOUND, volume_unmount(pool, LAYER2, check->mount_dir, &check->err));
	REFUSES(ERR_NOT_FOUND, volume_unmount(pool, LAYER1, check->root, &check->err));
	DOES(volume_unmount(pool, LAYER1, check->mount_dir, &check->err));
	REFUSES(ERR_NOT_FOUND, volume_unmount(pool, LAYER1, check->mount_dir, &check->err));
}

/* In a child that never ends well: a frozen volume, and a metadata snapshot. */
static _Noreturn void die_holding(const char *root)
{
	auto_volume_pool struct volume_pool *pool = NULL;
	struct metasnap snap = { .lock_fd = -1 };
	struct pool *raw = NULL;
	struct volume *volume = NULL;
	struct error err;
	int mount_fd;

	if (volume_pool_open(root, &pool, &err) < 0 || pool_open(root, &raw, &err) < 0 ||
	    volume_snapshot(pool, WORKING, LAYER1, &err) < 0 ||
	    volume_activate(pool, WORKING, VOLUME_READ_WRITE, &volume, &err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_UNPACK, &mount_fd, &err) < 0 ||
	    volume_freeze(volume, mount_fd, false, &err) < 0 || metasnap_hold(raw, &snap, &err) < 0)
		_exit(1);
	raise(SIGKILL);
	_exit(2);
}

static void case_killed_process(struct check *check)
{
	pid_t child = fork();
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_pool struct pool *raw = NULL;
	struct pool_status status = { 0 };
	int how = 0;

	if (child == 0)
		die_holding(check->root);
	IS(waitpid(child, &how, 0) == child && WIFSIGNALED(how));
	if (!DOES(pool_open(check->root, &raw, &check->err)))
		return;
	DOES(pool_status(raw, &status, &check->err));
	IS(status.stat.held_block != 0);
	if (!open_pool(check, &pool))
		return;
	DOES(pool_status(raw, &status, &check->err));
	IS(status.stat.held_block == 0);
	DOES(volume_delete(pool, WORKING, 0, &check->err));
}

static void case_full_pool(struct check *check)
{
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_work struct work work = { .mount_fd = -1 };
	struct volume_pool_info info = { 0 };
	uint64_t before;

	if (!open_pool(check, &pool))
		return;
	before = data_used(check, pool);
	if (!work_begin(check, pool, WORKING, LAYER1, &work))
		return;
	write_file(check, work.mount_fd, "big", POOL_BYTES + 64 * MIB, 'x');
	REFUSES(ERR_NO_SPACE, volume_freeze(work.volume, work.mount_fd, true, &check->err));
	IS(strstr(check->err.text, "no space left in the pool") != NULL);
	REFUSES(ERR_NO_SPACE, volume_pool_check_reserve(pool, &check->err));
	IS(size_in_view(check, pool, LAYER1, "a") == 20 * MIB);
	work_done(&work);
	work = (struct work){ .mount_fd = -1 };
	DOES(volume_delete(pool, WORKING, 0, &check->err));
	IS(data_used(check, pool) == before);
	/* The kernel notices at its next commit. */
	DOES(volume_create(pool, WORKING, &check->err));
	DOES(volume_delete(pool, WORKING, 0, &check->err));
	DOES(volume_pool_info(pool, &info, &check->err));
	IS(!info.out_of_data && !info.read_only && !info.needs_check);
	DOES(volume_pool_check_reserve(pool, &check->err));
	fsck(check, pool, LAYER1);
}

static void case_grow(struct check *check)
{
	struct pool_grow_args args = { .data_bytes = 2 * POOL_BYTES };
	struct pool_grow_args smaller = { .data_bytes = POOL_BYTES };
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_work struct work work = { .mount_fd = -1 };
	struct volume_pool_info info = { 0 };

	/* While a volume is mounted and written to. */
	if (!open_pool(check, &pool) || !work_begin(check, pool, WORKING, LAYER2, &work))
		return;
	write_file(check, work.mount_fd, "c", 8 * MIB, 'c');
	DOES(pool_grow(check->root, &args, &check->err));
	REFUSES(ERR_USAGE, pool_grow(check->root, &smaller, &check->err));
	DOES(volume_freeze(work.volume, work.mount_fd, true, &check->err));
	work_done(&work);
	work = (struct work){ .mount_fd = -1 };
	fsck(check, pool, WORKING);
	DOES(volume_delete(pool, WORKING, 0, &check->err));
	DOES(pool_deactivate(check->root, &check->err));
	DOES(pool_activate(check->root, &check->err));
	DOES(volume_pool_info(pool, &info, &check->err));
	IS(info.data_total_bytes == 2 * POOL_BYTES && info.meta_total_bytes == 64 * MIB);
	IS(size_in_view(check, pool, LAYER2, "b") == 3 * MIB);
}

static void case_repair(struct check *check)
{
	auto_volume_pool struct volume_pool *pool = NULL;
	auto_buf struct buf report = { 0 };
	auto_free struct pool_loss *losses = NULL;
	size_t nr_losses = 1;

	DOES(pool_repair(check->root, 0, 0, &report, &losses, &nr_losses, &check->err));
	IS(nr_losses == 0);
	DOES(pool_repair_end(check->root, NULL, 0, &check->err));
	IS(report.data && strstr(report.data, "is sound"));
	if (open_pool(check, &pool))
		IS(size_in_view(check, pool, LAYER1, "a") == 20 * MIB);
}

static void case_nothing_is_left(struct check *check)
{
	auto_strlist struct strlist names = { 0 };
	auto_buf struct buf loops = { 0 };
	struct stat st;

	DOES(pool_destroy(check->root, &check->err));
	REFUSES(ERR_NOT_FOUND, pool_destroy(check->root, &check->err));
	DOES(devmap_list("veneer-", &names, &check->err));
	IS(names.nr == 0);
	run(check, (const char *const[]){ "losetup", "-a", NULL }, &loops);
	IS(!loops.data || !strstr(loops.data, check->root));
	IS(stat(check->root, &st) == 0 && st.st_nlink == 2);
}

static void case_signed_device_is_refused(struct check *check)
{
	struct pool_create_args args = { .data = check->device, .volume_bytes = GIB };
	const char *const mkfs[] = { "mkfs.ext4", "-q", "-F", check->device, NULL };

	if (!run(check, mkfs, NULL))
		return;
	REFUSES(ERR_DENIED, pool_create(check->root, &args, &check->err));
	IS(strstr(check->err.text, "ext4") && strstr(check->err.text, "--force"));
	/* In use is refused with force, too. */
	args.force = true;
	if (run(check, (const char *const[]){ "mount", check->device, check->mount_dir, NULL },
		NULL)) {
		REFUSES(ERR_IN_USE, pool_create(check->root, &args, &check->err));
		run(check, (const char *const[]){ "umount", check->mount_dir, NULL }, NULL);
	}
	DOES(pool_create(check->root, &args, &check->err));
}

static void case_device_tells_whose_it_is(struct check *check)
{
	auto_free char *other = xasprintf("%s.other", check->root);
	struct pool_create_args args = { .data = check->device };

	IS(mkdir(other, 0700) == 0);
	DOES(pool_deactivate(check->root, &check->err));
	REFUSES(ERR_DENIED, pool_create(other, &args, &check->err));
	IS(strstr(check->err.text, "belongs to the veneer store") != NULL);
	DOES(pool_activate(check->root, &check->err));
	args.force = true;
	REFUSES(ERR_IN_USE, pool_create(other, &args, &check->err));
	IS(rmdir(other) == 0);
	DOES(pool_destroy(check->root, &check->err));
}

static const struct {
	const char *name;
	void (*run)(struct check *check);
} cases[] = {
	{ "a file pool is made", case_pool_is_made },
	{ "a template is small and clean", case_template },
	{ "a boundary makes a clean layer of a mounted volume", case_live_boundary },
	{ "the delta agrees with thin_delta", case_delta_agrees },
	{ "all volumes are listed", case_list_agrees },
	{ "a mount has a place and protects what it shows", case_mount_has_a_place },
	{ "what a killed process left is put right", case_killed_process },
	{ "a full pool fails in words and recovers", case_full_pool },
	{ "a pool grows while it is used", case_grow },
	{ "sound metadata is found sound", case_repair },
	{ "nothing is left of a destroyed pool", case_nothing_is_left },
	{ "a signed or mounted device is refused", case_signed_device_is_refused },
	{ "a device tells whose it is", case_device_tells_whose_it_is },
};

int main(int argc, char *argv[])
{
	struct check check = { 0 };
	bool bad = false;

	if (argc != 3) {
		fprintf(stderr, "usage: driver_check FOLDER DEVICE\n");
		return 2;
	}
	check.root = argv[1];
	check.device = argv[2];
	check.mount_dir = xasprintf("%s.mnt", argv[1]);
	if (mkdir(check.mount_dir, 0700) < 0 && errno != EEXIST) {
		perror(check.mount_dir);
		return 2;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cases[i].run(&check);
		printf("%s %s\n%s", check.why.len ? "not ok" : "ok", cases[i].name,
		       check.why.len ? check.why.data : "");
		fflush(stdout);
		bad = bad || check.why.len;
		buf_reset(&check.why);
	}
	buf_done(&check.why);
	rmdir(check.mount_dir);
	free(check.mount_dir);
	return bad;
}
