/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow - every link of a path resolved within a root, down to a path without any
 *
 * Absolute links begin at the root, ".." stops there. Nobody else changes the tree; should
 * somebody do so all the same, a path leads to something else in the root, never out of it.
 */
#ifndef BUILD_FOLLOW_H
#define BUILD_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum follow_kind {
	FOLLOW_MISSING,
	FOLLOW_FOLDER,
	FOLLOW_OTHER,
};

struct follow {
	/* Set by the caller. */
	int root_fd;
	bool beyond; /* where something is missing go on by the text alone; else end there */
	int (*on_link)(void *ctx, const char *path, struct error *err); /* may refuse; or NULL */
	void *ctx;
	/* What was found. */
	enum follow_kind kind;
	size_t there; /* bytes of the result that are there, and a folder unless it is all */
	/* Private. */
	struct buf done; /* "/a/b", without links */
	char *rest;
	unsigned links;
};

/**
 * follow_path - resolve
 *
 * Returns 0, or -1: an error with sys_errno ENOTDIR when something on the way is neither
 * folder nor link, ELOOP, ENAMETOOLONG; what on_link says; ERR_IO.
 */
int follow_path(struct follow *follow, const char *path, struct error *err);
/* The path: relative and clean, "" is the root. Up to where it ended after a failure. */
const char *follow_result(const struct follow *follow);
void follow_done(struct follow *follow);
#define auto_follow __attribute__((cleanup(follow_done)))

#endif
