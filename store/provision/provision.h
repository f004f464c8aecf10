/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provision - bring a server to what a plan wants, as far as it is not there yet
 *
 * Each step is whole or not begun, and what is there is left: done again after a kill or a power cut
 * it goes on where it was. A volume is never made anew from another image by itself: that is an
 * update, which keeps the old one as NAME.previous, and can be rolled back.
 */
#ifndef PROVISION_PROVISION_H
#define PROVISION_PROVISION_H

#include "provision/plan.h"

struct store;

struct provision_args {
	bool dry_run;  /* only say what would be done */
	bool update;   /* a volume from another image than now; the old one is kept beside it */
	bool rollback; /* the old one takes its place again, and the other way round */
	bool release;  /* unmount and detach what plans name, as before a shut-down */
	bool no_mount; /* attach what is to be mounted: somebody else mounts it */
	/* Pulls an image. No lock is held. */
	int (*fetch)(void *ctx, const char *name, struct error *err);
	/* What was changed, or has to be known; after it is done. */
	void (*say)(void *ctx, const char *text);
	void *ctx;
};

/**
 * provision_apply - returns 1 when something was changed, or would be, 0 when all was there, or -1
 *
 * Errors of what it does: image_find(), fetch(), archive_load() and those of volumes.h.
 */
int provision_apply(struct store *store, const struct plan *plan, const struct provision_args *args,
		    struct error *err);

#endif
