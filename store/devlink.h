/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devlink - the names of devices that somebody uses: links below /dev/veneer
 *
 * Where udevd runs, the links are its own: it is told a device's name by a file, RUN_DIR/DM-NAME:DISKSEQ,
 * and by an event, and with that the device counts as ready for systemd (udev/11-dm-veneer.rules).
 */
#ifndef DEVLINK_H
#define DEVLINK_H

#include "base/err.h"

struct volume;

#define DEVLINK_DIR	 "/dev/veneer"
#define DEVLINK_RUN_DIR	 "/run/veneer/links"
#define DEVLINK_NAME_MAX 100 /* characters; room for a suffix below NAME_MAX */

/* ERR_USAGE unless it can be the name of a link. */
int devlink_check_name(const char *name, struct error *err);

/**
 * devlink_make - name the device of an active volume
 * @name: may have folders
 *
 * A stale link of that name is replaced.
 */
int devlink_make(const char *name, const struct volume *volume, struct error *err);
/* A link that is gone is fine, and so is a device that is. */
int devlink_remove(const char *name, struct error *err);

#endif
