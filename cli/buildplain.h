/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildplain - the progress of a build as lines that stay: `build --progress plain`
 *
 *	#6 [build 2/2] RUN make
 *	#6 0.213 output line
 *	#6 DONE 0.4s
 *
 * Source: spec/dockerfile.md, section 7; BuildKit's util/progress/progressui.
 */
#ifndef BUILDPLAIN_H
#define BUILDPLAIN_H

#include <stdio.h>

#include "buildtrace.h"

struct buildplain {
	struct buildtrace trace;
	FILE *out;
	unsigned current; /* the vertex whose lines come now; 0: none */
	bool begun;	  /* something was printed */
};

void buildplain_init(struct buildplain *plain, FILE *out);
void buildplain_done(struct buildplain *plain);
#define auto_buildplain __attribute__((cleanup(buildplain_done)))

void buildplain_events(struct buildplain *plain, struct build_events *ret);

#endif
