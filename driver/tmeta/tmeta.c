/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/tmeta.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "tmeta/metadata.h"

/* Refuses what we would misread. */
static int check_super(const struct disk_super *super, struct error *err)
{
	uint32_t version = le32toh(super->version);
	uint32_t sectors = le32toh(super->data_block_sectors);

	if (le64toh(super->magic) != SUPER_MAGIC)
		return err_set(err, ERR_CORRUPT, "is not the metadata of a thin pool");
	if (version == 0 || version > SUPER_VERSION_MAX)
		return err_set(err, ERR_UNSUPPORTED, "has format version %u, we know up to %u",
			       version, SUPER_VERSION_MAX);
	if (super->incompat_flags)
		return err_set(err, ERR_UNSUPPORTED, "has unknown features %#x",
			       le32toh(super->incompat_flags));
	if (sectors < DATA_BLOCK_SECTORS_MIN || sectors > DATA_BLOCK_SECTORS_MAX ||
	    sectors % DATA_BLOCK_SECTORS_MIN)
		return err_set(err, ERR_CORRUPT, "has a pool block of %u sectors", sectors);
	if (le32toh(super->meta_block_sectors) != META_BLOCK_SECTORS)
		return err_set(err, ERR_CORRUPT, "has a metadata block of %u sectors",
			       le32toh(super->meta_block_sectors));
	return 0;
}

static void set_tree(struct btree *tree, struct block_reader *blocks, const char *name,
		     uint64_t root, uint32_t value_bytes)
{
	*tree = (struct btree){ .blocks = blocks, .root = root, .value_bytes = value_bytes };
	snprintf(tree->name, sizeof(tree->name), "%s", name);
}

static int read_super(struct tmeta *tmeta, uint64_t block, struct error *err)
{
	struct tmeta_info *info = &tmeta->info;
	const struct disk_super *super;
	const void *data;

	if (block_read_super(tmeta->blocks, block, &data, err) < 0)
		return -1;
	super = data;
	if (check_super(super, err) < 0)
		return -1;
	info->transaction_id = le64toh(super->transaction_id);
	info->held_root = le64toh(super->held_root);
	info->data_block_bytes = size_from_sectors(le32toh(super->data_block_sectors));
	info->nr_data_blocks = le64toh(super->data_sm_root.nr_blocks);
	info->nr_data_used = le64toh(super->data_sm_root.nr_allocated);
	info->nr_meta_blocks = block_reader_nr_blocks(tmeta->blocks);
	info->needs_check = le32toh(super->flags) & SUPER_FLAG_NEEDS_CHECK;
	set_tree(&tmeta->volumes, tmeta->blocks, "list of volumes", le64toh(super->mapping_root),
		 sizeof(uint64_t));
	set_tree(&tmeta->details, tmeta->blocks, "details of volumes", le64toh(super->details_root),
		 sizeof(struct disk_details));
	return 0;
}

int tmeta_open(const char *path, uint64_t held_root_block, struct tmeta **ret, struct error *err)
{
	auto_tmeta struct tmeta *tmeta = xcalloc(1, sizeof(*tmeta));

	if (block_reader_open(path, &tmeta->blocks, err) < 0)
		return -1;
	if (read_super(tmeta, held_root_block, err) < 0)
		return err_add(err, "metadata '%s'", path);
	*ret = take_ptr(tmeta);
	return 0;
}

void tmeta_close(struct tmeta *tmeta)
{
	if (!tmeta)
		return;
	block_reader_close(tmeta->blocks);
	free(tmeta);
}

void tmeta_info(const struct tmeta *tmeta, struct tmeta_info *ret)
{
	*ret = tmeta->info;
}

void tmeta_mapping_tree(const struct tmeta *tmeta, uint64_t id, uint64_t root, struct btree *ret)
{
	set_tree(ret, tmeta->blocks, "", root, sizeof(uint64_t));
	snprintf(ret->name, sizeof(ret->name), "mapping of volume %ju", (uintmax_t)id);
}

int tmeta_check_data_block(const struct tmeta *tmeta, const struct btree *tree, uint64_t data_block,
			   struct error *err)
{
	if (!tmeta->info.nr_data_blocks || data_block < tmeta->info.nr_data_blocks)
		return 0;
	return err_set(err, ERR_CORRUPT, "%s: data block %ju is beyond the pool's %ju", tree->name,
		       (uintmax_t)data_block, (uintmax_t)tmeta->info.nr_data_blocks);
}
