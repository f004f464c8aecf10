/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardlinks - which files with several names were copied already, and to where
 */
#ifndef BUILD_HARDLINKS_H
#define BUILD_HARDLINKS_H

#include <sys/stat.h>

#include "base/err.h"

struct hardlinks;

/* The caller owns the result. */
struct hardlinks *hardlinks_new(void);
void hardlinks_free(struct hardlinks *links);
/* Forgets all: what is written next may take the place of what was copied. */
void hardlinks_clear(struct hardlinks *links);

/* Where the file was copied to, or NULL; valid until the next call. */
const char *hardlinks_find(const struct hardlinks *links, const struct stat *file);
/* ERR_LIMIT beyond LIMIT_COPY_LINK_BYTES. */
int hardlinks_add(struct hardlinks *links, const struct stat *file, const char *path,
		  struct error *err);
/* The path is written again: when a file was copied to there, forgets all. */
void hardlinks_overwritten(struct hardlinks *links, const char *path);

static inline void auto_hardlinks_(struct hardlinks **links)
{
	hardlinks_free(*links);
}
#define auto_hardlinks __attribute__((cleanup(auto_hardlinks_)))

#endif
