/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_tree - two mounted trees, entry by entry
 */
#ifndef WRITE_TREE_H
#define WRITE_TREE_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Type, mode, owner, links, size, times of change, devices, targets, attributes, content, and which
 * names are one file. What differs is appended to log.
 */
bool write_tree_same(const char *a, const char *b, struct buf *log);

#endif
