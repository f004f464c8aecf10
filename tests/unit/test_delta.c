/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/delta.h"

#include <string.h>

#include "tmeta_image.h"
#include "unit.h"

/* Applies what the ranges say to the parent; it must become the child. */
struct replay {
	const struct image_volume *child;
	uint64_t blocks[IMAGE_KEYS];
	uint64_t last_end;
	enum tmeta_change last_change;
	bool sorted;
};

static int replay_range(void *context, enum tmeta_change change, uint64_t start, uint64_t length,
			struct error *err)
{
	struct replay *replay = context;

	(void)err;
	if (replay->last_end > start ||
	    (replay->last_end == start && start && replay->last_change == change))
		replay->sorted = false;
	replay->last_end = start + length;
	replay->last_change = change;
	for (uint64_t key = start; key < start + length; key++) {
		bool was = replay->blocks[key];

		if (was != (change != TMETA_ADDED))
			replay->sorted = false;
		replay->blocks[key] = change == TMETA_DROPPED ? 0 : replay->child->blocks[key];
	}
	return 0;
}

static void check_pair(struct tmeta *tmeta, const struct image_volume *parent,
		       const struct image_volume *child)
{
	struct replay replay = { .child = child, .sorted = true };
	struct tmeta_delta delta;
	struct error err;
	uint64_t own = 0;
	uint64_t dropped = 0;

	memcpy(replay.blocks, parent->blocks, sizeof(replay.blocks));
	for (unsigned key = 0; key < IMAGE_KEYS; key++) {
		own += child->blocks[key] && child->blocks[key] != parent->blocks[key];
		dropped += parent->blocks[key] && !child->blocks[key];
	}
	CU_ASSERT_EQUAL_FATAL(0, tmeta_delta_ranges(tmeta, parent->id, child->id, replay_range,
						    &replay, &delta, &err));
	CU_ASSERT_EQUAL(delta.own_blocks, own);
	CU_ASSERT_EQUAL(delta.dropped_blocks, dropped);
	CU_ASSERT_TRUE(replay.sorted);
	CU_ASSERT_EQUAL(0, memcmp(replay.blocks, child->blocks, sizeof(replay.blocks)));
}

static void check_random_pool(uint64_t seed, uint32_t max_entries)
{
	static const struct image_volume empty = { .id = TMETA_EMPTY };
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct error err;

	image_init(&image, max_entries);
	image_grow_random(&image, &seed, 8);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	for (unsigned a = 0; a < 8; a++) {
		check_pair(tmeta, &empty, &image.volumes[a]);
		check_pair(tmeta, &image.volumes[a], &empty);
		for (unsigned b = 0; b < 8; b++)
			check_pair(tmeta, &image.volumes[a], &image.volumes[b]);
	}
}

static void test_random_pools(void)
{
	for (uint64_t seed = 1; seed <= UNIT_ROUNDS(4); seed++) {
		check_random_pool(seed, 6);
		check_random_pool(seed, 9);
		check_random_pool(seed, 30);
		check_random_pool(seed, 252);
	}
}

/* A snapshot of a volume of 1024 blocks in 6-way nodes, with one block written. */
static void test_reads_follow_the_change(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta fresh;
	struct tmeta_delta whole;
	struct tmeta_delta small;
	struct error err;

	image_init(&image, 6);
	image_create(&image, 0, 1);
	for (unsigned key = 0; key < IMAGE_KEYS; key++)
		image_write(&image, 0, key);
	image_snapshot(&image, 0, 1, 2);
	image_snapshot(&image, 0, 2, 3);
	image_write(&image, 2, 500);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL(0, tmeta_delta(tmeta, 1, 2, &fresh, &err));
	CU_ASSERT_EQUAL(fresh.own_blocks, 0);
	CU_ASSERT_TRUE(fresh.nodes_read <= 1);
	CU_ASSERT_EQUAL(0, tmeta_delta(tmeta, 1, 3, &small, &err));
	CU_ASSERT_EQUAL(small.own_blocks, 1);
	CU_ASSERT_TRUE(small.nodes_read <= 30);
	CU_ASSERT_EQUAL(0, tmeta_delta(tmeta, 0, 3, &whole, &err));
	CU_ASSERT_EQUAL(whole.own_blocks, IMAGE_KEYS);
	CU_ASSERT_TRUE(whole.nodes_read > 170);
}

static void test_absent_volume_is_named(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta delta = { .own_blocks = 77 };
	struct error err;

	image_init(&image, 6);
	image_create(&image, 0, 1);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL(-1, tmeta_delta(tmeta, 1, 9, &delta, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "volume 9"));
	CU_ASSERT_EQUAL(delta.own_blocks, 77);
}

static void test_impossible_data_block_is_refused(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta delta;
	struct error err;

	image_init(&image, 6);
	image_create(&image, 0, 1);
	image_set(&image, 0, 3, IMAGE_DATA_BLOCKS);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL(-1, tmeta_delta(tmeta, 0, 1, &delta, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "mapping of volume 1: data block 1000000"));
}

static int stop(void *context, enum tmeta_change change, uint64_t start, uint64_t length,
		struct error *err)
{
	++*(unsigned *)context;
	(void)change;
	(void)start;
	(void)length;
	return err_set(err, ERR_CANCELLED, "enough");
}

static void test_receiver_can_stop(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_delta delta;
	struct error err;
	unsigned calls = 0;

	image_init(&image, 6);
	image_create(&image, 0, 1);
	image_write(&image, 0, 3);
	image_write(&image, 0, 5);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL(-1, tmeta_delta_ranges(tmeta, 0, 1, stop, &calls, &delta, &err));
	CU_ASSERT_EQUAL(calls, 1);
	CU_ASSERT_EQUAL(err.kind, ERR_CANCELLED);
}

UNIT_SUITE(delta, { "random pools of snapshots: every pair is told exactly", test_random_pools },
	   { "nodes read follow the change, not the size", test_reads_follow_the_change },
	   { "a volume that is not there is named", test_absent_volume_is_named },
	   { "a data block that the pool has not is refused",
	     test_impossible_data_block_is_refused },
	   { "the receiver of ranges can stop", test_receiver_can_stop });
