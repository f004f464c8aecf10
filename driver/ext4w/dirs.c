/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/dirs.h"

#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/nameset.h"
#include "ext4w/dirblock.h"
#include "ext4w/extents.h"
#include "ext4w/group.h"
#include "ext4w/itable.h"

#define NR_BUCKETS   4096u /* of directories */
#define TRIM_EACH    100000u
#define LINEAR_MAX   8u /* entries that are looked through one by one */
#define ENTRY_MEMORY (sizeof(struct dir_entry) + 2 * sizeof(uint32_t))

struct dirs {
	struct wfs *fs;
	uint64_t key[2]; /* random: nobody can prepare names that collide */
	size_t bytes;	 /* about as much as all of them take */
	size_t limit;	 /* of these */
	size_t added;	 /* entries since dirs_trim() wrote them */
	struct dir *buckets[NR_BUCKETS];
};

struct dirs *dirs_new(struct wfs *fs)
{
	struct dirs *dirs = xcalloc(1, sizeof(*dirs));

	dirs->fs = fs;
	dirs->limit = DIRS_BYTES;
	if (getrandom(dirs->key, sizeof(dirs->key), 0) != sizeof(dirs->key))
		dirs->key[0] = (uintptr_t)dirs;
	return dirs;
}

static void dir_free(struct dirs *dirs, struct dir *dir)
{
	dirs->bytes -= sizeof(*dir) + dir->names.len + dir->nr * ENTRY_MEMORY;
	free(dir->entries);
	free(dir->slots);
	buf_done(&dir->names);
	free(dir);
}

void dirs_free(struct dirs *dirs)
{
	if (!dirs)
		return;
	for (size_t i = 0; i < NR_BUCKETS; i++)
		for (struct dir *dir = dirs->buckets[i], *next; dir; dir = next) {
			next = dir->next;
			dir_free(dirs, dir);
		}
	free(dirs);
}

static struct dir **bucket_of(struct dirs *dirs, uint32_t number)
{
	return &dirs->buckets[number * 0x9e3779b1u >> 20];
}

static struct dir *add_to_table(struct dirs *dirs, uint32_t number, uint32_t parent)
{
	struct dir **bucket = bucket_of(dirs, number);
	struct dir *dir = xcalloc(1, sizeof(*dir));

	dir->number = number;
	dir->parent = parent;
	dir->next = *bucket;
	*bucket = dir;
	dirs->bytes += sizeof(*dir);
	return dir;
}

struct dir *dirs_add(struct dirs *dirs, uint32_t number, uint32_t parent)
{
	struct dir *dir = add_to_table(dirs, number, parent);

	dir->changed = true;
	return dir;
}

void dirs_drop(struct dirs *dirs, uint32_t number)
{
	for (struct dir **at = bucket_of(dirs, number); *at; at = &(*at)->next)
		if ((*at)->number == number) {
			struct dir *dir = *at;

			*at = dir->next;
			dir_free(dirs, dir);
			return;
		}
}

/* ---- entries ---- */

static uint64_t hash_name(const struct dirs *dirs, const char *name, size_t len)
{
	return nameset_siphash(dirs->key, name, len);
}

static bool is_named(const struct dir *dir, const struct dir_entry *entry, const char *name,
		     size_t len)
{
	return entry->inode && entry->len == len && memcmp(dir_name(dir, entry), name, len) == 0;
}

static void put_slot(const struct dirs *dirs, struct dir *dir, size_t entry)
{
	const struct dir_entry *e = &dir->entries[entry];
	size_t at = hash_name(dirs, dir_name(dir, e), e->len) & (dir->nr_slots - 1);

	while (dir->slots[at])
		at = (at + 1) & (dir->nr_slots - 1);
	dir->slots[at] = (uint32_t)entry + 1;
}

