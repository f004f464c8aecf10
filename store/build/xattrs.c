/* SPDX-License-Identifier: Apache-2.0 */
#include "build/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "limits.h"

void xattrs_done(struct xattrs *xattrs)
{
	free(xattrs->items);
	buf_done(&xattrs->names);
	buf_done(&xattrs->values);
	*xattrs = (struct xattrs){ 0 };
}

/* Where attributes are read: a path whose last component is not followed, or an open file. */
struct from {
	const char *path; /* or NULL */
	int fd;
};

static ssize_t list(const struct from *from, char *names, size_t len)
{
	return from->path ? llistxattr(from->path, names, len) : flistxattr(from->fd, names, len);
}

static ssize_t get(const struct from *from, const char *name, void *value, size_t len)
{
	return from->path ? lgetxattr(from->path, name, value, len)
			  : fgetxattr(from->fd, name, value, len);
}

static int read_value(const struct from *from, const char *name, struct xattrs *ret,
		      struct error *err)
{
	auto_free char *value = xmalloc(LIMIT_XATTR_BYTES);
	ssize_t len = get(from, name, value, LIMIT_XATTR_BYTES);

	if (len < 0 && errno == ENODATA) /* removed meanwhile */
		return 0;
	if (len < 0)
		return err_sys(err, errno, "read attribute %s", name);
	if (ret->nr == LIMIT_XATTRS)
		return err_set(err, ERR_LIMIT, "more than %u attributes", LIMIT_XATTRS);
	if (!(ret->nr & (ret->nr + 1)))
		ret->items = xrealloc(ret->items, 2 * (ret->nr + 1) * sizeof(*ret->items));
	/* Where the value lies is known once the buffer no longer moves. */
	ret->items[ret->nr++] = (struct tree_xattr){ .name = name, .len = (size_t)len };
	buf_append(&ret->values, value, (size_t)len);
	return 0;
}

static int read_all(const struct from *from, struct xattrs *ret, struct error *err)
{
	ssize_t len = list(from, NULL, 0);
	size_t at = 0;

	ret->nr = 0;
	buf_reset(&ret->values);
	if (len < 0 && errno != ENOTSUP)
		return err_sys(err, errno, "list attributes");
	if (len <= 0)
		return 0;
	buf_reset(&ret->names);
	if (ret->names.cap < (size_t)len + 1) {
		ret->names.data = xrealloc(ret->names.data, (size_t)len + 1);
		ret->names.cap = (size_t)len + 1;
	}
	len = list(from, ret->names.data, (size_t)len);
	if (len < 0)
		return err_sys(err, errno, "list attributes");
	ret->names.data[len] = '\0';
	for (const char *p = ret->names.data; p < ret->names.data + len; p += strlen(p) + 1)
		if (strcmp(p, "security.selinux") != 0 && read_value(from, p, ret, err) < 0)
			return -1;
	for (size_t i = 0; i < ret->nr; at += ret->items[i++].len)
		ret->items[i].value = ret->values.data ? ret->values.data + at : "";
	return 0;
}

int xattrs_read(int fd, struct xattrs *ret, struct error *err)
{
	struct from from = { .fd = fd };

	return read_all(&from, ret, err);
}

int xattrs_read_at(int dir_fd, const char *name, struct xattrs *ret, struct error *err)
{
	/* There is no llistxattrat(2) to rely on. */
	auto_free char *path = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
	struct from from = { .path = path };

	return read_all(&from, ret, err);
}
