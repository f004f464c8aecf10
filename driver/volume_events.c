/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/log.h"
#include "dm/dmevent.h"
#include "fs/mount.h"
#include "pool/devices.h"
#include "volume_private.h"

int volume_events_open(struct error *err)
{
	return dmevent_open(err);
}

int volume_events_arm(int fd, struct error *err)
{
	return dmevent_arm(fd, err);
}

int volume_pool_trim(const char *root, struct error *err)
{
	auto_strlist struct strlist names = { 0 };
	auto_pool struct pool *pool = NULL;
	int nr = 0;

	if (pool_open(root, &pool, err) < 0 ||
	    devices_list_volumes(pool_config(pool), &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.nr; i++) {
		struct devmap_info info;
		struct error why;
		int trimmed;

		if (devmap_info(names.items[i], &info, err) < 0)
			return -1;
		if (!info.open_count || info.read_only || info.suspended)
			continue;
		trimmed = mount_trim_device(info.device, &why);
		if (trimmed < 0)
			log_warn("%s: %s", names.items[i], why.text);
		nr += trimmed > 0;
	}
	return nr;
}