/* At most half full; removed entries keep theirs. */
static void grow_slots(const struct dirs *dirs, struct dir *dir)
{
	dir->nr_slots = dir->nr_slots ? dir->nr_slots * 2 : LINEAR_MAX * 4;
	free(dir->slots);
	dir->slots = xcalloc(dir->nr_slots, sizeof(*dir->slots));
	for (size_t i = 0; i < dir->nr; i++)
		put_slot(dirs, dir, i);
}

struct dir_entry *dir_find(struct dirs *dirs, const struct dir *dir, const char *name, size_t len)
{
	size_t at;

	if (!dir->nr_slots) {
		for (size_t i = 0; i < dir->nr; i++)
			if (is_named(dir, &dir->entries[i], name, len))
				return &dir->entries[i];
		return NULL;
	}
	at = hash_name(dirs, name, len) & (dir->nr_slots - 1);
	for (; dir->slots[at]; at = (at + 1) & (dir->nr_slots - 1)) {
		struct dir_entry *entry = &dir->entries[dir->slots[at] - 1];

		if (is_named(dir, entry, name, len))
			return entry;
	}
	return NULL;
}

void dir_add(struct dirs *dirs, struct dir *dir, const char *name, size_t len, uint32_t inode,
	     uint8_t type)
{
	if (dir->nr == dir->cap) {
		dir->cap = dir->cap ? dir->cap * 2 : 8;
		dir->entries = xrealloc(dir->entries, dir->cap * sizeof(*dir->entries));
	}
	dir->entries[dir->nr] =
		(struct dir_entry){ inode, (uint32_t)dir->names.len, (uint8_t)len, type };
	buf_append(&dir->names, name, len);
	dir->nr++;
	dir->nr_live++;
	dir->changed = true;
	dirs->added++;
	dirs->bytes += len + ENTRY_MEMORY;
	if (dir->nr > LINEAR_MAX && dir->nr * 2 > dir->nr_slots)
		grow_slots(dirs, dir);
	else if (dir->nr_slots)
		put_slot(dirs, dir, dir->nr - 1);
}

void dir_remove(struct dir *dir, struct dir_entry *entry)
{
	entry->inode = 0;
	dir->nr_live--;
	dir->changed = true;
}

/* ---- reading ---- */

struct loading {
	struct dirs *dirs;
	struct dir *dir;
};

uint8_t dirs_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

static int found_entry(void *ctx, const struct dirblock_entry *entry, struct error *err)
{
	struct loading *loading = ctx;
	struct dirs *dirs = loading->dirs;
	uint8_t type = entry->type;

	if (entry->inode > dirs->fs->nr_inodes)
		return err_set(err, ERR_CORRUPT, "an impossible inode");
	if (entry->len == 1 && entry->name[0] == '.')
		return 0;
	if (entry->len == 2 && memcmp(entry->name, "..", 2) == 0) {
		loading->dir->parent = entry->inode;
		return 0;
	}
	if (type == EXT2_FT_UNKNOWN || type >= EXT2_FT_MAX) {
		struct inode inode;

		if (inode_read(dirs->fs, entry->inode, &inode, err) < 0)
			return -1;
		type = dirs_type(inode_mode(&inode));
	}
	if (dir_find(dirs, loading->dir, entry->name, entry->len))
		return err_set(err, ERR_CORRUPT, "a name is there twice");
	dir_add(dirs, loading->dir, entry->name, entry->len, entry->inode, type);
	return 0;
}

