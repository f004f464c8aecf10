/* SPDX-License-Identifier: Apache-2.0 */
/*
 * petname - names of containers: chosen by the user, or adjective_surname
 */
#ifndef RUN_PETNAME_H
#define RUN_PETNAME_H

#include <stdint.h>

#include "base/err.h"

/* Returns new. The same seed gives the same name; attempt > 0 adds a digit. */
char *petname_make(uint64_t seed, unsigned attempt);

/* ERR_USAGE "Invalid container name (X), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" */
int petname_check(const char *name, struct error *err);

#endif
