/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildtty - the progress of a build on a terminal: one view, redrawn in place
 *
 *	[+] Building 3.2s (5/8)
 *	 => [internal] load build definition from Dockerfile            0.0s
 *	 => => transferring dockerfile: 103B done
 *	 => CACHED [1/2] FROM docker.io/library/alpine:latest           0.0s
 *	 => [2/2] RUN make                                              1.2s
 *	 => => # the last lines of its output
 *
 * At most ten redraws a second, except when a vertex begins or ends: there is
 * no timer, and what is not drawn then may stay undrawn for long. The clocks in
 * the view run while a command does (build_events.tick).
 * Source: BuildKit's util/progress/progressui.
 */
#ifndef BUILDTTY_H
#define BUILDTTY_H

#include <stdbool.h>
#include <stdio.h>

#include "buildtrace.h"

#define BUILDTTY_OUTPUT_LINES 6 /* of a running vertex, as in BuildKit */

struct buildtty {
	struct buildtrace trace;
	FILE *out;
	unsigned columns, rows;
	bool colours;
	bool measures;	     /* out is a terminal, whose size may change */
	int64_t interval_ns; /* between two frames */
	int64_t drawn_ns;    /* time of the last one */
	size_t nr_drawn;     /* its lines; the cursor stands below */
};

/* Whether a view can be drawn there: a terminal that knows to move its cursor. */
bool buildtty_can(FILE *out);

/* Looks how large the terminal is. NO_COLOR: without colours. */
void buildtty_open(struct buildtty *tty, FILE *out);
/* Draws on out whatever it is; for tests. */
void buildtty_init(struct buildtty *tty, FILE *out, unsigned columns, unsigned rows,
		   int64_t interval_ns);
void buildtty_done(struct buildtty *tty);
#define auto_buildtty __attribute__((cleanup(buildtty_done)))

void buildtty_events(struct buildtty *tty, struct build_events *ret);

/* Draws all vertices as they are at the end; what is printed next stands below. */
void buildtty_finish(struct buildtty *tty);

#endif