static int read_blocks(struct loading *loading, const struct inode *inode, struct error *err)
{
	struct wfs *fs = loading->dirs->fs;
	uint32_t seed = wfs_inode_seed(fs, inode->number, inode->disk.i_generation);
	auto_extent_list struct extent_list extents = { 0 };
	auto_free uint8_t *data = xmalloc(CHUNK_BLOCKS * BLOCK_BYTES);

	if (extents_read(fs, inode, &extents, NULL, err) < 0)
		return -1;
	if (!extents.nr || extent_list_blocks(&extents) * BLOCK_BYTES > inode_size(inode))
		return err_set(err, ERR_CORRUPT, "its size does not fit its blocks");
	for (size_t i = 0; i < extents.nr; i++) {
		const struct extent *extent = &extents.items[i];
		uint32_t nr;

		for (uint32_t at = 0; at < extent->nr; at += nr) {
			nr = extent->nr - at < CHUNK_BLOCKS ? extent->nr - at : CHUNK_BLOCKS;
			if (blockio_read(fs->io, extent->physical + at, nr, data, err) < 0)
				return -1;
			for (uint32_t j = 0; j < nr; j++)
				if (dirblock_read(data + j * BLOCK_BYTES, seed, found_entry,
						  loading, err) < 0)
					return -1;
		}
	}
	if (!loading->dir->parent)
		return err_set(err, ERR_CORRUPT, "it has no '..'");
	return 0;
}

int dirs_get(struct dirs *dirs, uint32_t number, struct dir **ret, struct error *err)
{
	struct loading loading = { .dirs = dirs };
	struct inode inode;

	for (struct dir *dir = *bucket_of(dirs, number); dir; dir = dir->next)
		if (dir->number == number) {
			*ret = dir;
			return 0;
		}
	if (inode_read(dirs->fs, number, &inode, err) < 0)
		return -1;
	if (!S_ISDIR(inode_mode(&inode)))
		return err_set(err, ERR_CORRUPT, "inode %u is no folder", number);
	loading.dir = add_to_table(dirs, number, 0);
	if (read_blocks(&loading, &inode, err) < 0) {
		dirs_drop(dirs, number);
		return err_add(err, "folder with inode %u", number);
	}
	dirs->added -= loading.dir->nr;
	loading.dir->changed = false;
	*ret = loading.dir;
	return 0;
}

/* ---- writing ---- */

struct hashed {
	uint32_t hash;
	uint32_t minor;
	uint32_t entry;
};

struct output {
	struct dirs *dirs;
	const struct dir *dir;
	uint32_t seed;
	uint8_t *data; /* the present block */
	struct extent_list extents;
	uint32_t nr; /* blocks so far */
	struct hashed *order;
};

static void output_done(struct output *output)
{
	free(output->data);
	free(output->order);
	extent_list_done(&output->extents);
}
#define auto_output __attribute__((cleanup(output_done)))

static int put_block(struct output *output, struct error *err)
{
	struct wfs *fs = output->dirs->fs;
	uint64_t block;

	if (group_take_blocks(fs, 1, &block, err) < 0)
		return -1;
	extent_list_add(&output->extents, output->nr++, block, 1);
	return blockio_write(fs->io, block, 1, output->data, err);
}

static struct dirblock_entry as_written(const struct dir *dir, size_t at)
{
	const struct dir_entry *entry = &dir->entries[at];

	return (struct dirblock_entry){ entry->inode, dir_name(dir, entry), entry->len,
					entry->type };
}

/* A plain list, of as many blocks as it takes. */
static int write_list(struct output *output, struct error *err)
{
	const struct dir *dir = output->dir;
	struct dirblock block;

	dirblock_begin(&block, output->data, output->seed);
	dirblock_add(&block, &(struct dirblock_entry){ dir->number, ".", 1, EXT2_FT_DIR });
	dirblock_add(&block, &(struct dirblock_entry){ dir->parent, "..", 2, EXT2_FT_DIR });
	for (size_t i = 0; i < dir->nr; i++) {
		struct dirblock_entry entry = as_written(dir, i);

		if (!entry.inode || dirblock_add(&block, &entry))
			continue;
		dirblock_end(&block);
		if (put_block(output, err) < 0)
			return -1;
		dirblock_begin(&block, output->data, output->seed);
		dirblock_add(&block, &entry);
	}
	dirblock_end(&block);
	return put_block(output, err);
}

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int sort_by_hash(struct output *output, struct error *err)
{
	const struct wfs *fs = output->dirs->fs;
	const struct dir *dir = output->dir;
	uint32_t seed[4];
	size_t nr = 0;

	for (size_t i = 0; i < 4; i++)
		seed[i] = le32toh(fs->super.s_hash_seed[i]);
	output->order = xcalloc(dir->nr_live, sizeof(*output->order));
	for (size_t i = 0; i < dir->nr; i++) {
		const struct dir_entry *entry = &dir->entries[i];
		struct hashed *hashed = &output->order[nr];

		if (!entry->inode)
			continue;
		hashed->entry = (uint32_t)i;
		if (ext2fs_dirhash(fs->hash_version, dir_name(dir, entry), entry->len, seed,
				   &hashed->hash, &hashed->minor))
			return err_set(err, ERR_UNSUPPORTED, "hash version %d", fs->hash_version);
		nr++;
	}
	qsort(output->order, nr, sizeof(*output->order), compare_hashed);
	return 0;
}

