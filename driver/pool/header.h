/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header - the first MiB of a device of ours: whose it is and how it is divided
 *
 * Not mapped into the pool. It holds two copies of a 4096-byte block, written
 * in turn, so that a crash leaves one of them whole; the one with the higher
 * sequence number counts. All numbers are little-endian:
 *
 *	  0  magic, 16 bytes	 16  crc32c u32 of the block with this field zero
 *	 20  version u32 (1)	 24  sequence u64
 *	 32  store uuid, text, 40 bytes with NULs
 *	 72  device size u64	 80  pool block size u64
 *	 88  role u32		 92  number of segments u32
 *	 96  segments: role u32, zero u32, start u64, length u64
 *
 * Data and metadata each are their segments in the order of the list.
 */
#ifndef POOL_HEADER_H
#define POOL_HEADER_H

#include <stdint.h>

#include "base/err.h"

#define HEADER_BLOCK_BYTES  4096u
#define HEADER_SEGMENTS_MAX 64u
#define HEADER_UUID_LEN	    36u

enum header_role {
	HEADER_DATA = 1,
	HEADER_META = 2,
	HEADER_BOTH = 3, /* of a device; a segment is one or the other */
};

struct header_segment {
	enum header_role role;
	uint64_t start_bytes; /* on the device */
	uint64_t len_bytes;
};

struct header {
	char uuid[HEADER_UUID_LEN + 1];
	enum header_role role;
	uint64_t sequence;     /* of the copy that was read */
	uint64_t device_bytes; /* when it was written */
	uint64_t block_bytes;
	uint32_t nr_segments;
	struct header_segment segments[HEADER_SEGMENTS_MAX];
};

/* Appends a segment behind all others, or makes the last one longer. ERR_LIMIT. */
int header_add_segment(struct header *header, enum header_role role, uint64_t len_bytes,
		       struct error *err);
/* Bytes of all segments of that role. */
uint64_t header_bytes(const struct header *header, enum header_role role);
/* Where the last segment ends. */
uint64_t header_end(const struct header *header);

void header_encode(const struct header *header, uint8_t ret[HEADER_BLOCK_BYTES]);
/*
 * ERR_NOT_FOUND without our magic; ERR_CORRUPT for a bad checksum or fields
 * that cannot be; ERR_UNSUPPORTED for a newer version.
 */
int header_decode(const uint8_t block[HEADER_BLOCK_BYTES], struct header *ret, struct error *err);

/* The newer whole copy. Errors of header_decode(), ERR_IO. */
int header_read(int fd, struct header *ret, struct error *err);
/* Over the older copy, with the next sequence number, durable. */
int header_write(int fd, struct header *header, struct error *err);

#endif
