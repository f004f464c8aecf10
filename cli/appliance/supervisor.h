/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor - the process that owns a running kernel, and the way to reach it
 *
 * A child of the first launcher, in a session of its own, and the parent of the
 * kernel. Launchers are connected to it by a socket of packets:
 *
 *	supervisor to launcher	once, a struct supervisor_greeting with the
 *				descriptor of the serial line
 *	launcher to supervisor	SUPERVISOR_KEEP: the kernel may stay without me;
 *				SUPERVISOR_KILL: end it at once
 *
 * The connection closes when the kernel has ended and nothing of it is left. A
 * connection that the launcher closes without the word, because it died, ends
 * the kernel that this launcher started; in a kernel that was there before it
 * ends the command, by the key on the line.
 *
 * Killing the kernel's main process alone is dangerous: the processes by which
 * it runs the guest's programs would be let go, and go on as programs of the
 * host. So the supervisor is the first process of a PID namespace where one
 * can be had: then everything dies with it, however it ends. Elsewhere it kills
 * the kernel's process group; when it is killed itself, the guest sees its line
 * closed and switches off. All of them hold the lock of appliance/running, so
 * nobody starts a second kernel on the same disk before the last is gone.
 */
#ifndef APPLIANCE_SUPERVISOR_H
#define APPLIANCE_SUPERVISOR_H

#include "appliance/frame.h"
#include "appliance/place.h"
#include "base/buf.h"
#include "base/err.h"

#define SUPERVISOR_KEEP 'K'
#define SUPERVISOR_KILL 'X'

struct supervisor_start {
	const struct place *place; /* claimed */
	int line_fd;		   /* our end of the serial line */
	int guest_line_fd;	   /* the kernel's end */
	int console_fd;
	const int *disk_fds;
	size_t nr_disks;
	char *const *argv;	/* of the kernel; names the descriptors above by number */
	const char *memory_dir; /* folder for the kernel's memory */
	const struct frame_key *key;
	const struct strlist *disks; /* paths of the further disks */
};

/* Returns a connected socket, or -1. */
int supervisor_run(const struct supervisor_start *start, struct error *err);

/* Returns a connected socket, or -1 with ERR_NOT_FOUND when nobody listens. */
int supervisor_connect(const struct place *place, struct error *err);

struct supervisor_greeting {
	int line_fd; /* new */
	struct frame_key key;
	struct strlist disks;
};

/* ERR_IO when the supervisor ends or does not answer. */
int supervisor_greet(int conn_fd, struct supervisor_greeting *ret, struct error *err);
void supervisor_greeting_done(struct supervisor_greeting *greeting);

/* word: SUPERVISOR_KEEP or SUPERVISOR_KILL */
int supervisor_tell(int conn_fd, char word, struct error *err);

/* Waits until nothing of the kernel is left. ERR_IO when the time is over. */
int supervisor_wait(int conn_fd, int deadline_ms, struct error *err);

#endif
