/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heldroot - a metadata snapshot that a power cut has left half made
 *
 * To reserve one, the kernel puts its place into the superblock and commits
 * afterwards. The first step of each commit writes all changed blocks, the
 * superblock among them; only the last one makes the space map count what the
 * snapshot shares. A power cut in between leaves a superblock that names a
 * snapshot which nothing counts: to release it would give away blocks that the
 * pool itself uses.
 *
 * Source: Linux drivers/md/dm-thin-metadata.c, __reserve_metadata_snap() and
 * __commit_transaction()
 */
#ifndef TMETA_HELDROOT_H
#define TMETA_HELDROOT_H

#include <stdbool.h>

#include "base/err.h"

/**
 * heldroot_undo - make the superblock forget a metadata snapshot that was never committed
 * @path: metadata of a pool that does not run
 *
 * What cannot be read is left as it is: whoever starts the pool finds that out
 * as well. A power cut leaves the superblock as it was, or mended. Returns 0,
 * or -1 with ERR_IO when it could not be written.
 */
int heldroot_undo(const char *path, bool *ret_undone, struct error *err);

#endif
