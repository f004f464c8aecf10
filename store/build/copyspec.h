/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyspec - what the flags and sources of COPY and ADD say: --chmod, --chown, kinds of source
 *
 * Pure text; names of users are looked up elsewhere.
 * Source: spec/dockerfile.md, section 3 ("COPY", "ADD").
 */
#ifndef BUILD_COPYSPEC_H
#define BUILD_COPYSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* One "u=rwX" of a symbolic mode; an octal one is a single step for all. */
struct chmod_step {
	mode_t who;   /* the bits that it may touch */
	char op;      /* + - = */
	mode_t bits;  /* of one class, as for others; and set-id and sticky bits */
	bool execute; /* X: for folders, and files that have an x */
	char copy;    /* u, g or o: the bits of that class; 0 */
};

#define CHMOD_STEPS_MAX 64

struct chmod_spec {
	struct chmod_step steps[CHMOD_STEPS_MAX];
	size_t nr;
};

/* An octal number up to 07777 or a symbolic mode, expanded. ERR_USAGE in Docker's words. */
int chmod_parse(const char *text, struct chmod_spec *ret, struct error *err);
/* The permission bits of a file that had these. */
mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode, bool is_folder);

/**
 * chown_split - "user", "user:group", ":group"
 * @ret_user, @ret_group: new; NULL when absent
 *
 * ERR_USAGE for more than one ':'.
 */
int chown_split(const char *text, char **ret_user, char **ret_group, struct error *err);

enum copy_source {
	COPY_SOURCE_PATH,
	COPY_SOURCE_URL, /* http and https */
	COPY_SOURCE_GIT,
};

enum copy_source copy_source_kind(const char *source);

/**
 * copy_url_name - the name of a file from a URL, when the destination is a folder
 *
 * Returns new: the last component of the path; NULL when there is none.
 */
char *copy_url_name(const char *url);

/* Does a destination, as written and expanded, mean a folder? "/" or "." at its end. */
bool copy_is_folder(const char *destination);

#endif
