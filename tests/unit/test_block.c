/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/block.h"

#include <string.h>
#include <sys/stat.h>

#include "tmeta_image.h"
#include "unit.h"

static void store(struct image *image, unsigned nr_nodes)
{
	image_init(image, 6);
	for (unsigned i = 0; i < nr_nodes; i++)
		image_alloc(image, true, 6, sizeof(uint64_t));
	image_store(image);
}

static void damage(const struct image *image, uint64_t offset)
{
	int fd = open(image->path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	CU_ASSERT_FATAL(pread(fd, &byte, 1, (off_t)offset) == 1);
	byte ^= 0x10;
	CU_ASSERT_FATAL(pwrite(fd, &byte, 1, (off_t)offset) == 1);
	close(fd);
}

static void test_nodes_are_kept(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	const void *data;
	struct error err;

	store(&image, 200);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(block_reader_nr_blocks(reader), image.next_block);
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t b = IMAGE_FIRST_FREE; b < IMAGE_FIRST_FREE + 8; b++) {
			CU_ASSERT_EQUAL_FATAL(0, block_read_node(reader, b, &data, &err));
			CU_ASSERT_EQUAL(0, memcmp(data, image_at(&image, b), META_BLOCK_BYTES));
		}
	CU_ASSERT_EQUAL(block_reader_nr_read(reader), 8);
	/* Far more than are kept: each still comes with its own content. */
	for (uint64_t b = IMAGE_FIRST_FREE; b < image.next_block; b++) {
		CU_ASSERT_EQUAL_FATAL(0, block_read_node(reader, b, &data, &err));
		CU_ASSERT_EQUAL(0, memcmp(data, image_at(&image, b), META_BLOCK_BYTES));
	}
}

static void test_any_flipped_bit_is_noticed(void)
{
	static const unsigned at[] = { 0, 3, 4, 8, 32, 2048, 4095 };

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		auto_image struct image image;
		auto_block_reader struct block_reader *reader = NULL;
		struct error err = { 0 };
		const void *data;

		store(&image, 1);
		damage(&image, (uint64_t)IMAGE_FIRST_FREE * META_BLOCK_BYTES + at[i]);
		CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
		CU_ASSERT_EQUAL(-1, block_read_node(reader, IMAGE_FIRST_FREE, &data, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
		CU_ASSERT_STRING_EQUAL(err.text, "metadata block 512: wrong checksum");
		/* Nor is it believed the second time. */
		CU_ASSERT_EQUAL(-1, block_read_node(reader, IMAGE_FIRST_FREE, &data, &err));
	}
}

static void test_fetched_together(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	struct error err = { 0 };
	const void *data;

	store(&image, BLOCK_GROUP);
	damage(&image, (IMAGE_FIRST_FREE + 5) * (uint64_t)META_BLOCK_BYTES + 100);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	block_fetch(reader, IMAGE_FIRST_FREE + 2, IMAGE_FIRST_FREE + 9);
	CU_ASSERT_EQUAL(block_reader_nr_read(reader), 8);
	for (uint64_t b = IMAGE_FIRST_FREE + 2; b < IMAGE_FIRST_FREE + 10; b++) {
		int got = block_read_node(reader, b, &data, &err);

		CU_ASSERT_EQUAL(got, b == IMAGE_FIRST_FREE + 5 ? -1 : 0);
		if (got == 0)
			CU_ASSERT_EQUAL(0, memcmp(data, image_at(&image, b), META_BLOCK_BYTES));
	}
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(block_reader_nr_read(reader), 8);
}

static void test_fetch_beyond_the_end(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	struct error err = { 0 };
	const void *data;

	store(&image, 10);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL_FATAL(0, truncate(image.path, IMAGE_FIRST_FREE * META_BLOCK_BYTES + 4096));
	block_fetch(reader, IMAGE_FIRST_FREE, IMAGE_FIRST_FREE + 20);
	block_fetch(reader, IMAGE_FIRST_FREE, IMAGE_FIRST_FREE + 5);
	CU_ASSERT_EQUAL(0, block_read_node(reader, IMAGE_FIRST_FREE, &data, &err));
	CU_ASSERT_EQUAL(-1, block_read_node(reader, IMAGE_FIRST_FREE + 1, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_block_in_a_wrong_place(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	struct error err = { 0 };
	const void *data;

	store(&image, 2);
	image_node(&image, IMAGE_FIRST_FREE + 1)->block_nr = IMAGE_FIRST_FREE;
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(-1, block_read_node(reader, IMAGE_FIRST_FREE + 1, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_STRING_EQUAL(err.text, "metadata block 513: holds block 512");
}

static void test_kinds_are_not_confused(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	struct error err = { 0 };
	const void *data;

	store(&image, 1);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(0, block_read_super(reader, 0, &data, &err));
	CU_ASSERT_EQUAL(-1, block_read_super(reader, IMAGE_FIRST_FREE, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(-1, block_read_node(reader, 0, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_block_beyond_the_end(void)
{
	auto_image struct image image;
	auto_block_reader struct block_reader *reader = NULL;
	struct error err = { 0 };
	const void *data;

	store(&image, 1);
	CU_ASSERT_EQUAL_FATAL(0, truncate(image.path, 700 * META_BLOCK_BYTES + 100));
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(block_reader_nr_blocks(reader), 700);
	CU_ASSERT_EQUAL(-1, block_read_node(reader, 700, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(-1, block_read_node(reader, UINT64_MAX, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	/* The file became shorter behind our back. */
	CU_ASSERT_EQUAL_FATAL(0, truncate(image.path, 100 * META_BLOCK_BYTES));
	CU_ASSERT_EQUAL(-1, block_read_node(reader, 300, &data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_what_is_no_metadata_device(void)
{
	auto_image struct image image;
	struct block_reader *reader;
	struct error err;

	store(&image, 0);
	CU_ASSERT_EQUAL_FATAL(0, truncate(image.path, META_BLOCK_BYTES - 1));
	CU_ASSERT_EQUAL(-1, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(-1, block_reader_open("/tmp", &reader, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	CU_ASSERT_EQUAL_FATAL(0, unlink(image.path));
	CU_ASSERT_EQUAL(-1, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	/* Opening a FIFO would wait for its other end. */
	CU_ASSERT_EQUAL_FATAL(0, mkfifo(image.path, 0600));
	CU_ASSERT_EQUAL(-1, block_reader_open(image.path, &reader, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
}

UNIT_SUITE(block, { "nodes are read once and kept", test_nodes_are_kept },
	   { "any flipped bit is noticed", test_any_flipped_bit_is_noticed },
	   { "nodes fetched together are verified one by one", test_fetched_together },
	   { "a fetch beyond the end does no harm", test_fetch_beyond_the_end },
	   { "a block in a wrong place is refused", test_block_in_a_wrong_place },
	   { "a superblock is no node, a node no superblock", test_kinds_are_not_confused },
	   { "a block beyond the end is refused", test_block_beyond_the_end },
	   { "a file that cannot be metadata is refused", test_what_is_no_metadata_device });
