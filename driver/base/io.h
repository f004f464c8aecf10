/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io - whole reads and writes, bounded reads of files, durable replacement
 *
 * Interrupted and short calls are continued. Names are relative to dir_fd as
 * in openat(2); AT_FDCWD is allowed.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Returns the bytes read: fewer than len only at the end of the file. -1: ERR_IO. */
ssize_t io_read(int fd, void *data, size_t len, struct error *err);
/* Fails with ERR_CORRUPT when the file ends before len bytes at offset. */
int io_pread(int fd, void *data, size_t len, uint64_t offset, struct error *err);
/* Waits for room also where write(2) would not. */
int io_write(int fd, const void *data, size_t len, struct error *err);
int io_pwrite(int fd, const void *data, size_t len, uint64_t offset, struct error *err);

/**
 * io_read_file - the content of a file that must not be larger than max bytes
 * @ret: appended to
 *
 * Returns 0, or -1: ERR_LIMIT beyond max, ERR_NOT_FOUND, ERR_IO.
 */
int io_read_file(int dir_fd, const char *name, size_t max, struct buf *ret, struct error *err);

/**
 * io_replace_file - write a file so that a crash leaves the old or the new one
 *
 * Temporary name, fsync, rename, fsync of the folder. Killed before the rename
 * it leaves NAME.new, which the next call takes over: one writer at a time.
 */
#define IO_NEW_SUFFIX ".new"
int io_replace_file(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		    struct error *err);

/* Makes a rename or unlink inside the folder durable. */
int io_sync_dir(int dir_fd, struct error *err);

/* The names in a folder, in no order; none when it cannot be read. */
void io_list_folder(int dir_fd, const char *name, struct strlist *ret);

/* mkdir -p; existing folders are fine. mode is for the new ones. */
int io_make_dirs(const char *path, mode_t mode, struct error *err);

#endif
