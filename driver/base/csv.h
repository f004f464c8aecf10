/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv - one record of comma-separated values, as Go's encoding/csv reads it
 *
 * Docker's options with several parts are such records: a,"b,c","say ""d""".
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/buf.h"
#include "base/err.h"

/**
 * csv_split - the fields of a record
 * @ret: appended to
 *
 * Returns 0, or -1 with ERR_USAGE and Go's text: "EOF" for an empty record, a
 * quote that is missing or where none may be.
 */
int csv_split(const char *text, struct strlist *ret, struct error *err);

#endif
