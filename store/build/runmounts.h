/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runmounts - what the --mount flags of one RUN need, found and made ready
 */
#ifndef BUILD_RUNMOUNTS_H
#define BUILD_RUNMOUNTS_H

#include "build/builder.h"
#include "build/runmount.h"
#include "run/bundle.h"

struct run_mount {
	struct runmount spec;
	char *text; /* as expanded: for the key */
	struct buf target;
	struct build_source source; /* of a bind or a cache with from= */
	struct digest content;	    /* what a key counts of it; unset: nothing */
	struct digest seen;	    /* as context_source has it */
};

/* Starts as { 0 }. */
struct run_mounts {
	struct run_mount *items;
	size_t nr;
	struct strlist temporary; /* files and folders that go with this */
	int *locks;		  /* of caches */
	size_t nr_locks;
	bool changed; /* what is bound of a context, since its hash was taken */
};

void run_mounts_done(struct run_mounts *mounts);
#define auto_run_mounts __attribute__((cleanup(run_mounts_done)))

/* Reads the flags and finds what they name; the contents' hashes too. Mounts nothing. */
int run_mounts_find(struct stage *stage, const struct instruction *instruction,
		    struct run_mounts *ret, struct error *err);

/**
 * run_mounts_prepare - everything is in its place
 * @ret: host paths and tmpfs for the step
 * @env: secrets that are variables are added
 *
 * Waits for a cache that another build has locked. ERR_NOT_FOUND "secret x: not found".
 */
int run_mounts_prepare(struct stage *stage, struct run_mounts *mounts, struct bundle_mounts *ret,
		       struct strlist *env, struct error *err);

#endif