/* How many entries of the order the leaf that begins at `first` takes. */
static size_t leaf_end(const struct output *output, size_t first)
{
	const struct dir *dir = output->dir;
	uint32_t room = DIRBLOCK_ROOM;
	size_t at = first;

	for (; at < dir->nr_live; at++) {
		uint32_t bytes = dirblock_bytes(dir->entries[output->order[at].entry].len);

		if (bytes > room)
			break;
		room -= bytes;
	}
	return at;
}

/*
 * The leaves, from block `first` of the directory on: *ret has one item for each. One that begins
 * with the hash that the one before it ends with is marked as its continuation.
 */
static size_t plan_leaves(const struct output *output, uint32_t first, struct dirblock_index *ret)
{
	size_t nr = 0;

	for (size_t at = 0; at < output->dir->nr_live; at = leaf_end(output, at)) {
		uint32_t hash = output->order[at].hash;

		if (at && output->order[at - 1].hash == hash)
			hash |= 1;
		ret[nr] = (struct dirblock_index){ hash, first + (uint32_t)nr };
		nr++;
	}
	return nr;
}

static int write_leaves(struct output *output, struct error *err)
{
	size_t end;

	for (size_t at = 0; at < output->dir->nr_live; at = end) {
		struct dirblock block;

		end = leaf_end(output, at);
		dirblock_begin(&block, output->data, output->seed);
		for (size_t i = at; i < end; i++) {
			struct dirblock_entry entry =
				as_written(output->dir, output->order[i].entry);

			dirblock_add(&block, &entry);
		}
		dirblock_end(&block);
		if (put_block(output, err) < 0)
			return -1;
	}
	return 0;
}

static int write_root(struct output *output, const struct dirblock_index *items, size_t nr,
		      uint8_t levels, struct error *err)
{
	dirblock_root(output->data, output->seed, output->dir->number, output->dir->parent,
		      output->dirs->fs->super.s_def_hash_version, levels, items, (uint32_t)nr);
	return put_block(output, err);
}

