/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/usage.h"

#include <string.h>

#include "base/cleanup.h"
#include "tmeta_image.h"
#include "unit.h"

static int rising(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The slow way: for every block of one volume, look for it in all the others. */
static uint64_t count_exclusive(const struct image *image, unsigned slot, unsigned nr_volumes)
{
	static uint64_t others[IMAGE_VOLUMES * IMAGE_KEYS];
	size_t nr = 0;
	uint64_t exclusive = 0;

	for (unsigned i = 0; i < nr_volumes; i++)
		for (unsigned key = 0; i != slot && key < IMAGE_KEYS; key++)
			if (image->volumes[i].blocks[key])
				others[nr++] = image->volumes[i].blocks[key];
	qsort(others, nr, sizeof(*others), rising);
	for (unsigned key = 0; key < IMAGE_KEYS; key++) {
		uint64_t block = image->volumes[slot].blocks[key];

		exclusive += block && !bsearch(&block, others, nr, sizeof(block), rising);
	}
	return exclusive;
}

static uint64_t count_distinct(const struct image *image, unsigned nr_volumes)
{
	static uint64_t all[IMAGE_VOLUMES * IMAGE_KEYS];
	uint64_t distinct = 0;
	size_t nr = 0;

	for (unsigned i = 0; i < nr_volumes; i++)
		for (unsigned key = 0; key < IMAGE_KEYS; key++)
			if (image->volumes[i].blocks[key])
				all[nr++] = image->volumes[i].blocks[key];
	qsort(all, nr, sizeof(*all), rising);
	for (size_t i = 0; i < nr; i++)
		distinct += i == 0 || all[i] != all[i - 1];
	return distinct;
}

static void check_random_pool(uint64_t seed, uint32_t max_entries, unsigned nr_volumes)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	auto_free struct tmeta_volume *volumes = NULL;
	struct error err;
	uint64_t total;
	size_t nr;

	image_init(&image, max_entries);
	image_grow_random(&image, &seed, nr_volumes);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL_FATAL(0, tmeta_usage(tmeta, &volumes, &nr, &total, &err));
	CU_ASSERT_EQUAL_FATAL(nr, nr_volumes);
	CU_ASSERT_EQUAL(total, count_distinct(&image, nr_volumes));
	for (unsigned i = 0; i < nr_volumes; i++) {
		uint64_t mapped = image_nr_mapped(&image.volumes[i]);
		uint64_t exclusive = count_exclusive(&image, i, nr_volumes);

		CU_ASSERT_EQUAL(volumes[i].id, image.volumes[i].id);
		CU_ASSERT_EQUAL(volumes[i].transaction_id, 100 + i);
		CU_ASSERT_EQUAL(volumes[i].mapped_blocks, mapped);
		CU_ASSERT_EQUAL(volumes[i].exclusive_blocks, exclusive);
		CU_ASSERT_EQUAL(volumes[i].shared_blocks, mapped - exclusive);
	}
}

static void test_random_pools(void)
{
	for (uint64_t seed = 11; seed <= 14; seed++) {
		check_random_pool(seed, 6, 3);
		check_random_pool(seed, 9, 8);
		check_random_pool(seed, 30, 12);
		check_random_pool(seed, 252, 16);
	}
}

static void test_ids_are_listed(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	auto_free uint32_t *ids = NULL;
	auto_free struct tmeta_volume *volumes = NULL;
	struct error err;
	size_t nr;

	image_init(&image, 6);
	image_create(&image, 0, 3);
	image_write(&image, 0, 9);
	image_create(&image, 1, 4);
	image_create(&image, 2, THIN_ID_MAX);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL_FATAL(0, tmeta_list_ids(tmeta, &ids, &nr, &err));
	CU_ASSERT_EQUAL_FATAL(nr, 3);
	CU_ASSERT_EQUAL(ids[0], 3);
	CU_ASSERT_EQUAL(ids[1], 4);
	CU_ASSERT_EQUAL(ids[2], THIN_ID_MAX);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_list(tmeta, &volumes, &nr, &err));
	CU_ASSERT_EQUAL_FATAL(nr, 3);
	CU_ASSERT_EQUAL(volumes[0].mapped_blocks, 1);
	CU_ASSERT_EQUAL(volumes[2].id, THIN_ID_MAX);
	CU_ASSERT_EQUAL(volumes[2].transaction_id, 102);
}

