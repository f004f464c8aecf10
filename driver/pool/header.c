/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/header.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/isal.h"
#include "base/size.h"
#include "dm/table.h"
#include "pool/sizing.h"

#define VERSION	   1u
#define NR_COPIES  2u
#define COPY_BYTES (64 * KIB) /* distance of the copies */

static const char magic[16] = "veneer-backing";

struct disk_segment {
	uint32_t role;
	uint32_t zero;
	uint64_t start_bytes;
	uint64_t len_bytes;
} __attribute__((packed));

struct disk_header {
	char magic[16];
	uint32_t crc;
	uint32_t version;
	uint64_t sequence;
	char uuid[40];
	uint64_t device_bytes;
	uint64_t block_bytes;
	uint32_t role;
	uint32_t nr_segments;
	struct disk_segment segments[HEADER_SEGMENTS_MAX];
} __attribute__((packed));

_Static_assert(offsetof(struct disk_header, segments) == 96, "on-disk format");
_Static_assert(sizeof(struct disk_header) <= HEADER_BLOCK_BYTES, "one block");

uint64_t header_bytes(const struct header *header, enum header_role role)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < header->nr_segments; i++) {
		if (header->segments[i].role == role)
			bytes += header->segments[i].len_bytes;
	}
	return bytes;
}

uint64_t header_end(const struct header *header)
{
	const struct header_segment *last;

	if (!header->nr_segments)
		return SIZING_HEADER_BYTES;
	last = &header->segments[header->nr_segments - 1];
	return last->start_bytes + last->len_bytes;
}

int header_add_segment(struct header *header, enum header_role role, uint64_t len_bytes,
		       struct error *err)
{
	uint64_t start_bytes = header_end(header);
	uint32_t nr = header->nr_segments;

	if (nr && header->segments[nr - 1].role == role) {
		header->segments[nr - 1].len_bytes += len_bytes;
		return 0;
	}
	if (nr == HEADER_SEGMENTS_MAX)
		return err_set(err, ERR_LIMIT, "a device cannot be divided into more than %u parts",
			       HEADER_SEGMENTS_MAX);
	header->segments[header->nr_segments++] = (struct header_segment){
		.role = role,
		.start_bytes = start_bytes,
		.len_bytes = len_bytes,
	};
	return 0;
}

void header_encode(const struct header *header, uint8_t ret[HEADER_BLOCK_BYTES])
{
	struct disk_header disk = {
		.version = htole32(VERSION),
		.sequence = htole64(header->sequence),
		.device_bytes = htole64(header->device_bytes),
		.block_bytes = htole64(header->block_bytes),
		.role = htole32(header->role),
		.nr_segments = htole32(header->nr_segments),
	};
	uint32_t crc;

	memcpy(disk.magic, magic, sizeof(magic));
	memcpy(disk.uuid, header->uuid, HEADER_UUID_LEN);
	for (uint32_t i = 0; i < header->nr_segments; i++)
		disk.segments[i] = (struct disk_segment){
			.role = htole32(header->segments[i].role),
			.start_bytes = htole64(header->segments[i].start_bytes),
			.len_bytes = htole64(header->segments[i].len_bytes),
		};
	memset(ret, 0, HEADER_BLOCK_BYTES);
	memcpy(ret, &disk, sizeof(disk));
	crc = htole32(isal_crc32c(UINT32_MAX, ret, HEADER_BLOCK_BYTES));
	memcpy(ret + offsetof(struct disk_header, crc), &crc, sizeof(crc));
}

static bool segments_are_sound(const struct disk_header *disk, struct header *header)
{
	uint64_t end = SIZING_HEADER_BYTES;

	for (uint32_t i = 0; i < header->nr_segments; i++) {
		uint64_t start = le64toh(disk->segments[i].start_bytes);
		uint64_t len = le64toh(disk->segments[i].len_bytes);
		uint32_t role = le32toh(disk->segments[i].role);

		if ((role != HEADER_DATA && role != HEADER_META) || !(role & header->role) ||
		    start != end || !len || len % HEADER_BLOCK_BYTES ||
		    start > header->device_bytes || len > header->device_bytes - start)
			return false;
		end = start + len;
		header->segments[i] = (struct header_segment){
			.role = role,
			.start_bytes = start,
			.len_bytes = len,
		};
	}
	return true;
}

static bool uuid_is_sound(const char *uuid)
{
	return strnlen(uuid, HEADER_UUID_LEN + 1) == HEADER_UUID_LEN &&
	       strspn(uuid, "0123456789abcdef-") == HEADER_UUID_LEN;
}

int header_decode(const uint8_t block[HEADER_BLOCK_BYTES], struct header *ret, struct error *err)
{
	static const uint8_t no_crc[sizeof(uint32_t)];
	uint8_t copy[HEADER_BLOCK_BYTES];
	struct disk_header disk;
	struct header header = { 0 };

	memcpy(&disk, block, sizeof(disk));
	if (memcmp(disk.magic, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no header of veneer");
	memcpy(copy, block, sizeof(copy));
	memcpy(copy + offsetof(struct disk_header, crc), no_crc, sizeof(no_crc));
	if (isal_crc32c(UINT32_MAX, copy, sizeof(copy)) != le32toh(disk.crc))
		return err_set(err, ERR_CORRUPT, "the header's checksum is wrong");
	if (le32toh(disk.version) != VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "the header has version %" PRIu32 ", this program knows %u",
			       le32toh(disk.version), VERSION);
	header.sequence = le64toh(disk.sequence);
	header.device_bytes = le64toh(disk.device_bytes);
	header.block_bytes = le64toh(disk.block_bytes);
	header.role = le32toh(disk.role);
	header.nr_segments = le32toh(disk.nr_segments);
	memcpy(header.uuid, disk.uuid, HEADER_UUID_LEN);
	if (!uuid_is_sound(disk.uuid) || header.role < HEADER_DATA || header.role > HEADER_BOTH ||
	    header.nr_segments > HEADER_SEGMENTS_MAX ||
	    header.block_bytes < TABLE_BLOCK_BYTES_MIN ||
	    header.block_bytes > TABLE_BLOCK_BYTES_MAX ||
	    header.block_bytes % TABLE_BLOCK_BYTES_MIN || !segments_are_sound(&disk, &header))
		return err_set(err, ERR_CORRUPT, "the header contradicts itself");
	*ret = header;
	return 0;
}

int header_read(int fd, struct header *ret, struct error *err)
{
	struct header found, best = { 0 };
	struct error why, worst = { .kind = ERR_NOT_FOUND };
	bool have = false;

	for (unsigned i = 0; i < NR_COPIES; i++) {
		uint8_t block[HEADER_BLOCK_BYTES];

		if (io_pread(fd, block, sizeof(block), i * COPY_BYTES, err) < 0)
			return err_add(err, "header");
		if (header_decode(block, &found, &why) < 0) {
			if (i == 0 || why.kind != ERR_NOT_FOUND)
				worst = why;
		} else if (!have || found.sequence > best.sequence) {
			best = found;
			have = true;
		}
	}
	if (!have) {
		*err = worst;
		return -1;
	}
	*ret = best;
	return 0;
}

int header_write(int fd, struct header *header, struct error *err)
{
	uint8_t block[HEADER_BLOCK_BYTES];

	header->sequence++;
	header_encode(header, block);
	if (io_pwrite(fd, block, sizeof(block), header->sequence % NR_COPIES * COPY_BYTES, err) < 0)
		return err_add(err, "header");
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync header");
	return 0;
}
