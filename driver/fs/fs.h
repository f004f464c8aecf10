/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - the kinds of file system that volumes may carry: one descriptor for each
 *
 * What differs between kinds is here; how to mount any of them is fs/mount.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <stdint.h>

#include "base/err.h"

enum fs_use {
	FS_VIEW,   /* read-only; the device is not written to, whatever its state */
	FS_UNPACK, /* fast and unsafe: after a crash the volume is thrown away */
	FS_WRITE,  /* must survive a crash */
	FS_NR_USES
};

/* Of the ext4 that we make, for `mkfs.ext4 -O`: mke2fs.conf and newer versions would vary it. */
#define FS_EXT4_FEATURES                                                          \
	"none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit," \
	"flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"

struct fs_option {
	const char *key;   /* NULL ends a list */
	const char *value; /* NULL: a flag */
};

struct fs_kind {
	const char *name;   /* as the kernel and libblkid know it */
	uint64_t min_bytes; /* smallest volume worth making */
	struct fs_option options[FS_NR_USES][6];

	/* An empty file system without lost+found on a device of size_bytes. */
	int (*make)(const char *device, uint64_t size_bytes, struct error *err);
	/* Where on the device there are 1024 bytes that the file system leaves alone. */
	uint64_t (*label_offset)(uint64_t size_bytes);
	/* May be NULL. After a mount for writing; what fails here is only worth a log line. */
	void (*mounted)(const char *device);
	/*
	 * May be NULL. Puts the log's content in its place and gives the log's
	 * blocks back, so that they are not part of a snapshot. What fails here
	 * only costs space.
	 */
	void (*empty_log)(int mount_fd);
	/* May be NULL. Takes in the whole device, which has grown; mounted, or clean. */
	int (*grow)(const char *device, struct error *err);
	/*
	 * May be NULL. Gives a copy that is not mounted its own identity, so that it can be told from
	 * what it is a copy of, and what growing while it is mounted takes.
	 */
	int (*set_apart)(const char *device, struct error *err);
};

extern const struct fs_kind fs_ext4;
extern const struct fs_kind fs_xfs;

/* Returns NULL with ERR_USAGE for a kind that we do not know. */
const struct fs_kind *fs_find(const char *name, struct error *err);

#endif
