/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - characters of a text that may hold anything
 *
 * A byte that is not part of a valid sequence counts as one U+FFFD, as in Go.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UTF8_BAD 0xfffdu

/* Steps over one character; at must be before end. *ret_valid may be NULL. */
uint32_t utf8_next(const char **at, const char *end, bool *ret_valid);
/* Anything that is no character is written as U+FFFD. */
void utf8_put(struct buf *buf, uint32_t rune);
bool utf8_is_valid(const char *text, size_t len);
size_t utf8_count(const char *text, size_t len);

#endif
