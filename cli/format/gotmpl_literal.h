/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_literal - strings, characters and numbers as Go writes them
 *
 * Private to the templates. Source: Go specification, "Lexical elements"; strconv.
 */
#ifndef FORMAT_GOTMPL_LITERAL_H
#define FORMAT_GOTMPL_LITERAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* text: with its quotes, " or `. Appends to ret. Returns false when it is malformed. */
bool goliteral_string(const char *text, size_t len, struct buf *ret);

/* text: with its quotes. Returns the character, or one of the two. */
#define GOLITERAL_INVALID   (-1L) /* no character, or a bad escape */
#define GOLITERAL_MALFORMED (-2L) /* more than one character */
long goliteral_char(const char *text, size_t len);

struct goliteral_number {
	json_t *value; /* new: integer or real; NULL when only an unsigned one could hold it */
	bool is_int;
	json_int_t as_int;
};

/* Returns NULL, or why it is none, to be followed by the quoted text. */
const char *goliteral_number(const char *text, size_t len, struct goliteral_number *ret);

#endif
