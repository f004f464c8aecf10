/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc - removes blobs that nothing needs
 *
 * The table `doubt` names every blob whose file and row may disagree after a
 * kill: it is written before a document gets its name, and by the catalogue
 * itself whenever a row that named a blob goes. A layer's blob needs no entry
 * before it is published, because the layer's row, an intent, is there first.
 * The digests of a layer (verity/list) go the same way: the catalogue names its chain id.
 */
#ifndef BLOB_GC_H
#define BLOB_GC_H

#include "blob/blob.h"
#include "db/db.h"

/* Durable at return: if no row comes to need this blob, it is removed. Not inside a transaction. */
int gc_announce(struct db *db, const struct digest *blob, struct error *err);

/* Under the store's lock. Removes the doubtful blobs that no layer and no image needs. */
int gc_blobs(const struct root *root, struct db *db, struct error *err);

#endif
