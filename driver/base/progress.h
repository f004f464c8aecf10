/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress - how far long work has come, told to whoever wants to draw it
 *
 * A long-running function takes a `struct progress *`, which may be NULL. It
 * reports bytes, not percentages; total is 0 when nobody knows it. Calls may
 * be frequent and come from the thread that called the function: the receiver
 * limits its own drawing.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

struct progress {
	/*
	 * @item:  what is worked on, e.g. "5f70bf18a086"; valid during the call
	 * @phase: Docker's word for it, e.g. "Loading layer"; a static string
	 */
	void (*update)(struct progress *self, const char *item, const char *phase,
		       uint64_t done_bytes, uint64_t total_bytes);
};

static inline void progress_update(struct progress *progress, const char *item, const char *phase,
				   uint64_t done_bytes, uint64_t total_bytes)
{
	if (progress)
		progress->update(progress, item, phase, done_bytes, total_bytes);
}

#endif
