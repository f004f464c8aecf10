/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/btree.h"

#include <stdio.h>
#include <string.h>

#include "tmeta_image.h"
#include "unit.h"

/* A tree of 100 keys (0, 3, 6, ...) in six-way nodes; data block = key + 1000. */
struct fixture {
	struct image image;
	struct block_reader *reader;
	struct btree tree;
};

static void fixture_done(struct fixture *f)
{
	block_reader_close(f->reader);
	image_done(&f->image);
}
#define auto_fixture __attribute__((cleanup(fixture_done)))

static void fixture_init(struct fixture *f)
{
	f->reader = NULL;
	image_init(&f->image, 6);
	image_create(&f->image, 0, 1);
	for (unsigned i = 0; i < 100; i++)
		image_set(&f->image, 0, 3 * i, 1000 + 3 * i);
}

static void fixture_open(struct fixture *f)
{
	struct error err;

	image_store(&f->image);
	CU_ASSERT_EQUAL_FATAL(0, block_reader_open(f->image.path, &f->reader, &err));
	f->tree = (struct btree){
		.blocks = f->reader,
		.root = f->image.volumes[0].root,
		.value_bytes = sizeof(uint64_t),
		.name = "tree",
	};
}

struct seen {
	unsigned nr;
	bool wrong;
};

static int see(void *context, uint64_t key, const uint8_t *value, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	if (key != 3 * (uint64_t)seen->nr || mapping_data_block(get_le64(value)) != 1000 + key)
		seen->wrong = true;
	seen->nr++;
	return 0;
}

static void test_walk(void)
{
	auto_fixture struct fixture f;
	struct seen seen = { 0 };
	struct error err;
	unsigned height;

	fixture_init(&f);
	fixture_open(&f);
	CU_ASSERT_EQUAL(0, btree_height(&f.tree, f.tree.root, &height, &err));
	CU_ASSERT_TRUE(height >= 3);
	CU_ASSERT_EQUAL(0, btree_walk(&f.tree, see, &seen, &err));
	CU_ASSERT_EQUAL(seen.nr, 100);
	CU_ASSERT_FALSE(seen.wrong);
}

static void test_lookup(void)
{
	auto_fixture struct fixture f;
	struct error err;
	uint64_t value;

	fixture_init(&f);
	fixture_open(&f);
	for (uint64_t key = 0; key < 303; key++) {
		int found = btree_lookup(&f.tree, key, &value, &err);

		if (key % 3 == 0 && key < 300) {
			CU_ASSERT_EQUAL(found, 0);
			CU_ASSERT_EQUAL(mapping_data_block(le64toh(value)), 1000 + key);
		} else {
			CU_ASSERT_EQUAL(found, -1);
			CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
		}
	}
}

