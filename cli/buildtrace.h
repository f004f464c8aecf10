/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildtrace - what a build has told of its work so far
 *
 * Both ways of drawing (buildplain, buildtty) begin with one, as their first
 * member; alone it is the silent way. All texts in it are harmless for a
 * terminal and one line each.
 *
 *	auto_buildtrace struct buildtrace trace = { 0 };
 *
 *	buildtrace_init(&trace);
 *	buildtrace_events(&trace, &events);
 *	build_image(store, &options, &events, &report, err);
 */
#ifndef BUILDTRACE_H
#define BUILDTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "build/build.h"

#define BUILDTRACE_LINES 10 /* of a vertex's output that are kept, as in BuildKit */

struct buildtrace_line {
	int64_t after_ns; /* the vertex began */
	char *text;
};

struct buildtrace_vertex {
	unsigned number;
	char *name;
	int64_t begun_ns, ended_ns; /* monotonic */
	bool ended;
	enum build_end how;
	char *error;	      /* or NULL */
	struct strlist notes; /* the newest on each subject: "transferring context: 2kB done" */
	const char *noted;    /* the one that came last, or NULL */
	struct buildtrace_line lines[BUILDTRACE_LINES]; /* a ring: see buildtrace_line() */
	size_t nr_lines;				/* all there were */
};

struct buildtrace {
	struct buildtrace_vertex **items; /* as they began */
	size_t nr, cap;
	size_t nr_ended;
	int64_t begun_ns;
	int64_t (*now_ns)(void); /* the clock; tests have one of their own */
};

void buildtrace_init(struct buildtrace *trace);
void buildtrace_done(struct buildtrace *trace);
#define auto_buildtrace __attribute__((cleanup(buildtrace_done)))

/*
 * Take over one event each; they return its vertex, which lives as long as the
 * trace, or NULL for one that never began or has ended already.
 */
struct buildtrace_vertex *buildtrace_begin(struct buildtrace *trace, unsigned number,
					   const char *name);
struct buildtrace_vertex *buildtrace_note(struct buildtrace *trace, unsigned number,
					  const char *text);
struct buildtrace_vertex *buildtrace_output(struct buildtrace *trace, unsigned number,
					    const char *text, size_t len);
struct buildtrace_vertex *buildtrace_end(struct buildtrace *trace, unsigned number,
					 enum build_end how, const char *error);

/* The events of a build that nobody watches. */
void buildtrace_events(struct buildtrace *trace, struct build_events *ret);

/* How many of the vertex's last lines there are; 0 is the oldest of them. */
size_t buildtrace_nr_kept(const struct buildtrace_vertex *vertex);
const struct buildtrace_line *buildtrace_line(const struct buildtrace_vertex *vertex, size_t index);

/* "0.213": the time of a line, in the fewer digits the longer it is. */
void buildtrace_put_time(struct buf *ret, int64_t after_ns);

/* The block that shows the last lines of each vertex that failed; nothing when none had output. */
void buildtrace_put_failure(const struct buildtrace *trace, struct buf *ret);

#endif
