/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - does a device carry anything that somebody may miss?
 *
 * The only user of libblkid.
 */
#ifndef FS_PROBE_H
#define FS_PROBE_H

#include "base/err.h"

/**
 * probe_signature - what is on this device
 * @fd:  open for reading
 * @ret: new: "a file system (ext4)", "a partition table (gpt)"; NULL when there is nothing
 *
 * File systems, RAID and LVM members, swap, encrypted volumes and partition
 * tables are recognised, and the metadata of dm-thin, dm-cache and dm-era. Returns 0, or -1 with ERR_IO.
 */
int probe_signature(int fd, char **ret, struct error *err);

#endif
