/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim - what stands between us, or conmon, and crun while it makes a container
 *
 * In a mount namespace of its own it mounts the container's volume at
 * FOLDER/rootfs, then becomes crun. So the mount is seen by the container alone
 * and ends with its last process, however that, or any command of ours, ends.
 */
#ifndef RUN_SHIM_H
#define RUN_SHIM_H

#include "base/buf.h"
#include "base/err.h"

#define SHIM_COMMAND "container-shim" /* our hidden command that calls shim_run() */
#define SHIM_ROOTFS  "rootfs"

/* The words of the command, up to those for crun. */
void shim_words(const char *folder, const char *fs, const char *device, struct strlist *ret);

/**
 * shim_run - FOLDER FS DEVICE, then crun's own arguments
 *
 * Holds FOLDER/gate until crun ends, and needs FOLDER/token: see
 * db/recover_container.h. Returns only on failure, with -1.
 */
int shim_run(const char *const *words, size_t nr_words, struct error *err);

#endif
