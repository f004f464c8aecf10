/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - time that only goes on, for deadlines and pauses
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, which no setting of the time moves. */
int64_t clock_ms(void);

#endif
