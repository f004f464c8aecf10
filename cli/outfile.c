/* SPDX-License-Identifier: Apache-2.0 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"

#define TEMPORARY ".tmp-veneer-"
#define NAMES_MAX 100u /* left by killed processes of the same number */

/* The folder that a path lies in, as Go's filepath.Dir(filepath.Clean(path)); new. */
static char *folder_of(const char *path)
{
	char *folder = xstrdup(path);
	size_t len = strlen(folder);

	while (len > 1 && folder[len - 1] == '/')
		len--;
	while (len && folder[len - 1] != '/')
		len--;
	while (len > 1 && folder[len - 1] == '/')
		len--;
	folder[len] = '\0';
	if (!len) {
		free(folder);
		return xstrdup(".");
	}
	return folder;
}

int outfile_check_path(const char *path, struct error *err)
{
	auto_free char *folder = folder_of(path);
	struct stat st;

	if (stat(folder, &st) < 0 && errno == ENOENT)
		return err_set(err, ERR_USAGE,
			       "invalid output path: directory \"%s\" does not exist", folder);
	if (stat(path, &st) < 0)
		return 0;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return err_set(err, ERR_USAGE,
			       "invalid output path: \"%s\" must be a directory or a regular "
			       "file: got a device",
			       path);
	return 0;
}

int outfile_check(const char *path, struct error *err)
{
	struct stat st;

	if (path && outfile_check_path(path, err) < 0)
		return -1;
	if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "invalid output path: \"%s\" is a directory", path);
	if (!path && isatty(STDOUT_FILENO))
		return err_set(err, ERR_USAGE,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect");
	return 0;
}

/* -1 where the file system has no such thing, or nothing could name it. */
static int open_nameless(const char *folder)
{
	if (access("/proc/self/fd", X_OK) < 0)
		return -1;
	return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

int outfile_open(struct outfile *file, const char *path, struct error *err)
{
	if (!path) {
		file->fd = STDOUT_FILENO;
		return 0;
	}
	file->folder = folder_of(path);
	file->path = xstrdup(path);
	file->fd = open_nameless(file->folder);
	if (file->fd >= 0)
		return 0;
	file->temporary = xasprintf("%s/" TEMPORARY "XXXXXX", file->folder);
	file->fd = mkostemp(file->temporary, O_CLOEXEC); /* mode 0600 */
	if (file->fd < 0) {
		free(take_ptr(file->temporary));
		return err_sys(err, errno, "create a file in '%s'", file->folder);
	}
	return 0;
}

int outfile_write(void *ctx, const void *data, size_t len, struct error *err)
{
	struct outfile *file = ctx;

	if (cancel_check(err) < 0)
		return -1;
	if (io_write(file->fd, data, len, err) < 0)
		return err_add(err, "%s", file->path ? file->path : "standard output");
	return 0;
}

/* A link cannot replace a file, a rename can: it needs a name in between. */
static int give_name(struct outfile *file, struct error *err)
{
	auto_free char *nameless = xasprintf("/proc/self/fd/%d", file->fd);

	for (unsigned int i = 0; i < NAMES_MAX; i++) {
		file->temporary = xasprintf("%s/" TEMPORARY "%d-%u", file->folder, getpid(), i);
		if (linkat(AT_FDCWD, nameless, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		free(take_ptr(file->temporary));
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, errno, "create a file in '%s'", file->folder);
}

/* Not every file system can, and not everybody may read a folder: then it is the system's to do. */
static void sync_folder(const char *folder)
{
	auto_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
}

int outfile_commit(struct outfile *file, struct error *err)
{
	if (!file->path)
		return 0;
	if (fsync(file->fd) < 0)
		return err_sys(err, errno, "write '%s'", file->path);
	if (!file->temporary && give_name(file, err) < 0)
		return -1;
	if (rename(file->temporary, file->path) < 0)
		return err_sys(err, errno, "write '%s'", file->path);
	free(take_ptr(file->temporary));
	sync_folder(file->folder);
	return 0;
}

void outfile_done(struct outfile *file)
{
	if (file->temporary)
		unlink(file->temporary);
	if (file->path && file->fd >= 0)
		close(file->fd);
	free(take_ptr(file->temporary));
	free(take_ptr(file->path));
	free(take_ptr(file->folder));
	file->fd = -1;
}
