/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/pages.h"

void ring_init(struct ring *ring)
{
	*ring = (struct ring){ .bytes = xmalloc(RING_BYTES) };
	pages_touch(ring->bytes, RING_BYTES);
}

void ring_done(struct ring *ring)
{
	free(ring->bytes);
}

void ring_put(struct ring *ring, const void *data, size_t len)
{
	size_t to = (ring->at + ring->len) % RING_BYTES;
	size_t first = len < RING_BYTES - to ? len : RING_BYTES - to;

	memcpy(ring->bytes + to, data, first);
	memcpy(ring->bytes, (const char *)data + first, len - first);
	ring->len += len;
}

size_t ring_take(struct ring *ring, void *data, size_t len)
{
	size_t first = RING_BYTES - ring->at;

	len = len < ring->len ? len : ring->len;
	len = len < first ? len : first;
	memcpy(data, ring->bytes + ring->at, len);
	ring->at = (ring->at + len) % RING_BYTES;
	ring->len -= len;
	return len;
}
