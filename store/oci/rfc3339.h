/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rfc3339 - times in JSON documents
 */
#ifndef OCI_RFC3339_H
#define OCI_RFC3339_H

#include <stdint.h>

#include "base/err.h"

#define RFC3339_SIZE 40 /* of a text with nanoseconds and its NUL, with room */

/**
 * rfc3339_parse - "2024-02-29T12:00:00.123456789+01:00"
 * @ret_ns: Unix time in nanoseconds; what int64_t cannot hold (before 1678,
 *          after 2261) becomes INT64_MIN or INT64_MAX
 *
 * Digits beyond the ninth of a fraction are dropped. Returns 0, or -1 with
 * ERR_CORRUPT.
 */
int rfc3339_parse(const char *text, int64_t *ret_ns, struct error *err);

/* In UTC with "Z"; trailing zeros of the fraction are left out. Returns text. */
const char *rfc3339_format(int64_t ns, char text[RFC3339_SIZE]);

#endif
