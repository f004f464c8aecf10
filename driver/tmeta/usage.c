/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting exclusive blocks without walking what volumes share once for each of them:
 *
 * First every node gets a mark, the volume that owns it or "shared". Only
 * internal nodes are read for that; below a node met again, marks are turned to
 * shared, once. Then every leaf is read, once, in the order of the device.
 * Each of its entries is a use of a data block by the leaf's owner. A block
 * with uses by a single owner is exclusive: leaves of two volumes may differ
 * and still name common blocks.
 */
#include "tmeta/usage.h"

#include <errno.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "tmeta/metadata.h"

/* A mark: 0 for a block not met, else owner (index of a volume), level and MARK_SHARED. */
#define MARK_OWNER	 UINT32_C(0x00ffffff)
#define MARK_LEVEL_SHIFT 24
#define MARK_LEVEL	 (UINT32_C(0x1f) << MARK_LEVEL_SHIFT)
#define MARK_SHARED	 (UINT32_C(1) << 29)
static_assert(BTREE_HEIGHT_MAX <= 0x1f, "a level fits its mark");

/* A use: data block in the upper 40 bits, owner in the lower 24. */
#define USE_OWNER_BITS 24
#define USE_SHARED     MARK_OWNER /* more than one owner: no volume has this index */

struct volumes {
	struct tmeta_volume *items;
	size_t nr;
	size_t cap;
};

static void volumes_done(struct volumes *volumes)
{
	free(volumes->items);
}
#define auto_volumes __attribute__((cleanup(volumes_done)))

struct census {
	struct tmeta *tmeta;
	struct volumes *volumes;
	size_t owner;	 /* index of the volume whose tree is being marked */
	uint32_t *marks; /* one for each block of the device */
	size_t nr_leaves;
	uint64_t *uses;
	size_t nr_uses;
};

static void census_done(struct census *census)
{
	free(census->marks);
	free(census->uses);
}
#define auto_census __attribute__((cleanup(census_done)))

static int add_volume(void *context, uint64_t key, const uint8_t *value, struct error *err)
{
	struct volumes *volumes = context;
	const struct disk_details *details = (const struct disk_details *)value;

	if (key > THIN_ID_MAX)
		return err_set(err, ERR_CORRUPT, "details of volumes: impossible id %ju",
			       (uintmax_t)key);
	if (volumes->nr == volumes->cap) {
		volumes->cap = volumes->cap ? 2 * volumes->cap : 64;
		volumes->items = xrealloc(volumes->items, volumes->cap * sizeof(*volumes->items));
	}
	volumes->items[volumes->nr++] = (struct tmeta_volume){
		.id = (uint32_t)key,
		.mapped_blocks = le64toh(details->mapped_blocks),
		.transaction_id = le64toh(details->transaction_id),
		.creation_time = le32toh(details->creation_time),
		.snapshotted_time = le32toh(details->snapshotted_time),
	};
	return 0;
}

static int list_volumes(struct tmeta *tmeta, struct volumes *volumes, struct error *err)
{
	return btree_walk(&tmeta->details, add_volume, volumes, err);
}

int tmeta_list(struct tmeta *tmeta, struct tmeta_volume **ret, size_t *ret_nr, struct error *err)
{
	auto_volumes struct volumes volumes = { 0 };

	if (list_volumes(tmeta, &volumes, err) < 0)
		return -1;
	*ret_nr = volumes.nr;
	*ret = take_ptr(volumes.items);
	return 0;
}

int tmeta_list_ids(struct tmeta *tmeta, uint32_t **ret_ids, size_t *ret_nr, struct error *err)
{
	auto_volumes struct volumes volumes = { 0 };

	if (list_volumes(tmeta, &volumes, err) < 0)
		return -1;
	*ret_ids = volumes.nr ? xcalloc(volumes.nr, sizeof(**ret_ids)) : NULL;
	*ret_nr = volumes.nr;
	for (size_t i = 0; i < volumes.nr; i++)
		(*ret_ids)[i] = volumes.items[i].id;
	return 0;
}

