/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - what is left of a control group: all of its processes, at once
 *
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst, "cgroup.kill" and "cgroup.freeze"
 */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdbool.h>

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

/**
 * cgroup_freeze - none of a group's processes runs any more
 *
 * They do not notice. ERR_IN_USE when it takes longer than the deadline; then they run.
 */
int cgroup_freeze(const char *path, int deadline_ms, struct error *err);
/* They go on. One that does not rest, or is not there, is fine. */
int cgroup_thaw(const char *path, struct error *err);
/* Was it told to rest? */
bool cgroup_is_frozen(const char *path);

#endif
