/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wild - a pattern with "**", compiled: .dockerignore, --exclude, sources of --parents
 *
 * "**" followed by '/' or more is any number of folders, none too; at the end it is
 * everything. The rest is as in oci/glob.h. Time is bounded by the product of both
 * lengths, whatever the pattern is.
 * Source: spec/dockerfile.md, section 4 ("Matching").
 */
#ifndef BUILD_WILD_H
#define BUILD_WILD_H

#include <stdbool.h>

#include "base/err.h"

struct wild;

/**
 * wild_new - compile a cleaned pattern
 *
 * Returns 0, or -1: ERR_USAGE "syntax error in pattern", ERR_LIMIT for one that is
 * longer than any path.
 */
int wild_new(const char *pattern, struct wild **ret, struct error *err);
void wild_free(struct wild *wild);

/* Does it match the whole path? */
bool wild_match(const struct wild *wild, const char *path);
/* May it match something below this folder? "" is the root. */
bool wild_may_match_below(const struct wild *wild, const char *folder);

static inline void auto_wild_(struct wild **wild)
{
	wild_free(*wild);
}
#define auto_wild __attribute__((cleanup(auto_wild_)))

#endif
