/* SPDX-License-Identifier: Apache-2.0 */
/*
 * healthcheck - HEALTHCHECK as an image config stores it
 *
 * Source: spec/dockerfile.md, section 3 ("CMD, ENTRYPOINT").
 */
#ifndef OCI_HEALTHCHECK_H
#define OCI_HEALTHCHECK_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct instruction;

/**
 * healthcheck_make - the "Healthcheck" object of an instruction
 * @ret: new; spans of time in nanoseconds, those of zero left out
 *
 * Returns 0, or -1 with ERR_USAGE.
 */
int healthcheck_make(const struct instruction *instruction, json_t **ret, struct error *err);

/* Appends it as the history of an image shows it: "{Test:[...] Interval:5s ...}". */
void healthcheck_print(const json_t *health, struct buf *ret);

#endif
