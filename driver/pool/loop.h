/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - a file as a block device, with direct I/O where its file system can
 *
 * A loop device stays attached until loop_detach(), also after this process
 * has ended: the pool on it does.
 */
#ifndef POOL_LOOP_H
#define POOL_LOOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define LOOP_PATH_BYTES 32

/**
 * loop_attach - the loop device of this file: the one it has, else a new one
 * @ret_path: "/dev/loop3"
 *
 * Two loop devices on one file would each have a cache of their own. ERR_NOT_FOUND
 * without the file, ERR_UNSUPPORTED without loop devices in the kernel.
 */
int loop_attach(const char *file, char ret_path[LOOP_PATH_BYTES], struct error *err);

/**
 * loop_attach_for_now - a read-only loop device that goes with its last opener
 *
 * Returns its descriptor: what is made on it has to hold it open before that is closed. Or -1, errors
 * as above.
 */
int loop_attach_for_now(const char *file, struct error *err);

/* Idempotent: a file that has no loop device is fine. ERR_IN_USE while the device is open. */
int loop_detach(const char *file, struct error *err);

/* Is there a loop device on this block device? The kernel counts that as no use of it. */
bool loop_is_on(dev_t device, char ret_path[LOOP_PATH_BYTES]);

/* The file has grown. */
int loop_resize(const char *loop_path, struct error *err);

#endif
