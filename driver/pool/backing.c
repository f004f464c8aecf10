/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"
#include "fs/mount.h"
#include "fs/probe.h"
#include "pool/loop.h"
#include "pool/sizing.h"

#define META_START_BYTES (64 * KIB) /* zeroed; the kernel looks at the first 4 */
#define LOCK_TRIES	 250	    /* of LOCK_WAIT_MS */
#define LOCK_WAIT_MS	 20

int backing_refresh(struct backing *backing, struct error *err)
{
	if (ioctl(backing->fd, BLKGETSIZE64, &backing->size_bytes) < 0)
		return err_sys(err, errno, "get size of %s", backing->node);
	return 0;
}

static int open_node(struct backing *backing, struct error *err)
{
	struct stat st;

	backing->fd = open(backing->node, O_RDWR | O_CLOEXEC);
	if (backing->fd < 0)
		return err_sys(err, errno, "open %s", backing->node);
	if (fstat(backing->fd, &st) < 0)
		return err_sys(err, errno, "look at %s", backing->node);
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is not a block device", backing->path);
	backing->device = st.st_rdev;
	return backing_refresh(backing, err);
}

int backing_open(const char *path, bool is_file, struct backing *ret, struct error *err)
{
	auto_backing struct backing backing = { .fd = -1, .claim_fd = -1, .is_file = is_file };
	char loop[LOOP_PATH_BYTES];

	if (is_file && loop_attach(path, loop, err) < 0)
		return -1;
	backing.path = xstrdup(path);
	backing.node = xstrdup(is_file ? loop : path);
	if (open_node(&backing, err) < 0)
		return -1;
	*ret = backing;
	backing = (struct backing){ .fd = -1, .claim_fd = -1 };
	return 0;
}

void backing_release(struct backing *backing)
{
	if (backing->claim_fd >= 0)
		close(backing->claim_fd);
	backing->claim_fd = -1;
}

void backing_close(struct backing *backing)
{
	/* A zeroed struct was never opened. */
	if (backing->path) {
		backing_release(backing);
		if (backing->fd >= 0)
			close(backing->fd);
	}
	free(backing->path);
	free(backing->node);
	*backing = (struct backing){ .fd = -1, .claim_fd = -1 };
}

static int refuse_signature(const struct backing *backing, struct error *err)
{
	auto_free char *found = NULL;
	struct header header;
	struct error why;

	if (header_read(backing->fd, &header, &why) == 0)
		return err_set(err, ERR_DENIED,
			       "'%s' belongs to the veneer store %s; if that store is gone, "
			       "take the device with --force",
			       backing->path, header.uuid);
	if (why.kind == ERR_IO) {
		*err = why;
		return err_add(err, "'%s'", backing->path);
	}
	/* Of a newer program, or damaged: somebody's images all the same. */
	if (why.kind != ERR_NOT_FOUND)
		return err_set(err, ERR_DENIED,
			       "'%s' belongs to a veneer store, and %s; if that store is gone, "
			       "take the device with --force",
			       backing->path, why.text);
	if (probe_signature(backing->fd, &found, err) < 0)
		return err_add(err, "'%s'", backing->path);
	if (found)
		return err_set(err, ERR_DENIED,
			       "'%s' carries %s; if nobody needs it, take the device with --force",
			       backing->path, found);
	return 0;
}

static int lock(int fd, const char *path, struct error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_WAIT_MS * 1000000L };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock '%s'", path);
		if (i == LOCK_TRIES)
			return err_set(err, ERR_IN_USE, "'%s' is locked by another program", path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Uses of a device that opening it exclusively does not find, or does not name. */
static int refuse_use(const struct backing *backing, struct error *err)
{
	char loop[LOOP_PATH_BYTES];
	bool mounted;
	int read_only;

	if (mount_find(backing->device, &mounted, err) < 0)
		return -1;
	if (mounted)
		return err_set(err, ERR_IN_USE, "'%s' is mounted: unmount it, or choose another",
			       backing->path);
	if (loop_is_on(backing->device, loop))
		return err_set(err, ERR_IN_USE,
			       "'%s' is in use: %s is on it; detach that, or choose another",
			       backing->path, loop);
	if (ioctl(backing->fd, BLKROGET, &read_only) < 0)
		return err_sys(err, errno, "look at %s", backing->node);
	if (read_only)
		return err_set(err, ERR_DENIED, "'%s' is read-only: choose another", backing->path);
	return 0;
}

int backing_claim(struct backing *backing, bool force, struct error *err)
{
	if (refuse_use(backing, err) < 0)
		return -1;
	backing->claim_fd = open(backing->node, O_RDWR | O_EXCL | O_CLOEXEC);
	if (backing->claim_fd < 0 && errno == EBUSY)
		return err_set(err, ERR_IN_USE,
			       "'%s' is in use: it, or a part of it, is mounted, is swap, or "
			       "belongs to another device; choose another",
			       backing->path);
	if (backing->claim_fd < 0)
		return err_sys(err, errno, "open '%s'", backing->path);
	if (lock(backing->claim_fd, backing->path, err) < 0)
		return -1;
	return force ? 0 : refuse_signature(backing, err);
}

static int zero(const struct backing *backing, uint64_t start_bytes, uint64_t len_bytes,
		struct error *err)
{
	static const uint8_t zeros[64 * 1024];

	while (len_bytes) {
		size_t len = len_bytes < sizeof(zeros) ? (size_t)len_bytes : sizeof(zeros);

		if (io_pwrite(backing->fd, zeros, len, start_bytes, err) < 0)
			return err_add(err, "'%s'", backing->path);
		start_bytes += len;
		len_bytes -= len;
	}
	return 0;
}

static int sync_node(const struct backing *backing, struct error *err)
{
	if (fsync(backing->fd) < 0)
		return err_sys(err, errno, "sync '%s'", backing->path);
	return 0;
}

int backing_format(struct backing *backing, struct header *header, struct error *err)
{
	/* Backup partition tables and some RAID superblocks are at the end. */
	if (zero(backing, 0, SIZING_HEADER_BYTES, err) < 0 ||
	    zero(backing, backing->size_bytes - SIZING_HEADER_BYTES, SIZING_HEADER_BYTES, err) < 0)
		return -1;
	for (uint32_t i = 0; i < header->nr_segments; i++) {
		if (header->segments[i].role == HEADER_META &&
		    zero(backing, header->segments[i].start_bytes, META_START_BYTES, err) < 0)
			return -1;
	}
	if (sync_node(backing, err) < 0 || header_write(backing->fd, header, err) < 0)
		return err_add(err, "'%s'", backing->path);
	return 0;
}

int backing_wipe(struct backing *backing, const char *uuid, struct error *err)
{
	struct header header;
	struct error why;

	if (header_read(backing->fd, &header, &why) < 0 || strcmp(header.uuid, uuid) != 0)
		return 0;
	if (zero(backing, 0, SIZING_HEADER_BYTES, err) < 0)
		return -1;
	return sync_node(backing, err);
}

int backing_detach(const char *path, bool is_file, struct error *err)
{
	return is_file ? loop_detach(path, err) : 0;
}
