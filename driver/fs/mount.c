/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

/* FS_IOC_SHUTDOWN of ext4 and XFS_IOC_GOINGDOWN are the same; no header has both. */
#define IOC_SHUTDOWN	      _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_LOG_FLUSH 2u

#define MESSAGE_MAX 512

/* What the kernel wrote into the context: lines of "e ", "w " or "i " and text. */
static void read_messages(int context_fd, char ret[MESSAGE_MAX])
{
	char line[256];
	ssize_t got;

	ret[0] = '\0';
	while ((got = read(context_fd, line, sizeof(line) - 1)) > 0) {
		size_t len = strlen(ret);

		line[got] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) > 2)
			snprintf(ret + len, MESSAGE_MAX - len, " (%s)", line + 2);
	}
}

static int context_error(int context_fd, struct error *err, const char *what, const char *device)
{
	int number = errno;
	char messages[MESSAGE_MAX];

	read_messages(context_fd, messages);
	return err_sys(err, number, "%s %s%s", what, device, messages);
}

static int set_option(int context_fd, const struct fs_option *option)
{
	if (option->value)
		return fsconfig(context_fd, FSCONFIG_SET_STRING, option->key, option->value, 0);
	return fsconfig(context_fd, FSCONFIG_SET_FLAG, option->key, NULL, 0);
}

static unsigned attributes(enum fs_use use)
{
	switch (use) {
	case FS_VIEW:
		return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
	case FS_UNPACK:
		return MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		       MOUNT_ATTR_NOEXEC;
	default:
		/* Reading a file would copy a pool block for its inode's sake. */
		return MOUNT_ATTR_NOATIME;
	}
}

int mount_open(const struct fs_kind *kind, const char *device, enum fs_use use, int *ret_fd,
	       struct error *err)
{
	auto_fd int context_fd = fsopen(kind->name, FSOPEN_CLOEXEC);
	int mount_fd;

	if (context_fd < 0 && errno == ENODEV)
		return err_set(err, ERR_UNSUPPORTED, "this kernel has no %s", kind->name);
	if (context_fd < 0)
		return err_sys(err, errno, "open a mount of kind %s", kind->name);
	if (fsconfig(context_fd, FSCONFIG_SET_STRING, "source", device, 0) < 0)
		return context_error(context_fd, err, "mount", device);
	for (const struct fs_option *option = kind->options[use]; option->key; option++) {
		if (set_option(context_fd, option) < 0)
			return context_error(context_fd, err, option->key, device);
	}
	if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return context_error(context_fd, err, "mount", device);
	mount_fd = fsmount(context_fd, FSMOUNT_CLOEXEC, attributes(use));
	if (mount_fd < 0)
		return context_error(context_fd, err, "mount", device);
	if (use != FS_VIEW && kind->mounted)
		kind->mounted(device);
	*ret_fd = mount_fd;
	return 0;
}

static const struct mount_option {
	const char *name;
	uint64_t set, clear;
} mount_options[] = {
	{ "defaults", 0, 0 },
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ NULL, 0, 0 },
};

static int add_option(const char *name, struct mount_attr *attr, struct error *err)
{
	const struct mount_option *option = mount_options;

	while (option->name && strcmp(option->name, name) != 0)
		option++;
	if (!option->name)
		return err_set(
			err, ERR_USAGE,
			"unknown mount option '%s': ro, rw, and [no]suid, [no]dev, [no]exec, "
			"noatime, relatime, strictatime, [no]diratime are known",
			name);
	/* The last one wins. */
	attr->attr_set = (attr->attr_set & ~(option->set | option->clear)) | option->set;
	attr->attr_clr = (attr->attr_clr & ~option->set) | option->clear;
	return 0;
}

static int read_options(const char *options, struct mount_attr *ret, struct error *err)
{
	auto_free char *copy = xstrdup(options ? options : "");
	char *rest = copy, *name;

	*ret = (struct mount_attr){ 0 };
	while ((name = strsep(&rest, ",")))
		if (*name && add_option(name, ret, err) < 0)
			return -1;
	return 0;
}

int mount_check_options(const char *options, struct error *err)
{
	struct mount_attr ignored;

	return read_options(options, &ignored, err);
}