/* The root, the nodes where one block does not hold all of the index, the leaves. */
static int write_indexed(struct output *output, struct error *err)
{
	auto_free struct dirblock_index *leaves = NULL, *nodes = NULL;
	size_t nr, nr_nodes;

	if (sort_by_hash(output, err) < 0)
		return -1;
	/* A leaf has at least 15 entries. */
	leaves = xcalloc(output->dir->nr_live / 15 + 1, sizeof(*leaves));
	nr = plan_leaves(output, 1, leaves);
	if (nr <= DIRBLOCK_ROOT_LIMIT)
		return write_root(output, leaves, nr, 0, err) < 0 ? -1 : write_leaves(output, err);
	nr_nodes = (nr + DIRBLOCK_NODE_LIMIT - 1) / DIRBLOCK_NODE_LIMIT;
	/* A third level takes a feature that is not accepted here. */
	if (nr_nodes > DIRBLOCK_ROOT_LIMIT)
		return err_set(err, ERR_LIMIT, "a folder of %zu entries", output->dir->nr_live);
	nodes = xcalloc(nr_nodes, sizeof(*nodes));
	plan_leaves(output, 1 + (uint32_t)nr_nodes, leaves);
	for (size_t i = 0; i < nr_nodes; i++)
		nodes[i] = (struct dirblock_index){ leaves[i * DIRBLOCK_NODE_LIMIT].hash,
						    1 + (uint32_t)i };
	if (write_root(output, nodes, nr_nodes, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i += DIRBLOCK_NODE_LIMIT) {
		size_t part = nr - i < DIRBLOCK_NODE_LIMIT ? nr - i : DIRBLOCK_NODE_LIMIT;

		dirblock_node(output->data, output->seed, &leaves[i], (uint32_t)part);
		if (put_block(output, err) < 0)
			return -1;
	}
	return write_leaves(output, err);
}

static bool fits_one_block(const struct dir *dir)
{
	uint32_t room = DIRBLOCK_ROOM - dirblock_bytes(1) - dirblock_bytes(2);

	for (size_t i = 0; i < dir->nr; i++) {
		uint32_t bytes = dirblock_bytes(dir->entries[i].len);

		if (!dir->entries[i].inode)
			continue;
		if (bytes > room)
			return false;
		room -= bytes;
	}
	return true;
}

static int free_old(struct wfs *fs, const struct inode *inode, struct error *err)
{
	auto_extent_list struct extent_list extents = { 0 };

	if (extents_read(fs, inode, &extents, &extents, err) < 0)
		return -1;
	for (size_t i = 0; i < extents.nr; i++)
		if (group_free_blocks(fs, extents.items[i].physical, extents.items[i].nr, err) < 0)
			return -1;
	return 0;
}

static int write_dir(struct dirs *dirs, struct dir *dir, struct error *err)
{
	auto_output struct output output = { .dirs = dirs, .dir = dir };
	struct wfs *fs = dirs->fs;
	bool indexed = fs->has_index && !fits_one_block(dir);
	struct inode inode;
	uint32_t nodes;

	if (inode_read(fs, dir->number, &inode, err) < 0 || free_old(fs, &inode, err) < 0)
		return -1;
	output.seed = wfs_inode_seed(fs, dir->number, inode.disk.i_generation);
	output.data = xmalloc(BLOCK_BYTES);
	if ((indexed ? write_indexed(&output, err) : write_list(&output, err)) < 0 ||
	    extents_write(fs, &inode, &output.extents, &nodes, err) < 0)
		return -1;
	inode_set_size(&inode, (uint64_t)output.nr * BLOCK_BYTES);
	inode_set_blocks(&inode, (uint64_t)output.nr + nodes + !!inode_xattr_block(&inode));
	inode_set_flag(&inode, EXT2_INDEX_FL, indexed);
	dir->changed = false;
	return inode_write(fs, &inode, err);
}

int dirs_write(struct dirs *dirs, struct error *err)
{
	for (size_t i = 0; i < NR_BUCKETS; i++)
		for (struct dir *dir = dirs->buckets[i]; dir; dir = dir->next)
			if (dir->changed && write_dir(dirs, dir, err) < 0)
				return err_add(err, "folder with inode %u", dir->number);
	return 0;
}

/* Folders that are so large, or used so often, that they would be written again and again, stay. */
int dirs_trim(struct dirs *dirs, struct error *err)
{
	if (dirs->bytes <= dirs->limit)
		return 0;
	if (dirs->added < TRIM_EACH) {
		dirs->limit *= 2;
		return 0;
	}
	dirs->added = 0;
	if (dirs_write(dirs, err) < 0)
		return -1;
	for (size_t i = 0; i < NR_BUCKETS; i++)
		while (dirs->buckets[i])
			dirs_drop(dirs, dirs->buckets[i]->number);
	return 0;
}
