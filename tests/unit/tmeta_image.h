/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmeta_image - write thin metadata for tests, with nodes shared like dm-thin shares them
 *
 * A volume's tree is changed by copying the nodes from the root down, unless
 * the volume has made them since it was last part of a snapshot. Nodes take few
 * entries, so that a few hundred keys make a high tree. Space maps are not
 * kept: the readers under test do not look at them. Little-endian hosts only.
 *
 * Beside the image a plain array for each volume says what must be found there.
 */
#ifndef TMETA_IMAGE_H
#define TMETA_IMAGE_H

#include <assert.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tmeta/format.h"
#include "unit.h"

#define IMAGE_BLOCKS	  8192u
#define IMAGE_VOLUMES	  16u
#define IMAGE_KEYS	  1024u
#define IMAGE_DATA_BLOCKS 1000000u
#define IMAGE_FIRST_FREE  512u /* in front of them thin_restore may have put something */

struct image_volume {
	uint32_t id;
	uint64_t root;		     /* 0 for an unused slot */
	uint64_t blocks[IMAGE_KEYS]; /* data block + 1, or 0 */
};

struct image {
	char path[64];
	uint8_t *data;		       /* IMAGE_BLOCKS blocks */
	uint32_t maker[IMAGE_BLOCKS];  /* who may change the node in place */
	uint32_t stamp[IMAGE_VOLUMES]; /* renewed by a snapshot */
	uint32_t next_stamp;
	uint64_t next_block;
	uint64_t next_data_block;
	uint32_t max_entries; /* of a mapping node: a multiple of 3 */
	struct image_volume volumes[IMAGE_VOLUMES];
};

static inline void image_done(struct image *image)
{
	if (image->path[0])
		unlink(image->path);
	free(image->data);
}
#define auto_image __attribute__((cleanup(image_done)))

static inline uint8_t *image_at(struct image *image, uint64_t block)
{
	assert(block < IMAGE_BLOCKS);
	return image->data + block * META_BLOCK_BYTES;
}

static inline struct disk_node *image_node(struct image *image, uint64_t block)
{
	return (struct disk_node *)image_at(image, block);
}

static inline uint64_t *image_keys(struct image *image, uint64_t block)
{
	return (uint64_t *)(image_at(image, block) + sizeof(struct disk_node));
}

/* Of nodes with values of 8 bytes. */
static inline uint64_t *image_values(struct image *image, uint64_t block)
{
	return image_keys(image, block) + image_node(image, block)->max_entries;
}

static inline struct disk_super *image_super(struct image *image)
{
	return (struct disk_super *)image->data;
}

static inline void image_seal(struct image *image, uint64_t block, uint32_t salt)
{
	uint8_t *data = image_at(image, block);
	uint32_t csum = crc32_iscsi(data + 4, META_BLOCK_BYTES - 4, UINT32_MAX) ^ salt;

	memcpy(data, &csum, sizeof(csum));
}

static inline uint64_t image_alloc(struct image *image, bool leaf, uint32_t max_entries,
				   uint32_t value_bytes)
{
	uint64_t block = image->next_block++;

	*image_node(image, block) = (struct disk_node){
		.flags = leaf ? NODE_FLAG_LEAF : NODE_FLAG_INTERNAL,
		.block_nr = block,
		.max_entries = max_entries,
		.value_bytes = value_bytes,
	};
	return block;
}

static inline void image_init(struct image *image, uint32_t max_entries)
{
	static const char path[] = "/tmp/veneer-tmeta-XXXXXX";
	int fd;

	memset(image, 0, sizeof(*image));
	memcpy(image->path, path, sizeof(path));
	fd = mkstemp(image->path);
	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	image->data = xcalloc(IMAGE_BLOCKS, META_BLOCK_BYTES);
	image->next_block = IMAGE_FIRST_FREE;
	image->next_stamp = 1;
	image->max_entries = max_entries;
	*image_super(image) = (struct disk_super){
		.magic = SUPER_MAGIC,
		.version = 2,
		.transaction_id = 7,
		.data_sm_root = { .nr_blocks = IMAGE_DATA_BLOCKS },
		.data_block_sectors = DATA_BLOCK_SECTORS_MIN,
		.meta_block_sectors = META_BLOCK_SECTORS,
		.nr_meta_blocks = IMAGE_BLOCKS,
	};
}

