/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static log_sink_fn *log_sink;

void log_set_sink(log_sink_fn *sink)
{
	log_sink = sink;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
{
	char text[2048];

	if (!log_sink)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_sink(level, text);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}
