/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poolview - the state of the pool as `pool status`, `info` and `system df -v` show it
 */
#ifndef POOLVIEW_H
#define POOLVIEW_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "format/gotmpl_value.h"

struct store;

extern const struct gotmpl_type poolview_type;

/**
 * poolview_read - activate the pool and look
 * @ret:         new; sizes are in bytes
 * @ret_problem: set when the pool is there but not in order: its kind is not
 *               0, its text has the next step
 *
 * Returns 0 also with a problem, or -1: ERR_NOT_FOUND without a pool.
 */
int poolview_read(struct store *store, json_t **ret, struct error *ret_problem, struct error *err);

/* "Label:   value" lines for people, from what poolview_read() made. */
void poolview_text(const json_t *view, struct buf *ret);

#endif
