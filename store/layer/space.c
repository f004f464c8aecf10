/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/space.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"

/* Less room than this is none: file systems write more than they are given. */
#define MIN_ROOM_BYTES MIB

/* The descriptor of a detached mount is O_PATH: good for looking up, not for syncfs(2). */
int space_flush(int mount_fd, struct error *err)
{
	auto_fd int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(err, errno, "write to the working volume");
	return 0;
}

int space_explain_room(uint64_t nr_bytes, uint64_t free_bytes, uint64_t nr_inodes,
		       uint64_t free_inodes, struct error *err)
{
	/* It may have been another disk: that of the store, which keeps the layer's blob. */
	if (free_inodes && free_bytes > MIN_ROOM_BYTES)
		return -1;
	if (free_inodes == 0)
		err_add(err, "a volume of this pool holds at most %" PRIu64 " files", nr_inodes);
	else
		err_add(err, "a volume of this pool holds at most %" PRIu64 " MiB", nr_bytes / MIB);
	return err_add(err, "the image needs a pool with a larger --volume-size");
}

int space_explain(int mount_fd, struct error *err)
{
	struct statvfs fs;

	if (fstatvfs(mount_fd, &fs) < 0)
		return -1;
	return space_explain_room((uint64_t)fs.f_blocks * fs.f_frsize,
				  (uint64_t)fs.f_bavail * fs.f_frsize, fs.f_files, fs.f_favail,
				  err);
}

int space_take(void *ctx, uint64_t bytes, struct error *err)
{
	struct space *space = ctx;
	uint64_t room;

	if (bytes <= space->left_bytes) {
		space->left_bytes -= bytes;
		return 0;
	}
	if (space->asked && space->mount_fd >= 0 && space_flush(space->mount_fd, err) < 0)
		return -1;
	space->asked = true;
	if (volume_pool_room(space->pool, 2 * bytes + MIN_ROOM_BYTES, &room, err) < 0)
		return -1;
	space->left_bytes = room / 2 - bytes;
	return 0;
}
