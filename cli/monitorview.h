/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitorview - what `pool status` says of the monitor and of pressure on the pool
 */
#ifndef MONITORVIEW_H
#define MONITORVIEW_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "monitor/pressure.h"

struct store;

/* Adds its keys, which are those of poolview_type, to what poolview_read() made. */
int monitorview_add(struct store *store, const struct pressure_limits *limits, json_t *view,
		    struct error *err);

/* "Label:   value" lines for people, appended. */
void monitorview_text(const json_t *view, struct buf *ret);

#endif
