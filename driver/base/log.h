/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - what a developer wants to read, kept away from what a user wants to read
 *
 * Library code never prints. It may log here; the program decides where that
 * goes (cli: stderr, with --debug). Without a sink nothing is formatted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level {
	LOG_LEVEL_DEBUG, /* what was done: ioctls, recovery, child processes */
	LOG_LEVEL_WARN,	 /* went on, but somebody should look */
};

/* text: one line without its newline. */
typedef void log_sink_fn(enum log_level level, const char *text);

/* NULL drops everything, which is the state at start. */
void log_set_sink(log_sink_fn *sink);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
