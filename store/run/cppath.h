/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cppath - what the words of `cp` mean: Docker's rules for paths, which are no shell's
 *
 * A slash or "/." at the end says something, so paths keep it. Pure.
 * Source: docker/cli cli/command/container/cp.go; moby/go-archive copy.go
 */
#ifndef RUN_CPPATH_H
#define RUN_CPPATH_H

#include <stdbool.h>

#include "base/err.h"

/*
 * "CONTAINER:PATH". Returns false for a local path: an absolute one, one without
 * a colon, or one that begins with a dot. *ret_container is new; the path points into word.
 */
bool cppath_split(const char *word, char **ret_container, const char **ret_path);

/* All return new. */
char *cppath_clean(const char *path); /* Go's filepath.Clean: "." for nothing */
char *cppath_base(const char *path);  /* Go's filepath.Base: "a" of "/a/", "." of "a/." */
/* Clean and absolute below folder, with the end that path has: "/", "/." or none. */
char *cppath_absolute(const char *folder, const char *path);
/* Clean, in two parts: "/a" and "b", also of "/a/b/"; "/a/b" and "." of "/a/b/.". */
void cppath_divide(const char *path, char **ret_folder, char **ret_name);
/* The target of a link that is at path. */
char *cppath_follow(const char *path, const char *target);

bool cppath_ends_with_slash(const char *path);
bool cppath_is_current(const char *path); /* "." at its end */
/* It can only be a folder. */
static inline bool cppath_says_folder(const char *path)
{
	return cppath_ends_with_slash(path) || cppath_is_current(path);
}

/* The two ends of a copy. */
struct cppath_end {
	const char *path; /* absolute */
	bool exists;	  /* of the source, always */
	bool is_folder;
};

/**
 * cppath_plan - where the source goes
 * @ret_folder: new; a folder that has to be there
 * @ret_name:   new; what the source is called in it, "" when only what is in it goes there
 *
 * ERR_USAGE: "cannot copy directory", "no such directory".
 */
int cppath_plan(const struct cppath_end *source, const struct cppath_end *destination,
		char **ret_folder, char **ret_name, struct error *err);

#endif
