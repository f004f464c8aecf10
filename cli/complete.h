/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete - shell completion out of the command table
 */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "base/buf.h"

/* Hidden: prints the names of what the store has, for the script. */
#define COMPLETE_COMMAND "__complete"

/*
 * A bash script that completes commands, options, files behind PATH options, and the names of
 * images and containers.
 */
void complete_bash(struct buf *ret);

#endif
