/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cancel - a signal asked us to stop; long work looks here between two steps
 *
 * The handler only sets a flag, so cleanup runs as on any other error.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include "base/err.h"

/* Catches SIGINT, SIGTERM and SIGHUP from now on; without SA_RESTART. */
void cancel_catch_signals(void);
/* The signal that asked us to stop, or 0. */
int cancel_signal(void);
/* Returns 0, or -1 with ERR_CANCELLED once a signal was caught. */
int cancel_check(struct error *err);

#endif