/* A new empty volume in the slot. */
static inline void image_create(struct image *image, unsigned slot, uint32_t id)
{
	struct image_volume *volume = &image->volumes[slot];

	memset(volume->blocks, 0, sizeof(volume->blocks));
	volume->id = id;
	volume->root = image_alloc(image, true, image->max_entries, sizeof(uint64_t));
	image->stamp[slot] = image->next_stamp++;
	image->maker[volume->root] = image->stamp[slot];
}

static inline void image_snapshot(struct image *image, unsigned origin, unsigned slot, uint32_t id)
{
	image->volumes[slot] = image->volumes[origin];
	image->volumes[slot].id = id;
	image->stamp[origin] = image->next_stamp++;
	image->stamp[slot] = image->next_stamp++;
}

/* The node itself, or a copy that this volume may change. */
static inline uint64_t image_shadow(struct image *image, unsigned slot, uint64_t block)
{
	uint64_t copy;

	if (image->maker[block] == image->stamp[slot])
		return block;
	copy = image_alloc(image, true, 3, sizeof(uint64_t));
	memcpy(image_at(image, copy), image_at(image, block), META_BLOCK_BYTES);
	image_node(image, copy)->block_nr = copy;
	image->maker[copy] = image->stamp[slot];
	return copy;
}

static inline void image_insert_at(struct image *image, uint64_t block, uint32_t index,
				   uint64_t key, uint64_t value)
{
	struct disk_node *node = image_node(image, block);
	uint64_t *keys = image_keys(image, block);
	uint64_t *values = image_values(image, block);

	assert(node->nr_entries < node->max_entries);
	memmove(keys + index + 1, keys + index, (node->nr_entries - index) * sizeof(*keys));
	memmove(values + index + 1, values + index, (node->nr_entries - index) * sizeof(*keys));
	keys[index] = key;
	values[index] = value;
	node->nr_entries++;
}

static inline void image_remove_at(struct image *image, uint64_t block, uint32_t index)
{
	struct disk_node *node = image_node(image, block);
	uint64_t *keys = image_keys(image, block);
	uint64_t *values = image_values(image, block);

	node->nr_entries--;
	memmove(keys + index, keys + index + 1, (node->nr_entries - index) * sizeof(*keys));
	memmove(values + index, values + index + 1, (node->nr_entries - index) * sizeof(*keys));
}

/* The last index whose key is not larger, or 0. */
static inline uint32_t image_index(struct image *image, uint64_t block, uint64_t key)
{
	const uint64_t *keys = image_keys(image, block);
	uint32_t i = image_node(image, block)->nr_entries;

	while (i > 1 && keys[i - 1] > key)
		i--;
	return i ? i - 1 : 0;
}

/* Moves the upper half of a full child, already shadowed, to a new sibling. */
static inline void image_split_child(struct image *image, unsigned slot, uint64_t parent,
				     uint32_t index)
{
	uint64_t left = image_values(image, parent)[index];
	struct disk_node *node = image_node(image, left);
	uint64_t right = image_alloc(image, node->flags == NODE_FLAG_LEAF, node->max_entries,
				     sizeof(uint64_t));
	uint32_t half = node->nr_entries / 2;

	image->maker[right] = image->stamp[slot];
	for (uint32_t i = half; i < node->nr_entries; i++)
		image_insert_at(image, right, i - half, image_keys(image, left)[i],
				image_values(image, left)[i]);
	node->nr_entries = half;
	image_insert_at(image, parent, index + 1, image_keys(image, right)[0], right);
}

