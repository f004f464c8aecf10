/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmevent - wait for device-mapper events without asking again and again
 *
 * Not of libdevmapper, which does not give its control device away, and which a process that only
 * waits need not load. Source: Linux drivers/md/dm-ioctl.c, dm_poll() and dev_arm_poll().
 */
#ifndef DM_DMEVENT_H
#define DM_DMEVENT_H

#include "base/err.h"

/**
 * dmevent_open - a descriptor that poll(2) finds readable after the next event
 *
 * An event is one of any device: a target's own, and that a device comes, goes or is resumed.
 * Returns a new descriptor, or -1: ERR_UNSUPPORTED, ERR_DENIED.
 */
int dmevent_open(struct error *err);

/* Forgets what has happened so far; what happens from now on makes it readable again. */
int dmevent_arm(int fd, struct error *err);

#endif
