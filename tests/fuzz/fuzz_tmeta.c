/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tmeta - the metadata reader on arbitrary images
 *
 * The input is a metadata device. Checksums and block numbers are made right
 * first, so that damage reaches the code behind them. Seeds: tests/spec/tmeta.
 *
 * Beyond "no crash": answers that are given must fit each other.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/isal.h"
#include "fuzz.h"
#include "tmeta/delta.h"
#include "tmeta/format.h"
#include "tmeta/usage.h"

#define IMAGE_BLOCKS_MAX 128u
#define VOLUMES_MAX	 5u /* compared with each other */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max_len);

static uint8_t image[IMAGE_BLOCKS_MAX * META_BLOCK_BYTES];

static void seal(uint64_t nr_blocks)
{
	for (uint64_t block = 0; block < nr_blocks; block++) {
		uint8_t *at = image + block * META_BLOCK_BYTES;
		struct disk_super *super = (struct disk_super *)at;
		bool is_super = block == 0 || le64toh(super->magic) == SUPER_MAGIC;

		super->block_nr = htole64(block);
		super->csum = htole32(isal_crc32c(UINT32_MAX, at + 4, META_BLOCK_BYTES - 4) ^
				      (is_super ? SUPER_CSUM_SALT : NODE_CSUM_SALT));
	}
}

static void check_delta(struct tmeta *tmeta, uint32_t a, uint32_t b)
{
	struct tmeta_delta all_a;
	struct tmeta_delta all_b;
	struct tmeta_delta forth;
	struct tmeta_delta back;
	struct error err;

	if (tmeta_delta(tmeta, TMETA_EMPTY, a, &all_a, &err) < 0 ||
	    tmeta_delta(tmeta, TMETA_EMPTY, b, &all_b, &err) < 0)
		return;
	must(tmeta_delta(tmeta, a, b, &forth, &err) == 0, "two sound trees can be compared");
	must(tmeta_delta(tmeta, b, a, &back, &err) == 0, "two sound trees can be compared");
	must(all_a.own_blocks + forth.own_blocks >= forth.dropped_blocks, "drops are bounded");
	must(all_a.own_blocks - forth.dropped_blocks == all_b.own_blocks - back.dropped_blocks,
	     "common keys are counted alike");
	must(forth.own_blocks - back.dropped_blocks == back.own_blocks - forth.dropped_blocks,
	     "changed keys are counted alike");
	must(a != b || (!forth.own_blocks && !forth.dropped_blocks), "a volume equals itself");
}

static void check_usage(struct tmeta *tmeta)
{
	auto_free struct tmeta_volume *volumes = NULL;
	struct error err;
	uint64_t exclusive = 0;
	uint64_t total;
	size_t nr;

	if (tmeta_usage(tmeta, &volumes, &nr, &total, &err) < 0)
		return;
	for (size_t i = 0; i < nr; i++)
		exclusive += volumes[i].exclusive_blocks;
	must(exclusive <= total, "exclusive blocks are among all blocks");
}

static void check_image(const char *path, uint64_t held_root)
{
	auto_tmeta struct tmeta *tmeta = NULL;
	auto_free uint32_t *ids = NULL;
	struct error err;
	size_t nr;

	if (tmeta_open(path, held_root, &tmeta, &err) < 0)
		return;
	check_usage(tmeta);
	if (tmeta_list_ids(tmeta, &ids, &nr, &err) < 0)
		return;
	for (size_t a = 0; a < nr && a < VOLUMES_MAX; a++)
		for (size_t b = 0; b <= a; b++)
			check_delta(tmeta, ids[a], ids[b]);
}

/* Somewhere that matters: a root, a field of a node's header, one of its keys or values. */
static size_t pick_field(const uint8_t *block, bool is_super)
{
	static const size_t roots[] = { offsetof(struct disk_super, held_root),
					offsetof(struct disk_super, mapping_root),
					offsetof(struct disk_super, details_root) };
	const struct disk_node *node = (const struct disk_node *)block;
	size_t nr = le32toh(node->nr_entries) % 256 + 1;
	size_t max = le32toh(node->max_entries) % 256;

	if (is_super)
		return roots[random() % 3];
	switch (random() % 3) {
	case 0:
		return (size_t)(random() % 2 ? 4 : 16 + random() % 3 * 4);
	case 1:
		return sizeof(*node) + (size_t)random() % nr * 8;
	default:
		return sizeof(*node) + (max + (size_t)random() % nr) * 8;
	}
}

/* Random bytes seldom make a tree that is wrong in its shape; small numbers in fields do. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed)
{
	size_t nr_blocks = len / META_BLOCK_BYTES;
	uint8_t *block;
	uint64_t value;
	size_t at;

	srandom(seed);
	if (!nr_blocks || random() % 4 == 0)
		return LLVMFuzzerMutate(data, len, max_len);
	block = data + (size_t)random() % nr_blocks * META_BLOCK_BYTES;
	at = pick_field(block, block == data) % (META_BLOCK_BYTES - 8);
	value = get_le64(block + at);
	switch (random() % 3) {
	case 0:
		value = (uint64_t)random() % nr_blocks;
		break;
	case 1:
		value += (uint64_t)(random() % 5) - 2;
		break;
	default:
		value = get_le64(block + (at ^ 8) % (META_BLOCK_BYTES - 8));
	}
	value = htole64(value);
	memcpy(block + at, &value, at < sizeof(struct disk_node) && block != data ? 4 : 8);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;
	static char path[32];
	uint64_t nr_blocks;

	if (fd < 0) {
		fd = memfd_create("metadata", MFD_CLOEXEC);
		must(fd >= 0, "memfd_create");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (len > sizeof(image))
		len = sizeof(image);
	nr_blocks = (len + META_BLOCK_BYTES - 1) / META_BLOCK_BYTES;
	memset(image, 0, nr_blocks * META_BLOCK_BYTES);
	memcpy(image, data, len);
	seal(nr_blocks);
	must(ftruncate(fd, (off_t)(nr_blocks * META_BLOCK_BYTES)) == 0, "ftruncate");
	must(pwrite(fd, image, nr_blocks * META_BLOCK_BYTES, 0) ==
		     (ssize_t)(nr_blocks * META_BLOCK_BYTES),
	     "pwrite");
	check_image(path, 0);
	if (nr_blocks)
		check_image(path, le64toh(((struct disk_super *)image)->held_root));
	return 0;
}
