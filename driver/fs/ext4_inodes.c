/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_inodes.h"

#include <stdlib.h>

#include "base/buf.h"

/* Fibonacci hashing: neighbours are what comes, and the upper bits spread them. */
static size_t place(const struct ext4_inodes *set, uint32_t inode)
{
	size_t at = (size_t)((inode * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (set->cap - 1);

	while (set->slots[at].inode && set->slots[at].inode != inode)
		at = (at + 1) & (set->cap - 1);
	return at;
}

static void grow(struct ext4_inodes *set)
{
	struct ext4_inodes bigger = { .nr = set->nr, .cap = set->cap ? set->cap * 2 : 64 };

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i].inode)
			bigger.slots[place(&bigger, set->slots[i].inode)] = set->slots[i];
	free(set->slots);
	*set = bigger;
}

struct ext4_known *ext4_inodes_find(const struct ext4_inodes *set, uint32_t inode)
{
	struct ext4_known *known;

	if (!set->cap)
		return NULL;
	known = &set->slots[place(set, inode)];
	return known->inode ? known : NULL;
}

struct ext4_known *ext4_inodes_add(struct ext4_inodes *set, uint32_t inode)
{
	struct ext4_known *known;

	if (set->nr >= set->cap / 2)
		grow(set);
	known = &set->slots[place(set, inode)];
	if (!known->inode) {
		known->inode = inode;
		set->nr++;
	}
	return known;
}

void ext4_inodes_done(struct ext4_inodes *set)
{
	free(set->slots);
	*set = (struct ext4_inodes){ 0 };
}