static void test_empty_tree(void)
{
	auto_fixture struct fixture f;
	struct seen seen = { 0 };
	struct error err;
	uint64_t value;

	fixture_init(&f);
	image_create(&f.image, 0, 1);
	fixture_open(&f);
	CU_ASSERT_EQUAL(0, btree_walk(&f.tree, see, &seen, &err));
	CU_ASSERT_EQUAL(seen.nr, 0);
	CU_ASSERT_EQUAL(-1, btree_lookup(&f.tree, 0, &value, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
}

static void test_cursor_ranges_cover_all_keys(void)
{
	auto_fixture struct fixture f;
	auto_btree_cursor struct btree_cursor *cursor = NULL;
	const struct btree_item *item;
	uint64_t next = 0;
	struct error err;

	fixture_init(&f);
	fixture_open(&f);
	CU_ASSERT_EQUAL_FATAL(0, btree_cursor_new(&f.tree, &cursor, &err));
	item = btree_cursor_item(cursor);
	CU_ASSERT_EQUAL(item->first, 0);
	CU_ASSERT_EQUAL(item->last, UINT64_MAX);
	CU_ASSERT_EQUAL_FATAL(0, btree_cursor_enter(cursor, &err));
	while ((item = btree_cursor_item(cursor))) {
		CU_ASSERT_EQUAL(item->first, next);
		next = item->last + 1;
		btree_cursor_skip(cursor);
	}
	CU_ASSERT_EQUAL(next, 0); /* behind UINT64_MAX */
}

/* Damage: each changes one node in a way that its checksum does not tell. */
static void damage_flags(struct disk_node *node)
{
	node->flags = NODE_FLAG_LEAF | NODE_FLAG_INTERNAL;
}

static void damage_no_flags(struct disk_node *node)
{
	node->flags = 0;
}

static void damage_value_size(struct disk_node *node)
{
	node->value_bytes = 24;
}

static void damage_value_size_zero(struct disk_node *node)
{
	node->value_bytes = 0;
}

static void damage_max(struct disk_node *node)
{
	node->max_entries = 255;
}

static void damage_max_huge(struct disk_node *node)
{
	node->max_entries = 0x7ffffffe / 3 * 3;
}

static void damage_max_odd(struct disk_node *node)
{
	node->max_entries = 251;
}

static void damage_max_zero(struct disk_node *node)
{
	node->max_entries = 0;
	node->nr_entries = 0;
}

static void damage_nr(struct disk_node *node)
{
	node->nr_entries = node->max_entries + 1;
}

static void damage_empty(struct disk_node *node)
{
	node->nr_entries = 0;
}

static void damage_order(struct disk_node *node)
{
	uint64_t *keys = (uint64_t *)(node + 1);

	keys[1] = keys[0];
}

static void damage_low_key(struct disk_node *node)
{
	uint64_t *keys = (uint64_t *)(node + 1);

	keys[0]--;
}

static void damage_high_key(struct disk_node *node)
{
	uint64_t *keys = (uint64_t *)(node + 1);

	keys[node->nr_entries - 1] += 3;
}

static void damage_number(struct disk_node *node)
{
	node->block_nr++;
}

/* The second leaf: neighbours on both sides. */
static uint64_t second_leaf(struct image *image)
{
	uint64_t block = image->volumes[0].root;

	while (image_node(image, image_values(image, block)[1])->flags == NODE_FLAG_INTERNAL)
		block = image_values(image, block)[1];
	return image_values(image, block)[1];
}

static void expect_walk_fails(struct fixture *f, const char *text, uint64_t block)
{
	struct seen seen = { 0 };
	struct error err = { 0 };
	char number[40];

	fixture_open(f);
	CU_ASSERT_EQUAL(-1, btree_walk(&f->tree, see, &seen, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	snprintf(number, sizeof(number), "metadata block %ju", (uintmax_t)block);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, number));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_EQUAL(0, strncmp(err.text, "tree", 4));
}

static void test_damaged_nodes_are_refused(void)
{
	static const struct {
		void (*damage)(struct disk_node *node);
		const char *text;
	} cases[] = {
		{ damage_flags, "neither a leaf nor" },
		{ damage_no_flags, "neither a leaf nor" },
		{ damage_value_size, "values of another size" },
		{ damage_value_size_zero, "values of another size" },
		{ damage_max, "impossible number" },
		{ damage_max_huge, "impossible number" },
		{ damage_max_odd, "impossible number" },
		{ damage_max_zero, "impossible number" },
		{ damage_nr, "more entries than room" },
		{ damage_empty, "is empty" },
		{ damage_order, "do not rise" },
		{ damage_low_key, "keys outside" },
		{ damage_high_key, "keys outside" },
		{ damage_number, "holds block" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_fixture struct fixture f;
		uint64_t leaf;

		fixture_init(&f);
		leaf = second_leaf(&f.image);
		cases[i].damage(image_node(&f.image, leaf));
		expect_walk_fails(&f, cases[i].text, leaf);
	}
}

/* The bound of a last child is that of its parent, not its parent's own last key. */
static void test_bounds_are_handed_down(void)
{
	auto_fixture struct fixture f;
	uint64_t block;

	fixture_init(&f);
	block = image_values(&f.image, f.image.volumes[0].root)[0];
	while (image_node(&f.image, block)->flags == NODE_FLAG_INTERNAL)
		block = image_values(&f.image, block)[image_node(&f.image, block)->nr_entries - 1];
	damage_high_key(image_node(&f.image, block));
	expect_walk_fails(&f, "keys outside", block);
}

static void test_internal_node_without_child(void)
{
	auto_fixture struct fixture f;

	fixture_init(&f);
	image_node(&f.image, f.image.volumes[0].root)->nr_entries = 0;
	expect_walk_fails(&f, "has no child", f.image.volumes[0].root);
}

static void test_cycle_is_refused(void)
{
	auto_fixture struct fixture f;
	uint64_t root;

	fixture_init(&f);
	root = f.image.volumes[0].root;
	image_values(&f.image, root)[0] = root;
	expect_walk_fails(&f, "higher than 16 levels", root);
}

static void test_uneven_depth_is_refused(void)
{
	auto_fixture struct fixture f;
	uint64_t root;

	fixture_init(&f);
	root = f.image.volumes[0].root;
	image_values(&f.image, root)[1] = second_leaf(&f.image);
	expect_walk_fails(&f, "not at the same depth", second_leaf(&f.image));
}

static void test_superblock_is_no_node(void)
{
	auto_fixture struct fixture f;

	fixture_init(&f);
	image_values(&f.image, f.image.volumes[0].root)[1] = 0;
	expect_walk_fails(&f, "superblock", 0);
}

static void test_root_as_leaf_everywhere_ends(void)
{
	auto_fixture struct fixture f;
	struct error err = { 0 };
	uint64_t value;
	uint64_t root;

	fixture_init(&f);
	root = f.image.volumes[0].root;
	for (unsigned i = 0; i < 6; i++)
		image_values(&f.image, root)[i] = root;
	fixture_open(&f);
	CU_ASSERT_EQUAL(-1, btree_lookup(&f.tree, 100, &value, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

UNIT_SUITE(btree, { "a walk tells every key in order", test_walk },
	   { "a lookup finds what is there and nothing else", test_lookup },
	   { "an empty tree has nothing", test_empty_tree },
	   { "the items of a cursor cover all keys", test_cursor_ranges_cover_all_keys },
	   { "damaged nodes are refused by name", test_damaged_nodes_are_refused },
	   { "a last child is bound by its parent's range", test_bounds_are_handed_down },
	   { "an internal node without child is refused", test_internal_node_without_child },
	   { "a cycle is refused", test_cycle_is_refused },
	   { "leaves at different depths are refused", test_uneven_depth_is_refused },
	   { "the superblock is no node", test_superblock_is_no_node },
	   { "a lookup in a tree that is its own child ends", test_root_as_leaf_everywhere_ends });
