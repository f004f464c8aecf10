/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - characters of a text that may hold anything, and the room they take on a screen
 *
 * A byte that is not part of a valid sequence counts as one U+FFFD, as in Go.
 */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UTF8_BAD 0xfffdu

/* Steps over one character; at must be before end. *ret_valid may be NULL. */
uint32_t utf8_next(const char **at, const char *end, bool *ret_valid);
/* Anything that is no character is written as U+FFFD. */
void utf8_put(struct buf *buf, uint32_t rune);
size_t utf8_count(const char *text, size_t len);

/* Cells of one character: 2 for wide East Asian ones and emoji, 0 for combining marks, else 1. */
int utf8_rune_cells(uint32_t rune);
size_t utf8_cells(const char *text, size_t len);

#endif
