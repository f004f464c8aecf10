/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - shell patterns as Go's path.Match() reads them: Docker's filters, sources of COPY
 *
 * '*' is any run of characters without '/', '?' one character but '/', "[a-c]" and
 * "[^a-c]" one character of a class, '\' takes the next one as it is. The whole text
 * must match. Characters are UTF-8; a byte that is none counts as one, and equals
 * itself only.
 */
#ifndef OCI_GLOB_H
#define OCI_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Returns 1, 0, or -1 with ERR_USAGE "syntax error in pattern", whatever the text is. */
int glob_match(const char *pattern, const char *text, struct error *err);

/* Returns 0, or -1 with the error above. */
int glob_check(const char *pattern, struct error *err);

/* Does the pattern match anything but itself? A backslash counts, as it is no part of the name. */
bool glob_has_wildcard(const char *pattern);

/* ---- for matchers with more wildcards than this one ---- */

/* Steps over one character of a text that is not at its end. */
uint32_t glob_next(const char **at);

/**
 * glob_class - is a character one of a class?
 * @at: behind the '['
 *
 * Returns what is behind the ']', or NULL for a syntax error.
 */
const char *glob_class(const char *at, uint32_t c, bool *ret);

#endif
