/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - threads that get no signals: those are for the main one, which looks at cancel_check()
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/* The caller joins it. */
int thread_start(void *(*main)(void *ctx), void *ctx, pthread_t *ret, struct error *err);

#endif
