/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which directories lead to what changed. A directory says itself where it is;
 * a file does not, and one that was changed in place may be in a directory that
 * was not. ext4 puts a file's inode into the group of its directory's, at the
 * next free place: so the directory is mostly a few inodes before it. Where it
 * is not, times help: since the file came into its directory, that has changed,
 * so one that last changed before the file was made need not be read. As clocks
 * go backwards, these are read in the end, if nothing else was found.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "fs/ext4_dir.h"
#include "fs/ext4_pair.h"

struct search {
	struct ext4_pair *pair;
	uint32_t sought; /* 0: all that are left, from the first group on */
	int64_t since;	 /* directories that changed earlier are passed over */
};

/* Blocks of an inode table that are looked at together. */
#define CHUNK_BLOCKS 16u
#define CHUNK_INODES (CHUNK_BLOCKS * EXT4_BLOCK_INODES)

/* Returns 1 with the inode when it is a directory in use, 0, -1. */
static int read_dir_inode(struct ext4_pair *pair, uint32_t number, struct ext4_inode *ret,
			  struct error *err)
{
	int in_use = ext4_read_inode(pair->child, number, ret, err);

	if (in_use <= 0)
		return in_use;
	return S_ISDIR(ext4_inode_mode(ret));
}

/* Up to the root, or to one from which this was done before. */
static int mark_way(struct ext4_pair *pair, uint32_t number, struct error *err)
{
	while (number != EXT4_ROOT_INODE) {
		struct ext4_inode inode;
		struct ext4_known *known;
		int is_dir = read_dir_inode(pair, number, &inode, err);

		if (is_dir < 0)
			return -1;
		if (!is_dir)
			return err_set(err, ERR_CORRUPT, "'..' leads to inode %u, no directory",
				       number);
		if (ext4_dir_parent(pair->child, &inode, &number, err) < 0)
			return -1;
		known = ext4_inodes_add(&pair->inodes, number);
		if (known->flags & INODE_LEADS)
			return 0;
		known->flags |= INODE_LEADS;
	}
	return 0;
}

/* Are names in this directory among those that are sought? */
static int look_into(struct ext4_pair *pair, const struct ext4_inode *inode, struct error *err)
{
	auto_ext4_dir struct ext4_dir dir = { 0 };
	struct ext4_known *known = ext4_inodes_add(&pair->inodes, inode->number);
	bool leads = false;

	if (known->flags & INODE_READ)
		return 0;
	known->flags |= INODE_READ;
	if (ext4_dir_read(pair->child, inode, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir.nr; i++) {
		struct ext4_known *sought = ext4_inodes_find(&pair->inodes, dir.entries[i].inode);

		if (!sought || !(sought->flags & INODE_SOUGHT))
			continue;
		leads = true;
		if (--sought->names == 0) {
			sought->flags &= (uint16_t)~INODE_SOUGHT;
			pair->nr_sought--;
		}
	}
	if (!leads || (known->flags & INODE_LEADS))
		return 0;
	known->flags |= INODE_LEADS;
	return mark_way(pair, inode->number, err);
}

static bool is_done(const struct search *search)
{
	const struct ext4_pair *pair = search->pair;

	if (!search->sought)
		return !pair->nr_sought;
	return !(ext4_inodes_find(&pair->inodes, search->sought)->flags & INODE_SOUGHT);
}

/* The inodes of one chunk from `from` to `to`, up or down. Returns 1 when all names are found, 0, -1. */
static int search_part(const struct search *search, uint32_t from, uint32_t to, struct error *err)
{
	struct ext4_pair *pair = search->pair;
	bool down = from > to;

	for (uint32_t number = from;; number += down ? -1u : 1u) {
		struct ext4_inode inode;
		int is_dir = read_dir_inode(pair, number, &inode, err);

		if (is_dir < 0)
			return -1;
		if (is_dir && ext4_inode_ctime(&inode) >= search->since &&
		    look_into(pair, &inode, err) < 0)
			return -1;
		if (is_done(search))
			return 1;
		if (number == to)
			return 0;
	}
}

/* Nearest first, beginning with those before. */
static int search_chunk(const struct search *search, uint32_t group, uint32_t chunk,
			struct error *err)
{
	struct ext4_image *image = search->pair->child;
	uint32_t index = chunk * CHUNK_INODES, used, nr, first, last;
	uint64_t table;
	int found = 0;

	if (cancel_check(err) < 0 || ext4_table(image, group, &table, &used, err) < 0)
		return -1;
	if (index >= used)
		return 0;
	nr = used - index < CHUNK_INODES ? used - index : CHUNK_INODES;
	ext4_fetch_blocks(image, table + index / EXT4_BLOCK_INODES,
			  (nr + EXT4_BLOCK_INODES - 1) / EXT4_BLOCK_INODES);
	first = group * ext4_image_group_inodes(image) + index + 1;
	last = first + nr - 1;
	if (search->sought >= first) {
		uint32_t middle = search->sought < last ? search->sought : last;

		found = search_part(search, middle, first, err);
		first = middle + 1;
	}
	if (found == 0 && first <= last)
		found = search_part(search, first, last, err);
	return found;
}

static int search_group(const struct search *search, uint32_t group, struct error *err)
{
	uint32_t per_group = ext4_image_group_inodes(search->pair->child);
	uint32_t nr = (per_group + CHUNK_INODES - 1) / CHUNK_INODES, home = 0;

	if (search->sought && (search->sought - 1) / per_group == group)
		home = (search->sought - 1) % per_group / CHUNK_INODES;
	for (uint32_t away = 0; away < nr; away++) {
		int found = 0;

		if (away <= home)
			found = search_chunk(search, group, home - away, err);
		if (found == 0 && away && home + away < nr)
			found = search_chunk(search, group, home + away, err);
		if (found)
			return found;
	}
	return 0;
}

static int search_groups(const struct search *search, struct error *err)
{
	uint32_t nr = ext4_image_nr_groups(search->pair->child);
	uint32_t home = 0;

	if (search->sought)
		home = (search->sought - 1) / ext4_image_group_inodes(search->pair->child);
	for (uint32_t away = 0; away < nr; away++) {
		int found = 0;

		if (away <= home)
			found = search_group(search, home - away, err);
		if (found == 0 && away && home + away < nr)
			found = search_group(search, home + away, err);
		if (found)
			return found;
	}
	return 0;
}

static int search_for(struct ext4_pair *pair, uint32_t sought, struct error *err)
{
	struct search search = { .pair = pair, .sought = sought };
	struct ext4_inode inode;
	int found = ext4_read_inode(pair->child, sought, &inode, err);

	if (found < 0)
		return -1;
	pair->nr_searched++;
	search.since = ext4_inode_crtime(&inode);
	found = search_groups(&search, err);
	if (found == 0) {
		search.since = INT64_MIN;
		found = search_groups(&search, err);
	}
	if (found == 0)
		return err_set(err, ERR_CORRUPT, "inode %u has fewer names than it counts", sought);
	return found < 0 ? -1 : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Rising numbers of the inodes that have this flag now. Returns new. */
static uint32_t *list_flagged(const struct ext4_inodes *set, unsigned flag, size_t *ret_nr)
{
	uint32_t *list = xcalloc(set->nr + 1, sizeof(*list));
	size_t nr = 0;

	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i].inode && (set->slots[i].flags & flag))
			list[nr++] = set->slots[i].inode;
	qsort(list, nr, sizeof(*list), compare_numbers);
	*ret_nr = nr;
	return list;
}

