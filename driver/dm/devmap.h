/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devmap - device-mapper devices, one function per verb
 *
 * The only user of libdevmapper, which keeps global state: single-threaded.
 * A device of ours has the same text as name and as uuid; the kernel refuses a
 * second one of either. Errors carry the errno of the ioctl (err->sys_errno),
 * never the library's text, which goes to base/log at debug level.
 *
 * All return 0, or -1: ERR_NOT_FOUND without such a device, ERR_DENIED without
 * the right to use device-mapper, ERR_UNSUPPORTED when the kernel has none,
 * and what the errno says.
 */
#ifndef DM_DEVMAP_H
#define DM_DEVMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "dm/table.h"

#define DEVMAP_NODE_BYTES 32 /* room for "/dev/dm-1048575" */

enum devmap_flags {
	DEVMAP_READ_ONLY = 1 << 0,
	/* Nobody needs the links that udev makes: do not wait for them. */
	DEVMAP_ANONYMOUS = 1 << 1,
};

struct devmap_info {
	bool exists; /* the rest is zero when it does not */
	bool suspended;
	bool read_only;
	bool has_table; /* a table is live */
	unsigned open_count;
	uint32_t event_nr; /* counts events of its targets */
	dev_t device;
};

/* ERR_UNSUPPORTED unless the kernel has this target; loads its module where the kernel can. */
int devmap_require_target(const char *type, struct error *err);

/* A device that does not exist is not an error here. */
int devmap_info(const char *name, struct devmap_info *ret, struct error *err);

/**
 * devmap_create - a new device with this table, resumed
 * @flags:      enum devmap_flags
 * @ret_device: its number; may be NULL
 *
 * Nothing is left after an error. ERR_EXISTS or ERR_IN_USE for a name or uuid that is taken.
 */
int devmap_create(const char *name, const struct table *table, unsigned flags, dev_t *ret_device,
		  struct error *err);

/* Puts a table in the second slot; the next resume swaps it in. */
int devmap_load(const char *name, const struct table *table, unsigned flags, struct error *err);

enum devmap_suspend_flags {
	DEVMAP_NO_LOCKFS = 1 << 0, /* leave a mounted file system as it is */
	DEVMAP_NO_FLUSH = 1 << 1,  /* do not wait for queued I/O */
};

/* Without flags a mounted file system is frozen, and thawed by the resume. */
int devmap_suspend(const char *name, unsigned flags, struct error *err);
int devmap_resume(const char *name, unsigned flags, struct error *err);

/**
 * devmap_remove - make it go away
 * @wait_ms: while it is open try again for so long; programs that look at every
 *           new device hold it for a moment
 *
 * ERR_IN_USE while it is open.
 */
int devmap_remove(const char *name, int wait_ms, struct error *err);
/* Now, or when the last holder closes it. */
int devmap_remove_deferred(const char *name, struct error *err);

/* To sector 0. */
int devmap_message(const char *name, const char *text, struct error *err);

/**
 * devmap_status - the status line of the first target, without start, length and type
 * @type: what the target must be, else ERR_CORRUPT
 * @ret:  new
 *
 * Does not make the target commit or flush anything.
 */
int devmap_status(const char *name, const char *type, char **ret, struct error *err);

/* The live table as "start length type params" lines, appended to ret. */
int devmap_table(const char *name, struct buf *ret, struct error *err);

/* Names of all devices that begin so. */
int devmap_list(const char *prefix, struct strlist *ret, struct error *err);

/* "/dev/dm-7": devtmpfs has it as soon as the device is there. */
void devmap_node(dev_t device, char ret[DEVMAP_NODE_BYTES]);

#endif
