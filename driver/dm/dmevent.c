/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/dmevent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

#define CONTROL "/dev/mapper/control"

int dmevent_arm(int fd, struct error *err)
{
	struct dm_ioctl request = {
		.version = { DM_VERSION_MAJOR, 37, 0 }, /* the first that has it */
		.data_size = sizeof(request),
	};

	if (ioctl(fd, DM_DEV_ARM_POLL, &request) < 0)
		return err_sys(err, errno, "wait for events: " CONTROL ": DM_DEV_ARM_POLL");
	return 0;
}

int dmevent_open(struct error *err)
{
	auto_fd int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(err, ERR_UNSUPPORTED, "this kernel has no device-mapper");
	if (fd < 0)
		return err_sys(err, errno, "open " CONTROL);
	return dmevent_arm(fd, err) < 0 ? -1 : take_fd(fd);
}
