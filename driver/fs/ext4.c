/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/size.h"
#include "fs/fs.h"
#include "fs/mount.h"

#define MAKE_DEADLINE_MS (10 * 60 * 1000)
#define LOG_TO_GROW_MIB	 "32" /* with the 8 of the template, and with 16, the kernel says ENOSPC */

/*
 * Since Linux 5.14: writes the journal back and discards its blocks, all but
 * its superblock. Source: Linux fs/ext4/ext4.h
 */
#ifndef EXT4_IOC_CHECKPOINT
#define EXT4_IOC_CHECKPOINT		 _IOW('f', 43, uint32_t)
#define EXT4_IOC_CHECKPOINT_FLAG_DISCARD 0x1u
#endif

static int make(const char *device, uint64_t size_bytes, struct error *err)
{
	const char *const argv[] = {
		"mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", "-m", "0", "-J", "size=8",
		/* A million small files in 10 GiB; tables that nobody uses are never written. */
		"-i", "8192",
		/* Unwritten inode tables and journal: 5 MiB instead of 230 in each pool. */
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", "-O",
		FS_EXT4_FEATURES, device, NULL
	};
	auto_fd int mount_fd = -1;

	(void)size_bytes;
	if (proc_check(argv, MAKE_DEADLINE_MS, err) < 0 ||
	    mount_open(&fs_ext4, device, FS_WRITE, &mount_fd, err) < 0)
		return -1;
	/* An image has its own idea of what is in its root. */
	if (unlinkat(mount_fd, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove lost+found on %s", device);
	return mount_sync(mount_fd, err);
}

/* In front of the superblock, for a boot loader that nobody installs. */
static uint64_t label_offset(uint64_t size_bytes)
{
	(void)size_bytes;
	return 0;
}

static void empty_log(int mount_fd)
{
	uint32_t flags = EXT4_IOC_CHECKPOINT_FLAG_DISCARD;
	struct error err;
	auto_fd int fd = mount_open_root(mount_fd, &err);

	if (fd < 0 || ioctl(fd, EXT4_IOC_CHECKPOINT, &flags) < 0)
		log_debug("EXT4_IOC_CHECKPOINT: %s", strerror(errno));
}

/*
 * What is not mounted is not grown by the kernel, which writes inode tables. What is mounted can only
 * be grown by it, and each step of that takes more than the log of the template: see set_apart().
 */
static int grow(const char *device, struct error *err)
{
	const char *const argv[] = { "resize2fs", "-f", device, NULL };

	return proc_check(argv, MAKE_DEADLINE_MS, err);
}

/*
 * The seed of the checksums stays, so that a new UUID changes the superblock alone. The new log was
 * written as zeros: their blocks go back to the pool.
 */
static int set_apart(const char *device, struct error *err)
{
	const char *const steps[][7] = {
		{ "tune2fs", "-O", "metadata_csum_seed,^has_journal", device },
		{ "tune2fs", "-U", "random", "-J", "size=" LOG_TO_GROW_MIB, device },
	};
	auto_fd int mount_fd = -1;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (proc_check(steps[i], MAKE_DEADLINE_MS, err) < 0)
			return -1;
	if (mount_open(&fs_ext4, device, FS_WRITE, &mount_fd, err) < 0)
		return -1;
	empty_log(mount_fd);
	return mount_sync(mount_fd, err);
}

const struct fs_kind fs_ext4 = {
	.name = "ext4",
	.min_bytes = 64 * MIB,
	.options = {
		/* A snapshot of a frozen volume needs no recovery, and its device is read-only. */
		[FS_VIEW] = { { "ro" }, { "noload" } },
		/*
		 * noinit_itable everywhere: the kernel's thread would write all
		 * inode tables anew into each snapshot.
		 */
		[FS_UNPACK] = { { "noinit_itable" }, { "nobarrier" }, { "data", "writeback" },
				{ "commit", "300" } },
		[FS_WRITE] = { { "noinit_itable" } },
	},
	.make = make,
	.label_offset = label_offset,
	.empty_log = empty_log,
	.grow = grow,
	.set_apart = set_apart,
};
