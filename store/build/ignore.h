/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ignore - which paths of a build context the patterns of .dockerignore leave out
 *
 * Also COPY --exclude, whose patterns obey the same rules.
 * Source: spec/dockerfile.md, section 4.
 */
#ifndef BUILD_IGNORE_H
#define BUILD_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct ignore;

/**
 * ignore_parse - read a .dockerignore
 *
 * Returns 0, or -1: ERR_USAGE "illegal exclusion pattern: \"!\"" or "syntax error in
 * pattern", with the line in front; ERR_LIMIT.
 */
int ignore_parse(const void *data, size_t len, struct ignore **ret, struct error *err);

/* Patterns that are words of their own; blank ones are skipped. Errors as above, without a line. */
int ignore_new(const struct strlist *patterns, struct ignore **ret, struct error *err);
void ignore_free(struct ignore *ignore);

/**
 * ignore_excludes - is a path left out?
 * @ignore: NULL leaves nothing out
 * @path:   relative, cleaned; "" and "." are the root, which always stays
 *
 * The last pattern that matches the path or a folder above it decides.
 */
bool ignore_excludes(const struct ignore *ignore, const char *path);

/* May something below an excluded folder be there all the same? If not, it need not be walked. */
bool ignore_may_include_below(const struct ignore *ignore, const char *folder);

static inline void auto_ignore_(struct ignore **ignore)
{
	ignore_free(*ignore);
}
#define auto_ignore __attribute__((cleanup(auto_ignore_)))

#endif
