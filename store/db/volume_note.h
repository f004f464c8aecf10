/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume_note - what a volume is, written beside the catalogue: ROOT/disks/NAME.json
 *
 * For nobody but a catalogue that has to be made again. A note of a thin id that the pool does not
 * have means nothing.
 */
#ifndef DB_VOLUME_NOTE_H
#define DB_VOLUME_NOTE_H

#include "base/err.h"
#include "db/rows_volume.h"
#include "root.h"

/* Durable when it returns. */
int note_write(const struct root *root, const struct volume_row *row, struct error *err);
void note_remove(const struct root *root, const char *name);
/* All that can be read, by name; others are left out, with a warning. */
void note_list(const struct root *root, struct volume_rows *ret);

#endif
