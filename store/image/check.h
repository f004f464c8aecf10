/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - do catalogue, pool and labels tell the same story?
 */
#ifndef IMAGE_CHECK_H
#define IMAGE_CHECK_H

#include <stdbool.h>

#include "base/err.h"

struct store;

struct check_report {
	/* One finding in words; mended says whether --repair dealt with it. */
	void (*finding)(struct check_report *self, const char *text, bool mended);
};

/**
 * store_check - compare catalogue, pool and labels
 * @repair: mend what can be mended
 *
 * Returns the number of findings that are not mended (0: all agree), or -1.
 */
int store_check(struct store *store, bool repair, struct check_report *report, struct error *err);

/*
 * The pool's metadata alone, with the programs of thin-provisioning-tools; the pool is stopped for
 * that, so ERR_IN_USE while a volume is. Each step is a finding. Returns 0 when it is sound, 1 when
 * not, or -1.
 */
int store_check_pool(struct store *store, struct check_report *report, struct error *err);
/* Mends it, then the rest as store_check() does. What it was like is kept: ROOT/pool.damaged. */
int store_repair_pool(struct store *store, struct check_report *report, struct error *err);

/*
 * Makes a new catalogue from the labels in the pool and the config documents
 * among the blobs; the old file is kept beside it. Images come back without
 * names. store was opened with no_catalogue. Returns the number of layers found,
 * or -1.
 */
int store_rebuild(struct store *store, struct check_report *report, struct error *err);

#endif
