/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup - what a local holds is released at the end of its scope, unless taken
 *
 *	auto_free char *name = xstrdup(arg);
 *	auto_fd int fd = open(...);
 *	...
 *	*ret = take_ptr(name);		the caller owns it now
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_(void *p)
{
	free(*(void **)p);
}

static inline void auto_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_dir_(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void auto_file_(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define auto_free __attribute__((cleanup(auto_free_)))
#define auto_fd	  __attribute__((cleanup(auto_fd_)))
#define auto_dir  __attribute__((cleanup(auto_dir_)))
#define auto_file __attribute__((cleanup(auto_file_)))

#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
#define take_fd(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#endif
