/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label - what a layer's volume says of itself, so that a lost catalogue can be
 * made again from the pool
 *
 * 1024 bytes: a line "veneer-layer 1", one compact JSON object, NUL bytes, and
 * in the last four bytes the CRC-32C (little-endian) of all before.
 */
#ifndef LAYER_LABEL_H
#define LAYER_LABEL_H

#include "base/err.h"
#include "db/rows.h"
#include "volume.h"

/*
 * own_bytes is not part of it; a long created_by is cut. Snapshots inherit the
 * label of their origin: it speaks of a volume only if its thin_id is that one's.
 */
void label_encode(const struct layer_row *row, char ret[VOLUME_LABEL_BYTES]);

/*
 * Returns 1 and fills ret (its created_by is new), 0 when there is no label of
 * ours, -1 with ERR_CORRUPT when there was one and it is damaged.
 */
int label_decode(const char label[VOLUME_LABEL_BYTES], struct layer_row *ret, struct error *err);

#endif
