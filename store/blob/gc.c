/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/gc.h"

#include "blob/blob.h"
#include "db/rows.h"

int gc_layer_blobs(const struct root *root, struct db *db, const struct orphan_list *orphans,
		   struct error *err)
{
	for (size_t i = 0; i < orphans->nr; i++) {
		const struct digest *blob = &orphans->items[i].blob;
		int used = digest_is_set(blob) ? rows_blob_is_used(db, blob, err) : 1;

		if (used < 0 || (!used && blob_remove(root, blob, err) < 0))
			return -1;
	}
	return 0;
}