static inline bool image_is_full(struct image *image, uint64_t block)
{
	return image_node(image, block)->nr_entries == image_node(image, block)->max_entries;
}

static inline void image_set(struct image *image, unsigned slot, uint64_t key, uint64_t data_block)
{
	struct image_volume *volume = &image->volumes[slot];
	uint64_t block = image_shadow(image, slot, volume->root);
	uint64_t *keys;
	uint32_t index;

	if (image_is_full(image, block)) {
		uint64_t root = image_alloc(image, false, image->max_entries, sizeof(uint64_t));

		image->maker[root] = image->stamp[slot];
		image_insert_at(image, root, 0, image_keys(image, block)[0], block);
		image_split_child(image, slot, root, 0);
		block = root;
	}
	volume->root = block;
	while (image_node(image, block)->flags == NODE_FLAG_INTERNAL) {
		uint64_t child;

		index = image_index(image, block, key);
		child = image_shadow(image, slot, image_values(image, block)[index]);
		image_values(image, block)[index] = child;
		if (key < image_keys(image, block)[index])
			image_keys(image, block)[index] = key;
		if (image_is_full(image, child)) {
			image_split_child(image, slot, block, index);
			index = image_index(image, block, key);
			child = image_values(image, block)[index];
		}
		block = child;
	}
	keys = image_keys(image, block);
	for (index = 0; index < image_node(image, block)->nr_entries && keys[index] < key;)
		index++;
	if (index < image_node(image, block)->nr_entries && keys[index] == key)
		image_remove_at(image, block, index);
	image_insert_at(image, block, index, key, data_block << 24 | image->stamp[slot]);
	volume->blocks[key] = data_block + 1;
}

/* A write: the key gets a data block that nobody has. */
static inline void image_write(struct image *image, unsigned slot, uint64_t key)
{
	image_set(image, slot, key, image->next_data_block++);
}

/* A child with too few entries is joined with a neighbour, or takes from it. */
static inline void image_rebalance(struct image *image, unsigned slot, uint64_t parent,
				   uint32_t index)
{
	uint64_t *children = image_values(image, parent);
	uint32_t max = image_node(image, children[index])->max_entries;
	uint64_t keys[2 * 252];
	uint64_t values[2 * 252];
	uint32_t nr = 0;
	uint32_t nr_left;

	if (image_node(image, children[index])->nr_entries * 3 >= max)
		return;
	index -= index + 1 == image_node(image, parent)->nr_entries;
	for (uint32_t i = index; i < index + 2; i++) {
		struct disk_node *node;

		children[i] = image_shadow(image, slot, children[i]);
		node = image_node(image, children[i]);
		for (uint32_t k = 0; k < node->nr_entries; k++, nr++) {
			keys[nr] = image_keys(image, children[i])[k];
			values[nr] = image_values(image, children[i])[k];
		}
		node->nr_entries = 0;
	}
	nr_left = nr <= max ? nr : nr / 2;
	for (uint32_t i = 0; i < nr_left; i++)
		image_insert_at(image, children[index], i, keys[i], values[i]);
	for (uint32_t i = nr_left; i < nr; i++)
		image_insert_at(image, children[index + 1], i - nr_left, keys[i], values[i]);
	if (nr_left == nr)
		image_remove_at(image, parent, index + 1);
	else
		image_keys(image, parent)[index + 1] = keys[nr_left];
}

/* Returns the node that takes the place of block. */
static inline uint64_t image_unset_below(struct image *image, unsigned slot, uint64_t block,
					 uint64_t key)
{
	uint32_t index = image_index(image, block, key);
	uint64_t *values;

	block = image_shadow(image, slot, block);
	if (image_node(image, block)->flags == NODE_FLAG_LEAF) {
		image_remove_at(image, block, index);
	} else {
		values = image_values(image, block);
		values[index] = image_unset_below(image, slot, values[index], key);
		image_rebalance(image, slot, block, index);
	}
	return block;
}

