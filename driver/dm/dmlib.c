/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/dmlib.h"

#include <stdbool.h>

#include "base/library.h"

static int load(struct dmlib *lib, struct error *err)
{
	const struct library_symbol symbols[] = {
		{ "dm_log_with_errno_init", &lib->log_with_errno_init },
		{ "dm_hold_control_dev", &lib->hold_control_dev },
		{ "dm_task_create", &lib->task_create },
		{ "dm_task_destroy", &lib->task_destroy },
		{ "dm_task_run", &lib->task_run },
		{ "dm_task_get_errno", &lib->task_get_errno },
		{ "dm_task_get_info", &lib->task_get_info },
		{ "dm_task_get_names", &lib->task_get_names },
		{ "dm_task_set_name", &lib->task_set_name },
		{ "dm_task_set_uuid", &lib->task_set_uuid },
		{ "dm_task_set_ro", &lib->task_set_ro },
		{ "dm_task_set_sector", &lib->task_set_sector },
		{ "dm_task_set_message", &lib->task_set_message },
		{ "dm_task_set_cookie", &lib->task_set_cookie },
		{ "dm_task_add_target", &lib->task_add_target },
		{ "dm_task_skip_lockfs", &lib->task_skip_lockfs },
		{ "dm_task_no_flush", &lib->task_no_flush },
		{ "dm_task_deferred_remove", &lib->task_deferred_remove },
		{ "dm_get_next_target", &lib->get_next_target },
		{ "dm_udev_set_sync_support", &lib->udev_set_sync_support },
		{ "dm_udev_complete", &lib->udev_complete },
		{ "dm_udev_wait_immediate", &lib->udev_wait_immediate },
		{ NULL, NULL },
	};

	return library_load("libdevmapper.so.1.02.1", symbols, err);
}

const struct dmlib *dmlib_get(struct error *err)
{
	static struct dmlib lib;
	static bool loaded;

	if (!loaded && load(&lib, err) < 0)
		return NULL;
	loaded = true;
	return &lib;
}
