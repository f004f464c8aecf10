/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace - whether layers are fetched ahead of the one that is read
 *
 * A layer that comes ahead of its turn is written to a file and read again. That is worth it
 * when the reader has to wait for the line, or reads nothing at all; a reader who always has
 * enough before him would only be held up by it.
 */
#ifndef REGISTRY_PACE_H
#define REGISTRY_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Times are clock_ms()'s. */
struct pace {
	int64_t fed_ms;	   /* when the reader last had enough, or the beginning */
	int64_t waited_ms; /* by the reader since then */
};

void pace_fed(struct pace *pace, int64_t now_ms);
void pace_waited(struct pace *pace, int64_t from_ms, int64_t to_ms);
bool pace_is_ahead_worth_it(const struct pace *pace, int64_t now_ms);

#endif
