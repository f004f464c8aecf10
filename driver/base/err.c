/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum err_kind kind_of_errno(int sys_errno)
{
	switch (sys_errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENODATA:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EBUSY:
		return ERR_IN_USE;
	case EPERM:
	case EACCES:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ENOSYS:
	case ENOTTY:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

int err_set(struct error *err, enum err_kind kind, const char *fmt, ...)
{
	char text[sizeof(err->text)]; /* the arguments may point into err */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->kind = kind;
	err->sys_errno = 0;
	memcpy(err->text, text, sizeof(text));
	return -1;
}

static void append(struct error *err, const char *cause)
{
	size_t len = strlen(err->text);

	snprintf(err->text + len, sizeof(err->text) - len, ": %s", cause);
}

int err_sys(struct error *err, int sys_errno, const char *fmt, ...)
{
	va_list ap;

	err->kind = kind_of_errno(sys_errno);
	err->sys_errno = sys_errno;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err, strerror(sys_errno));
	return -1;
}

int err_add(struct error *err, const char *fmt, ...)
{
	char cause[sizeof(err->text)];
	va_list ap;

	memcpy(cause, err->text, sizeof(cause));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err, cause);
	return -1;
}
