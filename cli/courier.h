/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier - two streams of bytes between processes of two kernels that see the same folder
 *
 * Pipes do not reach from one kernel to the other, files do: a stream is a row of files NAME-0,
 * NAME-1, ..., written under another name first and removed by the reader; an empty one is its
 * end. A writer is few files ahead. Each stream is moved by a process of its own, so that both ends
 * have descriptors.
 */
#ifndef COURIER_H
#define COURIER_H

#include <sys/types.h>

#include "base/err.h"

/* Starts as { 0 }. */
struct courier {
	int in_fd, out_fd; /* ours; blocking */
	pid_t in_pid, out_pid;
};

/**
 * courier_start - begin to move two streams
 * @folder:  that both sides see; when it vanishes, both streams end
 * @in_name: what the other side has as out_name
 *
 * ERR_IO. The processes end with ours.
 */
int courier_start(const char *folder, const char *in_name, const char *out_name,
		  struct courier *ret, struct error *err);
/* What was written still arrives. */
void courier_stop(struct courier *courier);
#define auto_courier __attribute__((cleanup(courier_stop)))

#endif
