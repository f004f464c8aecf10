/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover_volume - volumes that a killed process left between two states
 */
#ifndef DB_RECOVER_VOLUME_H
#define DB_RECOVER_VOLUME_H

#include "db/db.h"
#include "root.h"
#include "volume.h"

/*
 * Under the store's lock: what was being mounted, attached or ended is ended, unless somebody uses it;
 * what a rollback has not taken over yet, or not thrown away, goes.
 */
int recover_volumes(const struct root *root, struct db *db, struct volume_pool *pool,
		    struct error *err);

#endif
