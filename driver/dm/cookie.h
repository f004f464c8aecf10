/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookie - wait until udev has dealt with a device-mapper event, but not for ever
 *
 * A cookie is a SysV semaphore that udev's rules count down. dm_udev_wait()
 * never returns when a udev worker is killed, so it is polled with a deadline
 * instead and then completed in udev's place. Without udev, or for an
 * anonymous device (see dm/devmap.h), there is no semaphore and no wait.
 */
#ifndef DM_COOKIE_H
#define DM_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

struct dm_task;
struct dmlib; /* dm/dmlib.h */

/* Starts as { 0 }. Ends with cookie_wait(), also when the task failed. */
struct cookie {
	const struct dmlib *dm;
	uint32_t value;
	bool waits;
};

/**
 * cookie_attach - make the task's event carry a cookie
 * @waits: whether anybody needs the device's links; when false udev is told the
 *         same, but is neither waited for nor relied upon
 *
 * Falls back to not waiting when the semaphore cannot be had.
 */
void cookie_attach(struct cookie *cookie, const struct dmlib *dm, struct dm_task *task, bool waits);
/* At most five seconds. */
void cookie_wait(struct cookie *cookie);

#endif
