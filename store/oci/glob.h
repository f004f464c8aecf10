/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - shell patterns as Go's path.Match() reads them, which Docker's filters use
 *
 * '*' is any run of bytes without '/', '?' one byte but '/', "[a-c]" and "[^a-c]"
 * one byte of a class, '\' takes the next byte as it is. The whole text must match.
 */
#ifndef OCI_GLOB_H
#define OCI_GLOB_H

#include "base/err.h"

/* Returns 1, 0, or -1 with ERR_USAGE "syntax error in pattern", whatever the text is. */
int glob_match(const char *pattern, const char *text, struct error *err);

#endif