static int node_error(const struct btree *tree, uint64_t block, const char *complaint,
		      struct error *err)
{
	return err_set(err, ERR_CORRUPT, "%s: metadata block %ju %s", tree->name, (uintmax_t)block,
		       complaint);
}

static int mark_children(struct census *census, const struct btree *tree, uint64_t block,
			 unsigned level, struct error *err);

/* Recursion ends with the level, at most BTREE_HEIGHT_MAX. */
static int mark_node(struct census *census, const struct btree *tree, uint64_t block,
		     unsigned level, struct error *err)
{
	uint32_t *mark;

	if (block == SUPER_BLOCK || block >= census->tmeta->info.nr_meta_blocks)
		return node_error(tree, block, "cannot be a node", err);
	mark = &census->marks[block];
	if (!*mark) {
		*mark = level << MARK_LEVEL_SHIFT | (uint32_t)census->owner;
		census->nr_leaves += level == 1;
	} else if ((*mark & MARK_LEVEL) >> MARK_LEVEL_SHIFT != level) {
		return node_error(tree, block, "is used at two depths", err);
	} else if (*mark & MARK_SHARED) {
		return 0;
	} else if ((*mark & MARK_OWNER) == census->owner) {
		return node_error(tree, block, "is used twice in one volume", err);
	} else {
		*mark |= MARK_SHARED;
	}
	return level == 1 ? 0 : mark_children(census, tree, block, level, err);
}

static int mark_children(struct census *census, const struct btree *tree, uint64_t block,
			 unsigned level, struct error *err)
{
	auto_free uint64_t *children = NULL;
	const struct disk_node *node;
	uint32_t nr;

	if (btree_node(tree, block, &node, err) < 0)
		return -1;
	if (btree_node_is_leaf(node))
		return node_error(tree, block, "is a leaf above others", err);
	nr = btree_node_nr(node);
	children = xcalloc(nr, sizeof(*children));
	for (uint32_t i = 0; i < nr; i++)
		children[i] = get_le64(btree_node_value(node, i));
	for (uint32_t i = 0; i < nr; i++)
		if (mark_node(census, tree, children[i], level - 1, err) < 0)
			return -1;
	return 0;
}

/* For each entry of the list of volumes; both lists rise. */
static int mark_volume(void *context, uint64_t key, const uint8_t *value, struct error *err)
{
	struct census *census = context;
	struct volumes *volumes = census->volumes;
	uint64_t root = get_le64(value);
	struct btree tree;
	unsigned level;

	while (census->owner < volumes->nr && volumes->items[census->owner].id < key)
		census->owner++;
	if (census->owner == volumes->nr || volumes->items[census->owner].id != key)
		return err_set(err, ERR_CORRUPT, "volume %ju has a mapping, but no details",
			       (uintmax_t)key);
	tmeta_mapping_tree(census->tmeta, key, root, &tree);
	if (root < census->tmeta->info.nr_meta_blocks && census->marks[root])
		level = (census->marks[root] & MARK_LEVEL) >> MARK_LEVEL_SHIFT;
	else if (btree_height(&tree, root, &level, err) < 0)
		return -1;
	return mark_node(census, &tree, root, level, err);
}

static int add_uses_of_leaf(struct census *census, uint64_t block, struct error *err)
{
	uint32_t mark = census->marks[block];
	uint32_t owner = mark & MARK_OWNER;
	const struct disk_node *node;
	struct btree tree;

	tmeta_mapping_tree(census->tmeta, census->volumes->items[owner].id, 0, &tree);
	if (btree_node(&tree, block, &node, err) < 0)
		return -1;
	if (!btree_node_is_leaf(node))
		return node_error(&tree, block, "is not at the same depth as the others", err);
	for (uint32_t i = 0; i < btree_node_nr(node); i++) {
		uint64_t data_block = mapping_data_block(get_le64(btree_node_value(node, i)));

		if (tmeta_check_data_block(census->tmeta, &tree, data_block, err) < 0)
			return -1;
		census->uses[census->nr_uses++] =
			data_block << USE_OWNER_BITS | (mark & MARK_SHARED ? USE_SHARED : owner);
	}
	return 0;
}

static bool is_leaf(const struct census *census, uint64_t block)
{
	return (census->marks[block] & MARK_LEVEL) >> MARK_LEVEL_SHIFT == 1;
}

