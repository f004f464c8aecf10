/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_dump - all that a layer can say about a tree, to compare two of them
 */
#ifndef DIFF_DUMP_H
#define DIFF_DUMP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "layer/diff.h"

/*
 * Is the tree `got` what a layer with these changes makes of its parent, where
 * `want` was to come out? What differs is appended to why, at most ten lines.
 * Not compared: nanoseconds; the mtime of directories that are not in the list,
 * and attributes of directories that only `got` has; sockets; which names share
 * an inode, unless both are in the list.
 */
bool dump_same(int want_fd, int got_fd, const struct change_list *changes, struct buf *why);

/*
 * Has a directory of the list attributes in `got` that it has not in `want`? A layer cannot take
 * them away from a directory that its parent has.
 */
bool dump_keeps_attributes(int want_fd, int got_fd, const struct change_list *changes);

#endif
