/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete - shell completion out of the command table
 */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "base/buf.h"

/* A bash script that completes commands, options, and files behind PATH options. */
void complete_bash(struct buf *ret);

#endif
