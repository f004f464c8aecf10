/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotext - texts and lists as Go's fmt prints them, which an image's history holds
 *
 * Bytes that are no character come out as Go has them, so the result is UTF-8.
 * Source: Go, fmt, verbs %v and %q.
 */
#ifndef OCI_GOTEXT_H
#define OCI_GOTEXT_H

#include <jansson.h>

#include "base/buf.h"

/* %q: "a\n" in double quotes */
void gotext_quote(const char *text, struct buf *ret);
/* %v and %q of an array of strings: [a b], ["a" "b"] */
void gotext_list(const json_t *array, struct buf *ret);
void gotext_quoted_list(const json_t *array, struct buf *ret);

#endif
