/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_component(struct buf *path)
{
	if (path->len == 0)
		return -1;
	while (path->len && path->data[path->len - 1] != '/')
		path->len--;
	if (path->len)
		path->len--; /* the slash */
	path->data[path->len] = '\0';
	return 0;
}

int path_clean(const char *name, struct buf *ret, struct error *err)
{
	const char *at = name;

	buf_reset(ret);
	buf_puts(ret, "");
	while (*at) {
		size_t len = strcspn(at, "/");

		if (len == 2 && at[0] == '.' && at[1] == '.') {
			if (drop_component(ret) < 0)
				return err_set(err, ERR_CORRUPT, "path '%s' leaves the root", name);
		} else if (len > 1 || (len == 1 && at[0] != '.')) {
			if (ret->len)
				buf_putc(ret, '/');
			buf_append(ret, at, len);
		}
		at += len + (at[len] == '/');
	}
	return 0;
}

void path_add(const char *path, struct buf *ret)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (ret->len && ret->data[--ret->len] != '/')
				;
			if (ret->data)
				ret->data[ret->len] = '\0';
		} else if (len && !(len == 1 && *path == '.')) {
			buf_putc(ret, '/');
			buf_append(ret, path, len);
		}
		path += len + (path[len] == '/');
	}
}

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode, struct error *err)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do /* EAGAIN: something was renamed while the kernel walked the path */
		fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	return (int)fd;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(path + len - suffix_len, suffix) == 0;
}
