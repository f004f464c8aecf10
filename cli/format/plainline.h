/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plainline - a line that a foreign program printed, made harmless for a terminal
 *
 * Colours and the like are dropped; of a line that was printed over itself, as
 * progress bars are, the last text stays; what else could steer is shown as '?'.
 * Source: ECMA-48 for the form of control sequences.
 */
#ifndef FORMAT_PLAINLINE_H
#define FORMAT_PLAINLINE_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the line; tabs stay. */
void plainline_put(struct buf *ret, const char *text, size_t len);

#endif