/* The blocks from first to end, all of one group. */
static int add_uses_of_group(struct census *census, uint64_t first, uint64_t end, struct error *err)
{
	while (first < end && !is_leaf(census, first))
		first++;
	while (first < end && !is_leaf(census, end - 1))
		end--;
	if (first == end)
		return 0;
	if (cancel_check(err) < 0)
		return -1;
	block_fetch(census->tmeta->blocks, first, end - 1);
	for (uint64_t block = first; block < end; block++)
		if (is_leaf(census, block) && add_uses_of_leaf(census, block, err) < 0)
			return -1;
	return 0;
}

/* Untouched memory costs nothing, so room for full leaves is asked for at once. */
static int gather_uses(struct census *census, struct error *err)
{
	const size_t leaf_entries =
		(META_BLOCK_BYTES - sizeof(struct disk_node)) / (2 * sizeof(uint64_t));
	uint64_t nr_blocks = census->tmeta->info.nr_meta_blocks;

	census->uses = calloc(census->nr_leaves * leaf_entries + 1, sizeof(*census->uses));
	if (!census->uses)
		return err_sys(err, ENOMEM, "count the uses of %zu leaves", census->nr_leaves);
	for (uint64_t first = 0; first < nr_blocks; first += BLOCK_GROUP) {
		uint64_t end = first + BLOCK_GROUP < nr_blocks ? first + BLOCK_GROUP : nr_blocks;

		if (add_uses_of_group(census, first, end, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_uses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Returns the number of distinct data blocks. */
static uint64_t count_exclusive(struct census *census)
{
	const uint64_t *uses = census->uses;
	uint64_t total = 0;
	size_t next;

	qsort(census->uses, census->nr_uses, sizeof(*uses), compare_uses);
	for (size_t i = 0; i < census->nr_uses; i = next) {
		uint64_t data_block = uses[i] >> USE_OWNER_BITS;
		uint32_t owner = uses[i] & MARK_OWNER;

		for (next = i; next < census->nr_uses; next++) {
			if (uses[next] >> USE_OWNER_BITS != data_block)
				break;
			if ((uses[next] & MARK_OWNER) != owner)
				owner = USE_SHARED;
		}
		total++;
		if (owner != USE_SHARED)
			census->volumes->items[owner].exclusive_blocks++;
	}
	return total;
}

static int set_shared(struct volumes *volumes, struct error *err)
{
	for (size_t i = 0; i < volumes->nr; i++) {
		struct tmeta_volume *v = &volumes->items[i];

		if (v->exclusive_blocks > v->mapped_blocks)
			return err_set(err, ERR_CORRUPT,
				       "volume %u should map %ju blocks, but has %ju of its own",
				       v->id, (uintmax_t)v->mapped_blocks,
				       (uintmax_t)v->exclusive_blocks);
		v->shared_blocks = v->mapped_blocks - v->exclusive_blocks;
	}
	return 0;
}

int tmeta_usage(struct tmeta *tmeta, struct tmeta_volume **ret, size_t *ret_nr,
		uint64_t *ret_total_blocks, struct error *err)
{
	auto_volumes struct volumes volumes = { 0 };
	auto_census struct census census = { .tmeta = tmeta, .volumes = &volumes };
	uint64_t total;

	if (list_volumes(tmeta, &volumes, err) < 0)
		return -1;
	if (volumes.nr >= USE_SHARED)
		return err_set(err, ERR_LIMIT, "%zu volumes are too many to count", volumes.nr);
	census.marks = calloc(tmeta->info.nr_meta_blocks, sizeof(*census.marks));
	if (!census.marks)
		return err_sys(err, ENOMEM, "mark metadata blocks");
	if (btree_walk(&tmeta->volumes, mark_volume, &census, err) < 0 ||
	    gather_uses(&census, err) < 0)
		return -1;
	total = count_exclusive(&census);
	if (set_shared(&volumes, err) < 0)
		return -1;
	if (ret_total_blocks)
		*ret_total_blocks = total;
	*ret_nr = volumes.nr;
	*ret = take_ptr(volumes.items);
	return 0;
}
