/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmlib - libdevmapper, loaded when the kernel is first asked
 *
 * With the four libraries that it brings along it would double the start of each command that
 * asks the catalogue alone.
 */
#ifndef DM_DMLIB_H
#define DM_DMLIB_H

#include <libdevmapper.h>

#include "base/err.h"

struct dmlib {
	__typeof__(dm_log_with_errno_init) *log_with_errno_init;
	__typeof__(dm_hold_control_dev) *hold_control_dev;
	__typeof__(dm_task_create) *task_create;
	__typeof__(dm_task_destroy) *task_destroy;
	__typeof__(dm_task_run) *task_run;
	__typeof__(dm_task_get_errno) *task_get_errno;
	__typeof__(dm_task_get_info) *task_get_info;
	__typeof__(dm_task_get_names) *task_get_names;
	__typeof__(dm_task_set_name) *task_set_name;
	__typeof__(dm_task_set_uuid) *task_set_uuid;
	__typeof__(dm_task_set_ro) *task_set_ro;
	__typeof__(dm_task_set_sector) *task_set_sector;
	__typeof__(dm_task_set_message) *task_set_message;
	__typeof__(dm_task_set_cookie) *task_set_cookie;
	__typeof__(dm_task_add_target) *task_add_target;
	__typeof__(dm_task_skip_lockfs) *task_skip_lockfs;
	__typeof__(dm_task_no_flush) *task_no_flush;
	__typeof__(dm_task_deferred_remove) *task_deferred_remove;
	__typeof__(dm_get_next_target) *get_next_target;
	__typeof__(dm_udev_set_sync_support) *udev_set_sync_support;
	__typeof__(dm_udev_complete) *udev_complete;
	__typeof__(dm_udev_wait_immediate) *udev_wait_immediate;
};

/* The library; NULL with ERR_UNSUPPORTED where it is not installed. Not for two threads at once. */
const struct dmlib *dmlib_get(struct error *err);

#endif
