/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runmount - one RUN --mount=k=v,...
 *
 * Pure text: no stage is looked for, nothing is mounted.
 * Source: spec/dockerfile.md, section 3 ("RUN --mount").
 */
#ifndef BUILD_RUNMOUNT_H
#define BUILD_RUNMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "oci/expand.h"

enum runmount_type {
	RUNMOUNT_BIND,
	RUNMOUNT_CACHE,
	RUNMOUNT_TMPFS,
	RUNMOUNT_SECRET,
	RUNMOUNT_SSH,
};

enum runmount_sharing { RUNMOUNT_SHARED, RUNMOUNT_PRIVATE, RUNMOUNT_LOCKED };

struct runmount {
	enum runmount_type type;
	char *target; /* as written, "" when absent; see runmount_target() */
	char *source; /* "" is the root of the context or stage */
	char *from;   /* "" is the context, for a cache an empty folder */
	char *id;     /* never "" for a cache or a secret */
	char *env;    /* of a secret: the variable that holds it; or NULL */
	enum runmount_sharing sharing;
	bool read_only; /* for a bind that is not: what is written is thrown away */
	bool required;	/* a secret must be there */
	uint32_t mode;	/* 0755 for a cache, 0400 for a secret, unless given */
	uint32_t uid, gid;
	uint64_t size_bytes; /* of a tmpfs; 0: no bound */
};

void runmount_done(struct runmount *mount);
#define auto_runmount __attribute__((cleanup(runmount_done)))

/**
 * runmount_parse - read the value of one --mount
 * @scope: values are expanded in it; NULL: they stay as they are
 * @ret:   overwritten; runmount_done() releases it. Empty on failure.
 *
 * Returns 0, or -1: ERR_USAGE in Docker's words, ERR_LIMIT.
 */
int runmount_parse(const char *text, struct expand_scope *scope, struct runmount *ret,
		   struct error *err);

/**
 * runmount_check - what can be said of a value before variables are known
 *
 * All, when there are none; otherwise that from= has none.
 */
int runmount_check(const char *text, struct error *err);

/**
 * runmount_target - where it is mounted: absolute and clean
 * @workdir: what a relative target joins; NULL: the root
 * @ret:     reset and filled; "" for a secret that is only a variable
 */
int runmount_target(const struct runmount *mount, const char *workdir, struct buf *ret,
		    struct error *err);

#endif
