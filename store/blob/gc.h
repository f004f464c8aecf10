/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc - remove blobs that nothing in the catalogue names any more
 */
#ifndef BLOB_GC_H
#define BLOB_GC_H

#include "db/recover.h"
#include "root.h"

/* The blobs of removed layers, unless something else uses them; under the store's lock. */
int gc_layer_blobs(const struct root *root, struct db *db, const struct orphan_list *orphans,
		   struct error *err);

#endif
