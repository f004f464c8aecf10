/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - a command in the guest, with its streams joined to the line
 *
 * Lives in a control group of its own, so that all of it can be killed when its
 * launcher has died; what it leaves running in the background stays otherwise.
 */
#ifndef APPLIANCE_JOB_H
#define APPLIANCE_JOB_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "appliance/channel.h"
#include "base/err.h"

#define JOB_WAITS 4 /* descriptors that job_prepare() asks to wait for */

struct job;

/**
 * job_start - run what start says
 * @channel: where its output goes; borrowed
 *
 * A program that cannot be run is no failure: its status is 126 or 127.
 */
int job_start(const struct channel_start *start, struct channel *channel, struct job **ret,
	      struct error *err);
/* Does not end it; NULL is fine. */
void job_free(struct job *job);

/* What to wait for; then what to do when it came. */
void job_prepare(const struct job *job, struct pollfd waits[JOB_WAITS]);
void job_serve(struct job *job, const struct pollfd waits[JOB_WAITS]);

/* A frame that is for the running command; others are ignored. */
void job_hear(struct job *job, const struct frame *frame);

pid_t job_pid(const struct job *job);
/* wait_status: as from waitpid(2). */
void job_note_end(struct job *job, int wait_status);
/* Ended, and all of its output is on the line: ret is filled but for stays and disks. */
bool job_is_over(const struct job *job, struct channel_exit *ret);

/* All of it, at once; returns when it is gone, or after ten seconds. */
void job_kill(struct job *job);

#endif
