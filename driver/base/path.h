/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - names from outside, resolved beneath a root that they cannot leave
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * path_clean - the plain relative form of a name found in an archive
 * @ret: reset and filled: no leading or doubled '/', no "." component, no
 *       trailing '/'; "" is the root itself
 *
 * ".." is resolved against the components before it. Returns 0, or -1 with
 * ERR_CORRUPT when it would leave the root. Links are not looked at.
 */
int path_clean(const char *name, struct buf *ret, struct error *err);

/*
 * Adds the components of a path to a clean absolute one, where "" is the root; ".."
 * stops there. The data ends in a NUL only once something was added.
 */
void path_add(const char *path, struct buf *ret);

/**
 * path_open_in_root - openat2(2) with RESOLVE_IN_ROOT
 *
 * Symbolic links, absolute ones and ".." too, stay beneath root_fd. "" opens
 * the root itself. O_CLOEXEC is added. Returns a new descriptor or -1 with the
 * error of the call; the text names the path.
 */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode, struct error *err);

/* The text behind the last '/'; points into path. */
const char *path_base(const char *path);

/* Does it end in the suffix, with something in front of it? */
bool path_has_suffix(const char *path, const char *suffix);

#endif
