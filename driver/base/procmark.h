/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procmark - a process that can be told from a later one with the same number
 *
 * A process id is given again, after a reboot even soon. With the time of its
 * start, in ticks since the boot, and the boot's id it is the same process.
 * Source: proc(5), /proc/PID/stat and /proc/sys/kernel/random/boot_id
 */
#ifndef BASE_PROCMARK_H
#define BASE_PROCMARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PROCMARK_BOOT_BYTES 64

struct procmark {
	pid_t pid; /* 0: none */
	int64_t start_ticks;
	char boot[PROCMARK_BOOT_BYTES];
};

/* ERR_NOT_FOUND when there is no such process. */
int procmark_read(pid_t pid, struct procmark *ret, struct error *err);
/* Is it there? One that has ended and was not waited for still is. */
bool procmark_is_alive(const struct procmark *mark);
/* Waits until it is gone. Returns false when it still is there after the time. */
bool procmark_wait(const struct procmark *mark, int64_t wait_ms);

/* Field 22 of a line of /proc/PID/stat, whatever the program's name is; -1 when there is none. Pure. */
int64_t procmark_start_of(const char *line);

#endif
