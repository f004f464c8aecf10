/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore - a container's files without what the runtime needs in between
 *
 * The places of run/stubs become again what they are in the image, whatever the
 * container did there. Folders around them that the container did not change
 * get the image's times, the others keep theirs.
 */
#ifndef RUN_RESTORE_H
#define RUN_RESTORE_H

#include "base/err.h"

/**
 * restore_stubs - change a snapshot of a container
 * @root_fd:  the snapshot's root folder; nobody else changes it
 * @init_fd:  that of the container's init volume
 * @image_fd: that of the image
 */
int restore_stubs(int root_fd, int init_fd, int image_fd, struct error *err);

#endif