/* Snapshots that were never written to have one root between them. */
static void test_fresh_snapshots_share_everything(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	auto_free struct tmeta_volume *volumes = NULL;
	struct error err;
	uint64_t total;
	size_t nr;

	image_init(&image, 6);
	image_create(&image, 0, 1);
	for (unsigned key = 0; key < 100; key++)
		image_write(&image, 0, key);
	image_snapshot(&image, 0, 1, 2);
	image_snapshot(&image, 0, 2, 3);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL_FATAL(0, tmeta_usage(tmeta, &volumes, &nr, &total, &err));
	CU_ASSERT_EQUAL(total, 100);
	for (size_t i = 0; i < nr; i++) {
		CU_ASSERT_EQUAL(volumes[i].exclusive_blocks, 0);
		CU_ASSERT_EQUAL(volumes[i].shared_blocks, 100);
	}
}

static void test_pool_without_volumes(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_volume *volumes = (struct tmeta_volume *)-1;
	uint32_t *ids = (uint32_t *)-1;
	struct error err;
	uint64_t total = 1;
	size_t nr = 1;

	image_init(&image, 6);
	image_make_lists(&image);
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL(0, tmeta_list_ids(tmeta, &ids, &nr, &err));
	CU_ASSERT_EQUAL(nr, 0);
	CU_ASSERT_PTR_NULL(ids);
	CU_ASSERT_EQUAL(0, tmeta_usage(tmeta, &volumes, &nr, &total, &err));
	CU_ASSERT_EQUAL(nr, 0);
	CU_ASSERT_EQUAL(total, 0);
	CU_ASSERT_PTR_NULL(volumes);
}

/* Two volumes with three blocks in one leaf each; the test damages it. */
static void make_two(struct image *image)
{
	image_init(image, 6);
	image_create(image, 0, 5);
	for (unsigned key = 0; key < 30; key++)
		image_write(image, 0, key);
	image_create(image, 1, 6);
	for (unsigned key = 0; key < 30; key++)
		image_write(image, 1, key);
	image_make_lists(image);
}

static void expect_corrupt(struct image *image, const char *text)
{
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_volume *volumes;
	struct error err = { 0 };
	uint64_t total;
	size_t nr;

	image_store(image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image->path, 0, &tmeta, &err));
	CU_ASSERT_EQUAL_FATAL(-1, tmeta_usage(tmeta, &volumes, &nr, &total, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
}

static void test_node_twice_in_one_volume(void)
{
	auto_image struct image image;
	uint64_t *children;

	make_two(&image);
	children = image_values(&image, image.volumes[0].root);
	children[1] = children[0];
	expect_corrupt(&image, "used twice in one volume");
}

static void test_root_below_itself(void)
{
	auto_image struct image image;

	make_two(&image);
	image_values(&image, image.volumes[0].root)[1] = image.volumes[0].root;
	expect_corrupt(&image, "used at two depths");
}

static void test_root_as_its_first_child(void)
{
	auto_image struct image image;

	make_two(&image);
	image_values(&image, image.volumes[0].root)[0] = image.volumes[0].root;
	expect_corrupt(&image, "higher than 16 levels");
}

static void test_child_beyond_the_device(void)
{
	auto_image struct image image;

	make_two(&image);
	image_values(&image, image.volumes[0].root)[1] = UINT64_MAX;
	expect_corrupt(&image, "mapping of volume 5: metadata block 18446744073709551615");
}

static void test_mapping_without_details(void)
{
	auto_image struct image image;

	make_two(&image);
	image_node(&image, image_super(&image)->details_root)->nr_entries = 1;
	expect_corrupt(&image, "volume 6 has a mapping, but no details");
}

static void test_more_own_blocks_than_mapped(void)
{
	auto_image struct image image;

	make_two(&image);
	((struct disk_details *)image_values(&image, image_super(&image)->details_root))[1]
		.mapped_blocks = 29;
	expect_corrupt(&image, "volume 6 should map 29 blocks, but has 30 of its own");
}

static void test_impossible_id(void)
{
	auto_image struct image image;

	make_two(&image);
	image_keys(&image, image_super(&image)->details_root)[1] = THIN_ID_MAX + 1;
	expect_corrupt(&image, "impossible id 16777216");
}

UNIT_SUITE(usage, { "random pools: exclusive, shared and total are exact", test_random_pools },
	   { "all ids are listed", test_ids_are_listed },
	   { "fresh snapshots share everything", test_fresh_snapshots_share_everything },
	   { "a pool without volumes has an empty list", test_pool_without_volumes },
	   { "a node twice in one volume is refused", test_node_twice_in_one_volume },
	   { "a node below itself is refused", test_root_below_itself },
	   { "a node as its own first child is refused", test_root_as_its_first_child },
	   { "a child beyond the device is refused", test_child_beyond_the_device },
	   { "a mapping without details is refused", test_mapping_without_details },
	   { "more own blocks than mapped ones are refused", test_more_own_blocks_than_mapped },
	   { "an id beyond 24 bits is refused", test_impossible_id });
