/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/loop.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"

#define CONTROL	       "/dev/loop-control"
#define ATTACH_TRIES   32
#define DETACH_TRIES   50 /* of DETACH_WAIT_MS */
#define DETACH_WAIT_MS 20

static int open_file(const char *file, struct stat *ret_st, struct error *err)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", file);
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		close(fd);
		return err_set(err, ERR_CORRUPT, "'%s' is not a regular file", file);
	}
	return fd;
}

/* What a loop device is looked for by. */
struct wanted {
	const struct stat *file; /* NULL: one on this block device */
	dev_t device;
};

/* Is the loop device attached to this very file, whatever its name? */
static bool is_attached_to(const char *path, const struct wanted *wanted)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_info64 info;

	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return false;
	if (!wanted->file)
		return info.lo_rdevice == wanted->device;
	/* Another program may show itself a part of the file, or no more than read it. */
	return info.lo_inode == wanted->file->st_ino && info.lo_device == wanted->file->st_dev &&
	       !info.lo_offset && !info.lo_sizelimit && !(info.lo_flags & LO_FLAGS_READ_ONLY);
}

static bool find(const struct wanted *wanted, char ret_path[LOOP_PATH_BYTES])
{
	auto_dir DIR *dir = opendir("/sys/block");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[LOOP_PATH_BYTES];
		int len;

		if (strncmp(entry->d_name, "loop", 4) != 0 ||
		    !isdigit((unsigned char)entry->d_name[4]))
			continue;
		len = snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (len < (int)sizeof(path) && is_attached_to(path, wanted)) {
			memcpy(ret_path, path, sizeof(path));
			return true;
		}
	}
	return false;
}

/* Returns 0 when done, 1 when another process took the device first. */
static int configure_fd(int fd, const char *path, int file_fd, const char *file, unsigned flags,
			struct error *err)
{
	struct loop_config config = {
		.fd = (__u32)file_fd,
		.info.lo_flags = LO_FLAGS_DIRECT_IO | flags,
	};

	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	/* Only for people who run losetup; what counts is the inode. */
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", file);
	if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno == EINVAL) {
		/* Some file systems have no direct I/O and some kernels do not fall back. */
		config.info.lo_flags = flags;
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return 0;
	}
	if (errno == EBUSY)
		return 1;
	return err_sys(err, errno, "attach '%s' to %s", file, path);
}

static int configure(const char *path, int file_fd, const char *file, struct error *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

	return configure_fd(fd, path, file_fd, file, 0, err);
}

static int open_control(struct error *err)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(err, ERR_UNSUPPORTED, "this kernel has no loop devices");
	return fd < 0 ? err_sys(err, errno, "open " CONTROL) : fd;
}

int loop_attach_for_now(const char *file, struct error *err)
{
	auto_fd int file_fd = open(file, O_RDONLY | O_CLOEXEC);
	auto_fd int control_fd = -1;

	if (file_fd < 0)
		return err_sys(err, errno, "open '%s'", file);
	control_fd = open_control(err);
	if (control_fd < 0)
		return -1;
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int nr = ioctl(control_fd, LOOP_CTL_GET_FREE), result;
		char path[LOOP_PATH_BYTES];
		auto_fd int fd = -1;

		if (nr < 0)
			return err_sys(err, errno, "find a free loop device");
		snprintf(path, sizeof(path), "/dev/loop%d", nr);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		result = configure_fd(fd, path, file_fd, file,
				      LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY, err);
		if (result <= 0)
			return result < 0 ? -1 : take_fd(fd);
	}
	return err_set(err, ERR_IN_USE, "attach '%s': other programs take every loop device first",
		       file);
}

int loop_attach(const char *file, char ret_path[LOOP_PATH_BYTES], struct error *err)
{
	auto_fd int control_fd = -1;
	auto_fd int file_fd = -1;
	struct stat st;

	file_fd = open_file(file, &st, err);
	if (file_fd < 0)
		return -1;
	if (find(&(struct wanted){ .file = &st }, ret_path))
		return 0;
	control_fd = open_control(err);
	if (control_fd < 0)
		return -1;
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int nr = ioctl(control_fd, LOOP_CTL_GET_FREE), result;

		if (nr < 0)
			return err_sys(err, errno, "find a free loop device");
		snprintf(ret_path, LOOP_PATH_BYTES, "/dev/loop%d", nr);
		result = configure(ret_path, file_fd, file, err);
		if (result <= 0)
			return result;
	}
	return err_set(err, ERR_IN_USE, "attach '%s': other programs take every loop device first",
		       file);
}

int loop_detach(const char *file, struct error *err)
{
	const struct timespec pause = { .tv_nsec = DETACH_WAIT_MS * 1000000L };
	char path[LOOP_PATH_BYTES];
	struct stat st;
	const struct wanted wanted = { .file = &st };

	if (stat(file, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at '%s'", file);
	if (!find(&wanted, path))
		return 0;
	{
		auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return err_sys(err, errno, "open %s", path);
		if (ioctl(fd, LOOP_CLR_FD, 0) < 0 && errno != ENXIO)
			return err_sys(err, errno, "detach %s", path);
	}
	/* With another opener the kernel detaches at the last close, and says nothing. */
	for (int i = 0; is_attached_to(path, &wanted); i++) {
		if (i == DETACH_TRIES)
			return err_set(err, ERR_IN_USE, "detach %s: it is in use", path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

bool loop_is_on(dev_t device, char ret_path[LOOP_PATH_BYTES])
{
	return find(&(struct wanted){ .device = device }, ret_path);
}

int loop_resize(const char *loop_path, struct error *err)
{
	auto_fd int fd = open(loop_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", loop_path);
	if (ioctl(fd, LOOP_SET_CAPACITY, 0) < 0)
		return err_sys(err, errno, "resize %s", loop_path);
	return 0;
}
