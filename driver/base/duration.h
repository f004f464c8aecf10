/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duration - Go's spelling of a span of time, as Docker takes and stores it
 *
 * Source: Go, time.ParseDuration.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * duration_parse - "1h30m", "1.5s", "-3ms", "0" as nanoseconds
 *
 * Units are ns, us (µs), ms, s, m and h; what is finer than a nanosecond is
 * dropped. Returns 0, or -1 with ERR_USAGE and Go's words; *ret_ns is left
 * alone then.
 */
int duration_parse(const char *text, int64_t *ret_ns, struct error *err);

/* Appends it in the shortest form that says all: "1h30m0s", "1.5s", "3ms", "0s". */
void duration_print(int64_t ns, struct buf *ret);

#endif
