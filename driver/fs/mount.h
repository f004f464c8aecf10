/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount - mounts that have a descriptor first, and a place only if somebody wants one
 *
 * A detached mount (fsopen, fsmount) has no path: nothing outside this process
 * can see it, and it goes away with its descriptor, however the process ends.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/fs.h"

/**
 * mount_open - mount a device, detached
 * @ret_fd: new; the root folder of the mount
 *
 * Views and unpack mounts ignore set-id bits and device nodes. Returns 0, or
 * -1 with what the kernel says in the text.
 */
int mount_open(const struct fs_kind *kind, const char *device, enum fs_use use, int *ret_fd,
	       struct error *err);

/**
 * mount_set_options - "ro,nodev,noatime": what mount(8) has for any kind of file system
 * @options: may be NULL
 *
 * ERR_USAGE for others, by name.
 */
int mount_set_options(int mount_fd, const char *options, struct error *err);
/* The same for nothing but the error. */
int mount_check_options(const char *options, struct error *err);

/* Puts a detached mount at dir. */
int mount_attach(int mount_fd, const char *dir, struct error *err);

/* Unmounts dir. ERR_NOT_FOUND unless dir is a mount of that device. ERR_IN_USE. */
int mount_remove(const char *dir, dev_t device, struct error *err);

/* Is it mounted anywhere in this process's mount namespace? Detached mounts are not seen. */
int mount_find(dev_t device, bool *ret_mounted, struct error *err);

/* Is the device named by one line of /proc/self/mountinfo? Pure. */
bool mount_line_has_device(const char *line, dev_t device);

/* In place, of a path in mountinfo: the kernel writes blanks and the like as \ooo. Pure. */
void mount_unescape(char *text);

/* fsmount() gives a descriptor that names the root only. Returns a new one that can do ioctls. */
int mount_open_root(int mount_fd, struct error *err);

/* All data and metadata written to the device; reports what failed earlier, too. */
int mount_sync(int mount_fd, struct error *err);

/*
 * The file system is about to be thrown away: what is not written yet need not be any more. It
 * can be unmounted afterwards, and nothing else. Not being able to is no error.
 */
void mount_abandon(int mount_fd);

/*
 * The same for a device, through a writable mount of it that this process can see. Returns 1, 0
 * when there is none, or -1.
 */
int mount_trim_device(dev_t device, struct error *err);

/* Where a line of /proc/self/mountinfo says that a device is mounted writable: new, or NULL. Pure. */
char *mount_line_writable(const char *line, dev_t device);

/* Tells the device which blocks hold nothing. Not being able to is no error. */
int mount_trim(int mount_fd, struct error *err);

#endif
