/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system - the guest's system: mounts, modules, disks, and its orderly end
 */
#ifndef APPLIANCE_SYSTEM_H
#define APPLIANCE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appliance/channel.h"
#include "base/buf.h"
#include "base/err.h"

#define SYSTEM_DIR	"/run/veneer"
#define SYSTEM_HOST	SYSTEM_DIR "/host"     /* the host's tree, without our mounts in it */
#define SYSTEM_MODULES	SYSTEM_DIR "/modules"  /* link to the folder of the modules */
#define SYSTEM_MODPROBE SYSTEM_DIR "/modprobe" /* this program, as the kernel calls it */
#define SYSTEM_CGROUP	"/sys/fs/cgroup"

/* What every command needs; failures show later, in what needs it. */
void system_begin(void);

/* Modules, disks and the store, as the first command says. The error is for the user. */
int system_set_up(const struct channel_start *start, struct error *err);

/*
 * Makes what the host has at a path visible where a mount of ours hides it: the
 * folder below /run that it lies in. Failures show when it is used.
 */
void system_show(const char *path);

/* Sets the clock when it is off by more than a second. */
void system_set_time(uint64_t seconds);

/* Whether the store's file system at root has met an error, since when it takes no writes. */
bool system_is_broken(const char *root);

/* Volumes of ours that are mounted or attached: those that are active. */
size_t system_count_attached(void);
/* Of disks, the paths of those that device-mapper uses. */
void system_used_disks(const struct strlist *disks, struct strlist *ret);

/**
 * system_end - write everything back and switch off; never returns
 * @root:  NULL when it was not mounted
 * @force: unmount what is mounted from device-mapper
 */
_Noreturn void system_end(const char *root, bool force);

#endif