/* What changed among directories, and what they say without a search. */
static int search_changed(struct ext4_pair *pair, struct error *err)
{
	size_t nr;
	auto_free uint32_t *dirs = list_flagged(&pair->inodes, INODE_IS_DIR, &nr);

	for (size_t i = 0; i < nr; i++) {
		struct ext4_inode inode;

		if (cancel_check(err) < 0 || mark_way(pair, dirs[i], err) < 0)
			return -1;
		if (!pair->nr_sought)
			continue;
		if (read_dir_inode(pair, dirs[i], &inode, err) < 0 ||
		    look_into(pair, &inode, err) < 0)
			return -1;
	}
	return 0;
}

/* Blocks of inode tables that are in use: what it costs at least to look at every directory. */
static int count_table_blocks(struct ext4_pair *pair, uint64_t *ret, struct error *err)
{
	*ret = 0;
	for (uint32_t group = 0; group < ext4_image_nr_groups(pair->child); group++) {
		uint64_t table;
		uint32_t used;

		if (ext4_table(pair->child, group, &table, &used, err) < 0)
			return -1;
		*ret += used / EXT4_BLOCK_INODES;
	}
	return 0;
}

int ext4_pair_search(struct ext4_pair *pair, struct error *err)
{
	struct search all = { .pair = pair, .since = INT64_MIN };
	auto_free uint32_t *sought = NULL;
	uint64_t begin, enough;
	size_t nr;

	if (search_changed(pair, err) < 0 || count_table_blocks(pair, &enough, err) < 0)
		return -1;
	sought = list_flagged(&pair->inodes, INODE_SOUGHT, &nr);
	begin = ext4_image_nr_read(pair->child);
	for (size_t i = 0; i < nr && pair->nr_sought; i++) {
		if (!(ext4_inodes_find(&pair->inodes, sought[i])->flags & INODE_SOUGHT))
			continue;
		/* One by one is not cheaper any more than one look at all. */
		if (ext4_image_nr_read(pair->child) - begin > enough)
			break;
		if (search_for(pair, sought[i], err) < 0)
			return -1;
	}
	if (pair->nr_sought && search_groups(&all, err) < 0)
		return -1;
	if (pair->nr_sought)
		return err_set(err, ERR_CORRUPT, "inodes have fewer names than they count");
	return 0;
}
