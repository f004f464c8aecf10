/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

#define LOCK_WAIT_MS	  60000
#define LOCK_PAUSE_MS	  10
#define LOCK_PAUSE_MAX_MS 160

/* In the order in which they are made: where the last one is, all are, so a new one comes last. */
static const char *const parts[] = { "blobs",  "blobs/sha256", "sessions", "chains", "tmp",
				     "mounts", "containers",   "volumes",  "disks",  "verity" };

static int make_parts(int root_fd, const char *path, struct error *err)
{
	const size_t nr = sizeof(parts) / sizeof(*parts);

	if (faccessat(root_fd, parts[nr - 1], F_OK, 0) == 0)
		return 0;
	for (size_t i = 0; i < nr; i++) {
		if (mkdirat(root_fd, parts[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create folder '%s/%s'", path, parts[i]);
	}
	return 0;
}

int root_open(const char *path, struct root *ret, struct error *err)
{
	auto_fd int fd = -1;
	auto_fd int lock_fd = -1;
	char *absolute;

	if (io_make_dirs(path, 0711, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open store '%s'", path);
	if (make_parts(fd, path, err) < 0)
		return -1;
	lock_fd = openat(fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock_fd < 0)
		return err_sys(err, errno, "open '%s/lock'", path);
	absolute = realpath(path, NULL);
	if (!absolute)
		return err_sys(err, errno, "resolve store '%s'", path);
	ret->path = absolute;
	ret->fd = take_fd(fd);
	ret->lock_fd = take_fd(lock_fd);
	return 0;
}

void root_remove_mount_point(const struct root *root, const char *dir)
{
	auto_free char *prefix = xasprintf("%s/mounts/", root->path);

	if (strncmp(dir, prefix, strlen(prefix)) == 0 && rmdir(dir) < 0)
		log_debug("folder '%s' stays: %s", dir, strerror(errno));
}

void root_done(struct root *root)
{
	if (!root->path)
		return;
	close(root->lock_fd);
	close(root->fd);
	free(root->path);
	*root = (struct root){ .fd = -1, .lock_fd = -1 };
}

/*
 * flock(2) has no deadline of its own, and a blocking one would hide the
 * signal that asks us to stop when it arrives just before the call. Many who
 * wait look less often each, or their looking takes the processor from the holder.
 */
static int flock_within(int fd, int64_t wait_ms, const char *what, struct error *err)
{
	for (int64_t pause_ms = LOCK_PAUSE_MS;; pause_ms *= 2) {
		struct timespec pause;

		if (pause_ms > LOCK_PAUSE_MAX_MS)
			pause_ms = LOCK_PAUSE_MAX_MS;
		pause = (struct timespec){ .tv_nsec = pause_ms * 1000000L };
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock '%s'", what);
		if (cancel_check(err) < 0)
			return -1;
		if (wait_ms <= 0)
			return err_set(err, ERR_IN_USE, "'%s' is locked by another process", what);
		nanosleep(&pause, NULL);
		wait_ms -= pause_ms;
	}
}

int root_lock(struct root *root, struct error *err)
{
	if (flock_within(root->lock_fd, LOCK_WAIT_MS, "lock", err) < 0)
		return err_add(err, "store '%s'", root->path);
	return 0;
}

void root_unlock(struct root *root)
{
	flock(root->lock_fd, LOCK_UN);
}

int root_lock_file(const struct root *root, const char *name, int64_t wait_ms, struct error *err)
{
	for (;;) {
		auto_fd int fd = openat(root->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		struct stat held, named;

		if (fd < 0 || fstat(fd, &held) < 0)
			return err_sys(err, errno, "open '%s/%s'", root->path, name);
		if (flock_within(fd, wait_ms, name, err) < 0)
			return -1;
		/* The holder before us may have unlinked what we had opened. */
		if (fstatat(root->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    named.st_ino == held.st_ino)
			return take_fd(fd);
	}
}