/* A discard of a key that is mapped. */
static inline void image_unset(struct image *image, unsigned slot, uint64_t key)
{
	struct image_volume *volume = &image->volumes[slot];
	uint64_t root = image_unset_below(image, slot, volume->root, key);

	while (image_node(image, root)->flags == NODE_FLAG_INTERNAL &&
	       image_node(image, root)->nr_entries == 1)
		root = image_values(image, root)[0];
	volume->root = root;
	volume->blocks[key] = 0;
}

static inline uint64_t image_nr_mapped(const struct image_volume *volume)
{
	uint64_t nr = 0;

	for (unsigned key = 0; key < IMAGE_KEYS; key++)
		nr += volume->blocks[key] != 0;
	return nr;
}

/* The two trees that name the volumes, by rising slot: give ids that rise, too. */
static inline void image_make_lists(struct image *image)
{
	uint64_t list = image_alloc(image, true, 252, sizeof(uint64_t));
	uint64_t details = image_alloc(image, true, 126, sizeof(struct disk_details));
	struct disk_details *values = (struct disk_details *)image_values(image, details);

	for (unsigned slot = 0; slot < IMAGE_VOLUMES; slot++) {
		const struct image_volume *volume = &image->volumes[slot];
		uint32_t nr = image_node(image, list)->nr_entries;

		if (!volume->root)
			continue;
		image_insert_at(image, list, nr, volume->id, volume->root);
		image_keys(image, details)[nr] = volume->id;
		values[nr] = (struct disk_details){ .mapped_blocks = image_nr_mapped(volume),
						    .transaction_id = 100 + slot };
		image_node(image, details)->nr_entries++;
	}
	image_super(image)->mapping_root = list;
	image_super(image)->details_root = details;
}

/* Writes checksums and the file; lists first. The image may be changed and saved again. */
static inline void image_store(struct image *image)
{
	int fd = open(image->path, O_WRONLY | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	image_seal(image, SUPER_BLOCK, SUPER_CSUM_SALT);
	for (uint64_t block = IMAGE_FIRST_FREE; block < image->next_block; block++)
		image_seal(image, block, NODE_CSUM_SALT);
	for (size_t done = 0; done < image->next_block * META_BLOCK_BYTES;) {
		size_t len = image->next_block * META_BLOCK_BYTES - done;
		ssize_t put = pwrite(fd, image->data + done, len, (off_t)done);

		CU_ASSERT_FATAL(put > 0);
		done += (size_t)put;
	}
	close(fd);
}

/* A number below limit from a small generator with a fixed start: the same on every machine. */
static inline uint32_t image_random(uint64_t *state, uint32_t limit)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % limit;
}

/* Volumes from id 1, most of them snapshots of others, with writes and discards between. */
static inline void image_grow_random(struct image *image, uint64_t *random, unsigned nr_volumes)
{
	for (unsigned slot = 0; slot < nr_volumes; slot++) {
		unsigned changes = image_random(random, 60);

		if (slot == 0 || image_random(random, 8) == 0)
			image_create(image, slot, 1 + slot);
		else
			image_snapshot(image, image_random(random, slot), slot, 1 + slot);
		for (unsigned i = 0; i < changes; i++) {
			unsigned target =
				image_random(random, 4) ? slot : image_random(random, slot + 1);
			unsigned start = image_random(random, IMAGE_KEYS - 40);
			unsigned end = start + 1 + image_random(random, 40);
			bool discard = image_random(random, 3) == 0;

			for (unsigned key = start; key < end; key++) {
				if (!discard)
					image_write(image, target, key);
				else if (image->volumes[target].blocks[key])
					image_unset(image, target, key);
			}
		}
	}
}

#endif