int mount_set_options(int mount_fd, const char *options, struct error *err)
{
	struct mount_attr attr;

	if (read_options(options, &attr, err) < 0)
		return -1;
	if (!attr.attr_set && !attr.attr_clr)
		return 0;
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, errno, "set the mount options '%s'", options);
	return 0;
}

int mount_attach(int mount_fd, const char *dir, struct error *err)
{
	if (move_mount(mount_fd, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "mount at '%s'", dir);
	return 0;
}

int mount_remove(const char *dir, dev_t device, struct error *err)
{
	struct statx st;

	if (statx(AT_FDCWD, dir, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
		return err_sys(err, errno, "look at '%s'", dir);
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT) || st.stx_dev_major != major(device) ||
	    st.stx_dev_minor != minor(device))
		return err_set(err, ERR_NOT_FOUND, "'%s' is not where this volume is mounted", dir);
	if (umount2(dir, UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, errno, "unmount '%s'", dir);
	return 0;
}

bool mount_line_has_device(const char *line, dev_t device)
{
	unsigned major_nr, minor_nr;

	/* mount id, parent id, major:minor, ... */
	return sscanf(line, "%*u %*u %u:%u ", &major_nr, &minor_nr) == 2 &&
	       makedev(major_nr, minor_nr) == device;
}

void mount_unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

int mount_find(dev_t device, bool *ret_mounted, struct error *err)
{
	auto_file FILE *file = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t room = 0;

	if (!file)
		return err_sys(err, errno, "open /proc/self/mountinfo");
	while (getline(&line, &room, file) >= 0) {
		if (mount_line_has_device(line, device)) {
			*ret_mounted = true;
			return 0;
		}
	}
	if (ferror(file))
		return err_sys(err, errno, "read /proc/self/mountinfo");
	*ret_mounted = false;
	return 0;
}

int mount_open_root(int mount_fd, struct error *err)
{
	int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open the root of a mount") : fd;
}

int mount_sync(int mount_fd, struct error *err)
{
	auto_fd int fd = mount_open_root(mount_fd, err);

	if (fd < 0)
		return -1;
	if (syncfs(fd) < 0)
		return err_sys(err, errno, "write the file system to its volume");
	return 0;
}

void mount_abandon(int mount_fd)
{
	uint32_t flags = SHUTDOWN_NO_LOG_FLUSH;
	struct error err;
	auto_fd int fd = mount_open_root(mount_fd, &err);

	if (fd < 0 || ioctl(fd, IOC_SHUTDOWN, &flags) < 0)
		log_debug("the file system cannot be abandoned: %s",
			  fd < 0 ? err.text : strerror(errno));
}

int mount_trim(int mount_fd, struct error *err)
{
	struct fstrim_range range = { .len = UINT64_MAX };
	auto_fd int fd = mount_open_root(mount_fd, err);

	if (fd < 0)
		return -1;
	if (ioctl(fd, FITRIM, &range) < 0 && errno != EOPNOTSUPP && errno != ENOTTY)
		return err_sys(err, errno, "give free blocks back to the pool");
	return 0;
}

/* "\\040" is how mountinfo writes a blank. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
		    at[3] >= '0' && at[3] <= '7') {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

char *mount_line_writable(const char *line, dev_t device)
{
	auto_free char *dir = NULL;
	auto_free char *options = NULL;

	if (!mount_line_has_device(line, device) ||
	    sscanf(line, "%*u %*u %*u:%*u %*s %ms %ms", &dir, &options) != 2 ||
	    (strcmp(options, "rw") != 0 && strncmp(options, "rw,", 3) != 0))
		return NULL;
	unescape(dir);
	return take_ptr(dir);
}

/* Returns 1, 0 when dir is no folder of that device, or -1. */
static int trim_at(const char *dir, dev_t device, struct error *err)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != device)
		return 0;
	return mount_trim(fd, err) < 0 ? -1 : 1;
}

int mount_trim_device(dev_t device, struct error *err)
{
	auto_file FILE *file = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t room = 0;

	if (!file)
		return err_sys(err, errno, "open /proc/self/mountinfo");
	while (getline(&line, &room, file) >= 0) {
		auto_free char *dir = mount_line_writable(line, device);
		int got = dir ? trim_at(dir, device, err) : 0;

		if (got)
			return got;
	}
	return 0;
}
