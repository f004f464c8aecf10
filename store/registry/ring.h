/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - bytes on their way from one who writes to one who reads; whoever shares it locks
 */
#ifndef REGISTRY_RING_H
#define REGISTRY_RING_H

#include <stddef.h>
#include <stdint.h>

#define RING_BYTES ((size_t)4 * 1024 * 1024)

struct ring {
	uint8_t *bytes; /* RING_BYTES */
	size_t at, len;
};

void ring_init(struct ring *ring);
void ring_done(struct ring *ring);
/* There must be room: RING_BYTES - ring->len. */
void ring_put(struct ring *ring, const void *data, size_t len);
/* Returns how many came: at least one when there are any. */
size_t ring_take(struct ring *ring, void *data, size_t len);

#endif
