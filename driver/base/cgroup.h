/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - what is left of a control group: all of its processes, at once
 *
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst, "cgroup.kill"
 */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include "base/err.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/**
 * cgroup_end - kill every process of a group and of those below, and remove it
 * @path: below the root of the hierarchy: "/veneer/ID"
 *
 * A group that is not there is fine. ERR_IN_USE when its processes do not end
 * within the deadline.
 */
int cgroup_end(const char *path, int deadline_ms, struct error *err);

#endif
