/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"

ssize_t io_read(int fd, void *data, size_t len, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = read(fd, (char *)data + done, len - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int io_pread(int fd, void *data, size_t len, uint64_t offset, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "read at byte %ju", (uintmax_t)offset);
		if (got == 0)
			return err_set(err, ERR_CORRUPT, "ends before byte %ju",
				       (uintmax_t)(offset + len));
		done += (size_t)got;
	}
	return 0;
}

int io_write(int fd, const void *data, size_t len, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t put = write(fd, (const char *)data + done, len - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN) { /* another program made it so, of a shared pipe */
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			poll(&wait, 1, -1);
			continue;
		}
		if (put < 0)
			return err_sys(err, errno, "write");
		done += (size_t)put;
	}
	return 0;
}

int io_pwrite(int fd, const void *data, size_t len, uint64_t offset, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t put =
			pwrite(fd, (const char *)data + done, len - done, (off_t)(offset + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(err, errno, "write at byte %ju", (uintmax_t)offset);
		done += (size_t)put;
	}
	return 0;
}

int io_read_file(int dir_fd, const char *name, size_t max, struct buf *ret, struct error *err)
{
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char chunk[16384];
	size_t total = 0;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", name);
	for (;;) {
		ssize_t got = io_read(fd, chunk, sizeof(chunk), err);

		if (got < 0)
			return err_add(err, "'%s'", name);
		total += (size_t)got;
		if (total > max)
			return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", name, max);
		buf_append(ret, chunk, (size_t)got);
		if ((size_t)got < sizeof(chunk))
			return 0;
	}
}

int io_sync_dir(int dir_fd, struct error *err)
{
	auto_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "sync folder");
	return 0;
}

static int write_synced(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
			struct error *err)
{
	auto_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(err, errno, "create '%s'", name);
	if (io_write(fd, data, len, err) < 0)
		return err_add(err, "'%s'", name);
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync '%s'", name);
	return 0;
}

int io_replace_file(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		    struct error *err)
{
	auto_free char *temporary = xasprintf("%s" IO_NEW_SUFFIX, name);
	const char *slash = strrchr(name, '/');
	auto_free char *folder =
		slash ? xasprintf("%.*s", (int)(slash - name + 1), name) : xstrdup(".");
	auto_fd int folder_fd = -1;

	if (write_synced(dir_fd, temporary, data, len, mode, err) < 0) {
		unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	crash_point("file-written");
	if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		err_sys(err, errno, "replace '%s'", name);
		unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	folder_fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return err_sys(err, errno, "open '%s'", folder);
	return io_sync_dir(folder_fd, err);
}

void io_list_folder(int dir_fd, const char *name, struct strlist *ret)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(ret, entry->d_name);
}

int io_make_dirs(const char *path, mode_t mode, struct error *err)
{
	auto_free char *part = xstrdup(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	for (char *at = part + 1; *part && *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		int failed = mkdir(part, mode) < 0 ? errno : 0;

		if (failed && failed != EEXIST && (failed != EROFS || access(part, F_OK) < 0))
			return err_sys(err, failed, "create folder '%s'", part);
		*at = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create folder '%s'", path);
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, ENOTDIR, "create folder '%s'", path);
	return 0;
}
