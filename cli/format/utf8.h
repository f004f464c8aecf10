/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - the room that the characters of a text take on a screen
 */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"

/* Cells of one character: 2 for wide East Asian ones and emoji, 0 for combining marks, else 1. */
int utf8_rune_cells(uint32_t rune);
size_t utf8_cells(const char *text, size_t len);

/*
 * Appends what fits into so many cells, with '?' for control characters: a line
 * that wraps cannot be redrawn. Returns the cells it took.
 */
size_t utf8_put_cells(struct buf *buf, const char *text, size_t len, size_t cells);

#endif
