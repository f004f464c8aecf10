/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttyprogress - draws progress on a terminal: one line per item, redrawn in place
 *
 *	auto_ttyprogress struct ttyprogress tty = { 0 };
 *
 *	ttyprogress_open(&tty, stdout);
 *	archive_load(..., ttyprogress_sink(&tty), ...);
 *
 * Silent when the stream is no terminal. At most ten redraws a second, except
 * for a new item, a new phase and the end of an item. Not for several threads.
 * Form of a line: Docker's, spec/cli.md, "pull".
 */
#ifndef TTYPROGRESS_H
#define TTYPROGRESS_H

#include <stdio.h>

#include "base/progress.h"

struct ttyprogress_line;

struct ttyprogress {
	struct progress progress;
	FILE *out;	      /* NULL: silent */
	unsigned int columns; /* of the screen */
	unsigned int rows;
	int64_t interval_ms; /* between two redraws */
	int64_t drawn_ms;    /* monotonic time of the last one */
	struct ttyprogress_line *lines;
	size_t nr_lines, cap_lines;
};

/* Looks whether out is a terminal and how large. */
void ttyprogress_open(struct ttyprogress *tty, FILE *out);
/* Draws on out whatever it is; for tests. */
void ttyprogress_init(struct ttyprogress *tty, FILE *out, unsigned int columns, unsigned int rows,
		      int64_t interval_ms);

/* For functions that take a struct progress; NULL when silent. */
struct progress *ttyprogress_sink(struct ttyprogress *tty);

/*
 * Brings every line up to date and leaves them behind: what is printed next
 * stands below them. Call it before other output to the same terminal.
 */
void ttyprogress_settle(struct ttyprogress *tty);
/* Settles and releases. */
void ttyprogress_done(struct ttyprogress *tty);
#define auto_ttyprogress __attribute__((cleanup(ttyprogress_done)))

#endif
