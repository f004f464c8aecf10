/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subst - ${n#p}, ${n%p} and ${n/p/r}: shell patterns cut or replace parts of a value
 *
 * '*' is any run of characters, '?' one character, a backslash takes '*', '?' and
 * itself as they are and vanishes before '/' and '}'. There are no classes.
 * Source: spec/dockerfile.md, section 2.
 */
#ifndef OCI_SUBST_H
#define OCI_SUBST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum subst_end { SUBST_PREFIX, SUBST_SUFFIX };

/*
 * Both append to ret and count what they compare down from *left, so that a hostile
 * pattern ends with ERR_LIMIT. ERR_USAGE: "invalid pattern (p) in substitution: ...".
 */

/* Removes the shortest or longest prefix or suffix that matches, if one does. */
int subst_trim(const char *value, const char *pattern, enum subst_end end, bool longest,
	       size_t *left, struct buf *ret, struct error *err);

/* Replaces the first, or each, longest match. */
int subst_replace(const char *value, const char *pattern, const char *replacement, bool all,
		  size_t *left, struct buf *ret, struct error *err);

#endif
