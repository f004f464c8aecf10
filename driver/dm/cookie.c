/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/cookie.h"

#include <time.h>

#include "base/log.h"
#include "dm/dmlib.h"

#define WAIT_MS 5000
#define POLL_MS 2

/*
 * Nothing probes our devices. Links in /dev/mapper are udev's alone: nodes made
 * by the library would hide its links, and we open /dev/dm-N.
 */
#define FLAGS                                                                     \
	(DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
	 DM_UDEV_DISABLE_OTHER_RULES_FLAG | DM_UDEV_DISABLE_LIBRARY_FALLBACK)

void cookie_attach(struct cookie *cookie, const struct dmlib *dm, struct dm_task *task, bool waits)
{
	/* Without sync support the flags still travel with the event. */
	dm->udev_set_sync_support(waits);
	cookie->dm = dm;
	cookie->value = 0;
	cookie->waits = dm->task_set_cookie(task, &cookie->value, FLAGS) && cookie->value;
	if (cookie->waits || !waits)
		return;
	/* No udev, or no semaphore left. */
	dm->udev_set_sync_support(0);
	dm->task_set_cookie(task, &cookie->value, FLAGS);
}

void cookie_wait(struct cookie *cookie)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	const struct dmlib *dm = cookie->dm;
	int ready = 0;

	if (!cookie->waits)
		return;
	cookie->waits = false;
	for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += POLL_MS) {
		if (!dm->udev_wait_immediate(cookie->value, &ready) || ready)
			return;
		nanosleep(&pause, NULL);
	}
	log_warn("udev did not answer for cookie %#x within %d s", cookie->value, WAIT_MS / 1000);
	/* In udev's place; the second call finds it ready and removes the semaphore. */
	dm->udev_complete(cookie->value);
	dm->udev_wait_immediate(cookie->value, &ready);
}
