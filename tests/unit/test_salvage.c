/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/salvage.h"

#include "base/cleanup.h"
#include "tmeta_image.h"
#include "unit.h"

/* What the damaged metadata cannot say of the first volume. */
struct blindness {
	struct image *image;
	bool keys[IMAGE_KEYS];
	bool whole; /* the tree's height cannot be told */
};

static void spoil(struct image *image, uint64_t block)
{
	int fd = open(image->path, O_WRONLY | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, "spoilt", 6, (off_t)(block * META_BLOCK_BYTES + 100)), 6);
	close(fd);
}

/* One node in so many below this one, whose keys lie from first to last. */
static void spoil_some(struct blindness *blind, uint64_t block, uint64_t first, uint64_t last,
		       bool leftmost, uint64_t *random, uint32_t one_in)
{
	struct image *image = blind->image;
	const struct disk_node *node = image_node(image, block);

	if (image_random(random, one_in) == 0) {
		spoil(image, block);
		blind->whole |= leftmost;
		for (uint64_t key = first; key <= last; key++)
			blind->keys[key] = true;
		return;
	}
	for (uint32_t i = 0; node->flags == NODE_FLAG_INTERNAL && i < node->nr_entries; i++)
		spoil_some(blind, image_values(image, block)[i], image_keys(image, block)[i],
			   i + 1 < node->nr_entries ? image_keys(image, block)[i + 1] - 1 : last,
			   leftmost && i == 0, random, one_in);
}

static void change_some(struct image *image, uint64_t *random)
{
	const struct image_volume *volume = &image->volumes[0];

	for (uint32_t nr = image_random(random, 3); nr; nr--) {
		uint64_t key = image_random(random, IMAGE_KEYS);

		if (!volume->blocks[key] || image_random(random, 2))
			image_write(image, 0, key);
		else
			image_unset(image, 0, key);
	}
}

static void check_salvage(const struct blindness *blind, const struct image_volume *was,
			  const struct image_volume *is, const struct tmeta_salvage *got)
{
	struct tmeta_salvage want = { 0 };

	for (unsigned key = 0; key < IMAGE_KEYS; key++) {
		if (blind->whole || blind->keys[key])
			want.unsure_blocks += is->blocks[key] != 0;
		else if (was->blocks[key] && !is->blocks[key])
			want.lost_blocks++;
		else if (was->blocks[key] != is->blocks[key])
			want.other = true;
	}
	CU_ASSERT_EQUAL(got->unsure_blocks, want.unsure_blocks);
	CU_ASSERT_EQUAL(got->lost_blocks, want.lost_blocks);
	CU_ASSERT_EQUAL(got->other, want.other);
}

/* The same pool twice, of which one is changed and the other damaged. */
static void check_random(uint64_t seed, uint32_t one_in)
{
	auto_image struct image damaged, mended;
	auto_tmeta struct tmeta *left = NULL;
	auto_tmeta struct tmeta *right = NULL;
	struct blindness blind = { .image = &damaged };
	uint64_t first = seed, second = seed, more = seed + 1;
	struct tmeta_salvage got;
	struct error err;

	image_init(&damaged, 6);
	image_grow_random(&damaged, &first, 4);
	image_make_lists(&damaged);
	image_store(&damaged);
	image_init(&mended, 6);
	image_grow_random(&mended, &second, 4);
	change_some(&mended, &more);
	image_make_lists(&mended);
	image_store(&mended);
	spoil_some(&blind, damaged.volumes[0].root, 0, IMAGE_KEYS - 1, true, &more, one_in);
	CU_ASSERT_EQUAL_FATAL(tmeta_open(damaged.path, 0, &left, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tmeta_open(mended.path, 0, &right, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tmeta_salvage(left, right, 1, &got, &err), 0);
	check_salvage(&blind, &damaged.volumes[0], &mended.volumes[0], &got);
}

static void test_random_pools(void)
{
	for (uint64_t seed = 1; seed <= UNIT_ROUNDS(120); seed++)
		check_random(seed, seed % 3 ? 40 : 1000000);
}

/* A volume that came back, and mended metadata that is none. */
static void test_a_volume_apart(void)
{
	auto_image struct image damaged, mended;
	auto_tmeta struct tmeta *left = NULL;
	auto_tmeta struct tmeta *right = NULL;
	struct tmeta_salvage got;
	struct error err;

	image_init(&damaged, 6);
	image_create(&damaged, 0, 1);
	image_make_lists(&damaged);
	image_store(&damaged);
	image_init(&mended, 6);
	image_create(&mended, 0, 1);
	image_create(&mended, 1, 2);
	image_write(&mended, 1, 7);
	image_make_lists(&mended);
	image_store(&mended);
	CU_ASSERT_EQUAL_FATAL(tmeta_open(damaged.path, 0, &left, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tmeta_open(mended.path, 0, &right, &err), 0);
	CU_ASSERT_EQUAL(tmeta_salvage(left, right, 2, &got, &err), 0);
	CU_ASSERT_EQUAL(got.unsure_blocks, 1);
	CU_ASSERT_EQUAL(tmeta_salvage(left, right, 3, &got, &err), -1);
	tmeta_close(take_ptr(right));
	spoil(&mended, mended.volumes[1].root);
	CU_ASSERT_EQUAL_FATAL(tmeta_open(mended.path, 0, &right, &err), 0);
	CU_ASSERT_EQUAL(tmeta_salvage(left, right, 2, &got, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

UNIT_SUITE(salvage, { "random pools: lost, unsure and other are exact", test_random_pools },
	   { "a volume that one of them has not", test_a_volume_apart });
