/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/size.h"

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		free(table->lines[i].params);
	free(table->lines);
	*table = (struct table){ 0 };
}

uint64_t table_sectors(const struct table *table)
{
	const struct table_line *last = table->nr ? &table->lines[table->nr - 1] : NULL;

	return last ? last->start_sectors + last->len_sectors : 0;
}

/* Takes params. */
static void add(struct table *table, const char *type, uint64_t len_bytes, char *params)
{
	uint64_t start_sectors = table_sectors(table);

	assert(len_bytes && len_bytes % SECTOR_BYTES == 0);
	table->lines = xrealloc(table->lines, (table->nr + 1) * sizeof(*table->lines));
	table->lines[table->nr++] = (struct table_line){
		.start_sectors = start_sectors,
		.len_sectors = size_to_sectors(len_bytes),
		.type = type,
		.params = params,
	};
}

void table_add_linear(struct table *table, dev_t device, uint64_t offset_bytes, uint64_t len_bytes)
{
	assert(offset_bytes % SECTOR_BYTES == 0);
	add(table, "linear", len_bytes,
	    xasprintf("%u:%u %" PRIu64, major(device), minor(device),
		      size_to_sectors(offset_bytes)));
}

void table_add_thin_pool(struct table *table, dev_t meta, dev_t data, uint64_t data_bytes,
			 uint64_t block_bytes, uint64_t low_water_blocks)
{
	assert(block_bytes >= TABLE_BLOCK_BYTES_MIN && block_bytes <= TABLE_BLOCK_BYTES_MAX &&
	       block_bytes % TABLE_BLOCK_BYTES_MIN == 0);
	add(table, "thin-pool", data_bytes,
	    xasprintf("%u:%u %u:%u %" PRIu64 " %" PRIu64 " 1 error_if_no_space", major(meta),
		      minor(meta), major(data), minor(data), size_to_sectors(block_bytes),
		      low_water_blocks));
}

void table_add_thin(struct table *table, dev_t pool, uint32_t thin_id, uint64_t len_bytes)
{
	add(table, "thin", len_bytes,
	    xasprintf("%u:%u %" PRIu32, major(pool), minor(pool), thin_id));
}

void table_add_verity(struct table *table, dev_t data, dev_t tree, uint64_t len_bytes,
		      uint32_t block_bytes, const char *root)
{
	add(table, "verity", len_bytes,
	    xasprintf("1 %u:%u %u:%u %" PRIu32 " %" PRIu32 " %" PRIu64 " 0 sha256 %s -",
		      major(data), minor(data), major(tree), minor(tree), block_bytes, block_bytes,
		      len_bytes / block_bytes, root));
}
