/* SPDX-License-Identifier: Apache-2.0 */
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "pool/header.h"
#include "pool/sizing.h"
#include "unit.h"

#define UUID "03417286-17f3-4a6d-a09d-832703aca85d"

static struct header sample(void)
{
	struct header header = {
		.uuid = UUID,
		.role = HEADER_BOTH,
		.device_bytes = 10 * GIB,
		.block_bytes = 64 * KIB,
	};
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, header_add_segment(&header, HEADER_META, 64 * MIB, &err));
	CU_ASSERT_EQUAL_FATAL(0, header_add_segment(&header, HEADER_DATA, GIB, &err));
	return header;
}

/* A descriptor of an empty file of 2 MiB that has no name. */
static int open_device(void)
{
	char path[] = "/tmp/veneer-header-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && unlink(path) == 0 && ftruncate(fd, 2 * MIB) == 0);
	return fd;
}

static void test_segments_follow_each_other(void)
{
	struct header header = sample();
	struct error err;

	CU_ASSERT_EQUAL(header.segments[0].start_bytes, SIZING_HEADER_BYTES);
	CU_ASSERT_EQUAL(header.segments[1].start_bytes, 65 * MIB);
	CU_ASSERT_EQUAL(header_end(&header), 65 * MIB + GIB);
	/* The last one becomes longer; another kind starts a new one. */
	CU_ASSERT_EQUAL(0, header_add_segment(&header, HEADER_DATA, GIB, &err));
	CU_ASSERT_EQUAL(header.nr_segments, 2);
	CU_ASSERT_EQUAL(0, header_add_segment(&header, HEADER_META, 6 * MIB, &err));
	CU_ASSERT_EQUAL(header.nr_segments, 3);
	CU_ASSERT_EQUAL(header_bytes(&header, HEADER_DATA), 2 * GIB);
	CU_ASSERT_EQUAL(header_bytes(&header, HEADER_META), 70 * MIB);
}

static void test_too_many_segments_are_refused(void)
{
	struct header header = sample();
	struct error err;

	for (unsigned i = 2; i < HEADER_SEGMENTS_MAX; i++)
		CU_ASSERT_EQUAL(0, header_add_segment(&header, i % 2 ? HEADER_DATA : HEADER_META,
						      MIB, &err));
	CU_ASSERT_EQUAL(-1, header_add_segment(&header, HEADER_META, MIB, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_round_trip(void)
{
	struct header header = sample(), back;
	uint8_t block[HEADER_BLOCK_BYTES];
	struct error err;

	header.sequence = 41;
	header_encode(&header, block);
	CU_ASSERT_EQUAL_FATAL(0, header_decode(block, &back, &err));
	CU_ASSERT_EQUAL(0, memcmp(&header, &back, sizeof(header)));
}

/* With a checksum that fits the damage. */
static void check_refused(uint32_t offset, const void *bytes, size_t len, enum err_kind kind)
{
	static const uint8_t zeros[4];
	struct header header = sample(), back;
	uint8_t block[HEADER_BLOCK_BYTES];
	struct error err;
	uint32_t crc;

	header_encode(&header, block);
	memcpy(block + offset, bytes, len);
	memcpy(block + 16, zeros, 4);
	crc = crc32_iscsi(block, sizeof(block), UINT32_MAX);
	memcpy(block + 16, &crc, 4);
	CU_ASSERT_EQUAL(-1, header_decode(block, &back, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
}

static void test_impossible_fields_are_refused(void)
{
	static const uint64_t huge = UINT64_MAX, odd = 65537, beyond = 20 * GIB, nothing;
	static const uint32_t two = 2, many = 65, no_role = 4, max = UINT32_MAX;

	check_refused(0, "Veneer", 6, ERR_NOT_FOUND);
	check_refused(20, &two, 4, ERR_UNSUPPORTED);
	check_refused(32, "no uuid", 7, ERR_CORRUPT);
	check_refused(72, &nothing, 8, ERR_CORRUPT);
	check_refused(80, &odd, 8, ERR_CORRUPT);
	check_refused(80, &nothing, 8, ERR_CORRUPT);
	check_refused(88, &no_role, 4, ERR_CORRUPT);
	check_refused(92, &many, 4, ERR_CORRUPT);
	check_refused(92, &max, 4, ERR_CORRUPT);
	check_refused(96, &no_role, 4, ERR_CORRUPT);
	check_refused(104, &nothing, 8, ERR_CORRUPT);
	check_refused(104, &huge, 8, ERR_CORRUPT);
	check_refused(112, &huge, 8, ERR_CORRUPT);
	check_refused(112, &nothing, 8, ERR_CORRUPT);
	/* The second one's: nothing follows that would not fit either. */
	check_refused(136, &beyond, 8, ERR_CORRUPT);
}

static void test_checksum(void)
{
	struct header header = sample(), back;
	uint8_t block[HEADER_BLOCK_BYTES];
	struct error err;

	header_encode(&header, block);
	block[HEADER_BLOCK_BYTES - 1] ^= 1;
	CU_ASSERT_EQUAL(-1, header_decode(block, &back, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_device_without_header(void)
{
	auto_fd int fd = open_device();
	struct header back;
	struct error err;

	CU_ASSERT_EQUAL(-1, header_read(fd, &back, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
}

static void test_torn_write_leaves_the_old_one(void)
{
	struct header header = sample(), back;
	auto_fd int fd = open_device();
	uint64_t torn_at;
	struct error err;

	CU_ASSERT_EQUAL(0, header_write(fd, &header, &err));
	header.device_bytes = 20 * GIB;
	CU_ASSERT_EQUAL(0, header_write(fd, &header, &err));
	CU_ASSERT_EQUAL(0, header_read(fd, &back, &err));
	CU_ASSERT_EQUAL(back.device_bytes, 20 * GIB);
	header.device_bytes = 30 * GIB;
	CU_ASSERT_EQUAL(0, header_write(fd, &header, &err));
	CU_ASSERT_EQUAL(0, header_read(fd, &back, &err));
	CU_ASSERT_EQUAL(back.device_bytes, 30 * GIB);
	torn_at = header.sequence % 2 * 64 * KIB;
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, (off_t)(torn_at + 30)), 4);
	CU_ASSERT_EQUAL(0, header_read(fd, &back, &err));
	CU_ASSERT_EQUAL(back.device_bytes, 20 * GIB);
	torn_at = 64 * KIB - torn_at;
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, (off_t)(torn_at + 30)), 4);
	CU_ASSERT_EQUAL(-1, header_read(fd, &back, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

UNIT_SUITE(pool_header, { "segments follow each other", test_segments_follow_each_other },
	   { "too many segments are refused", test_too_many_segments_are_refused },
	   { "what is written is read", test_round_trip },
	   { "impossible fields are refused", test_impossible_fields_are_refused },
	   { "a wrong checksum is refused", test_checksum },
	   { "a device without a header is told apart", test_device_without_header },
	   { "a torn write leaves the old header", test_torn_write_leaves_the_old_one });
