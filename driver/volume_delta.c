/* SPDX-License-Identifier: Apache-2.0 */
/* volume_delta - what follows from the difference of two volumes' mappings */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "fs/ext4_changes.h"
#include "pool/metasnap.h"
#include "pool/thinvol.h"
#include "tmeta/delta.h"
#include "tmeta/tmeta.h"
#include "volume_private.h"

/* Where two volumes differ, in bytes. */
struct delta_ranges {
	uint64_t block_bytes;
	bool child_only; /* without what only the parent maps */
	struct ext4_changes_range *items;
	size_t nr;
	size_t cap;
};

static void delta_ranges_done(struct delta_ranges *ranges)
{
	free(ranges->items);
}
#define auto_delta_ranges __attribute__((cleanup(delta_ranges_done)))

static int add_range(void *ctx, enum tmeta_change change, uint64_t start, uint64_t length,
		     struct error *err)
{
	struct delta_ranges *ranges = ctx;

	(void)err;
	if (ranges->child_only && change == TMETA_DROPPED)
		return 0;
	if (ranges->nr == ranges->cap) {
		ranges->cap = ranges->cap ? ranges->cap * 2 : 64;
		ranges->items = xrealloc(ranges->items, ranges->cap * sizeof(*ranges->items));
	}
	ranges->items[ranges->nr++] = (struct ext4_changes_range){
		start * ranges->block_bytes,
		length * ranges->block_bytes,
	};
	return 0;
}

static int explain_damage(struct error *err)
{
	if (err->kind != ERR_CORRUPT)
		return -1;
	return err_add(err, "the pool's metadata is damaged: run 'veneer check --repair'");
}

static int cannot_compare(uint32_t parent_id, uint32_t child_id, struct error *err)
{
	explain_damage(err);
	return err_add(err, "compare volumes %" PRIu32 " and %" PRIu32, parent_id, child_id);
}

/* The metadata is held no longer than this takes: meanwhile nothing is freed. */
static int read_ranges(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		       struct delta_ranges *ranges, struct tmeta_delta *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_delta_ranges(tmeta, parent_id, child_id, add_range, ranges, ret, err) < 0)
		return explain_damage(err);
	return 0;
}

/* What only this volume has goes back to the disk below. */
static int discard_own(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	auto_delta_ranges struct delta_ranges own = { .block_bytes = pool->config->block_bytes,
						      .child_only = true };
	const struct ext4_changes_range *last;
	auto_volume struct volume *volume = NULL;
	struct tmeta_delta delta;
	auto_fd int fd = -1;
	uint64_t end;

	if (read_ranges(pool, origin_id, id, &own, &delta, err) < 0 &&
	    (err->kind != ERR_NOT_FOUND || /* the origin may be gone */
	     read_ranges(pool, TMETA_EMPTY, id, &own, &delta, err) < 0))
		return -1;
	if (!own.nr)
		return 0;
	/* Volumes of a size of their own may be larger than the others. */
	last = &own.items[own.nr - 1];
	end = last->start_bytes + last->len_bytes;
	if (end < pool->config->volume_bytes)
		end = pool->config->volume_bytes;
	if (volume_activate_sized(pool, id, end, VOLUME_READ_WRITE, &volume, err) < 0)
		return -1;
	fd = open(volume->node, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < own.nr; i++) {
		uint64_t bytes[2] = { own.items[i].start_bytes, own.items[i].len_bytes };

		if (fd < 0 || ioctl(fd, BLKDISCARD, bytes) < 0)
			return err_sys(err, errno, "discard blocks of %s", volume->node);
	}
	return 0;
}

int volume_delete(struct volume_pool *pool, uint32_t id, uint32_t origin_id, struct error *err)
{
	struct error why;

	if (thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err) < 0)
		return err_add(err, "delete volume %" PRIu32, id);
	if (pool->config->on_files && discard_own(pool, id, origin_id, &why) < 0)
		log_debug("%s", why.text);
	if (thinvol_deactivate(pool->pool, id, PROBE_WAIT_MS, err) < 0 ||
	    thinvol_delete(pool->pool, id, err) < 0)
		return err_add(err, "delete volume %" PRIu32, id);
	return 0;
}

int volume_delta(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		 struct volume_delta *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	uint64_t block_bytes = pool->config->block_bytes;
	struct tmeta_delta delta;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_delta(tmeta, parent_id ? parent_id : TMETA_EMPTY, child_id, &delta, err) < 0)
		return cannot_compare(parent_id, child_id, err);
	*ret = (struct volume_delta){
		.own_bytes = delta.own_blocks * block_bytes,
		.dropped_bytes = delta.dropped_blocks * block_bytes,
		.nodes_read = delta.nodes_read,
	};
	return 0;
}

struct range_sink {
	struct volume_ranges *ranges;
	uint64_t block_bytes;
};

static int add_volume_range(void *ctx, enum tmeta_change change, uint64_t start, uint64_t length,
			    struct error *err)
{
	struct range_sink *sink = ctx;
	struct volume_ranges *ranges = sink->ranges;
	struct volume_range *last = ranges->nr ? &ranges->items[ranges->nr - 1] : NULL;
	struct volume_range range = { start * sink->block_bytes, length * sink->block_bytes,
				      change == TMETA_DROPPED };

	(void)err;
	if (last && last->dropped == range.dropped &&
	    last->start_bytes + last->len_bytes == range.start_bytes) {
		last->len_bytes += range.len_bytes;
		return 0;
	}
	if (ranges->nr == ranges->cap) {
		ranges->cap = ranges->cap ? ranges->cap * 2 : 64;
		ranges->items = xrealloc(ranges->items, ranges->cap * sizeof(*ranges->items));
	}
	ranges->items[ranges->nr++] = range;
	return 0;
}

int volume_ranges(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		  struct volume_ranges *ret, struct error *err)
{
	auto_metasnap struct metasnap snap = { .lock_fd = -1 };
	auto_tmeta struct tmeta *tmeta = NULL;
	struct range_sink sink = { ret, pool->config->block_bytes };
	struct tmeta_delta delta;

	if (metasnap_hold(pool->pool, &snap, err) < 0 ||
	    tmeta_open(snap.node, snap.block, &tmeta, err) < 0 ||
	    tmeta_delta_ranges(tmeta, parent_id ? parent_id : TMETA_EMPTY, child_id,
			       add_volume_range, &sink, &delta, err) < 0)
		return cannot_compare(parent_id, child_id, err);
	return 0;
}

void volume_ranges_done(struct volume_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct volume_ranges){ 0 };
}

static int add_change(void *ctx, enum ext4_change change, const char *path, bool is_dir,
		      struct error *err)
{
	static const enum volume_change_kind kinds[] = {
		[EXT4_ADDED] = VOLUME_ADDED,
		[EXT4_CHANGED] = VOLUME_CHANGED,
		[EXT4_DELETED] = VOLUME_DELETED,
	};
	struct volume_changes *changes = ctx;

	(void)err;
	if (changes->nr == changes->cap) {
		changes->cap = changes->cap ? changes->cap * 2 : 64;
		changes->items = xrealloc(changes->items, changes->cap * sizeof(*changes->items));
	}
	changes->items[changes->nr++] = (struct volume_change){
		.kind = kinds[change],
		.is_dir = is_dir,
		.path = xstrdup(path),
	};
	return 0;
}

static int find_changes(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
			uint64_t child_bytes, const struct delta_ranges *ranges,
			struct volume_changes *ret, struct error *err)
{
	auto_volume struct volume *parent = NULL;
	auto_volume struct volume *child = NULL;
	struct ext4_changes_args args = {
		.ranges = ranges->items,
		.nr_ranges = ranges->nr,
		.found = add_change,
		.ctx = ret,
	};
	struct ext4_changes_cost cost;

	if (volume_activate_to_read(pool, parent_id, 0, &parent, err) < 0 ||
	    volume_activate_to_read(pool, child_id, child_bytes, &child, err) < 0)
		return -1;
	args.parent = parent->node;
	args.child = child->node;
	if (ext4_changes(&args, &cost, err) == 0) {
		ret->blocks_read = cost.blocks_read;
		return 0;
	}
	if (err->kind != ERR_UNSUPPORTED && err->kind != ERR_CORRUPT)
		return -1;
	volume_changes_done(ret);
	ret->must_walk = true;
	snprintf(ret->why, sizeof(ret->why), "%.500s", err->text);
	return 0;
}

int volume_changes(struct volume_pool *pool, uint32_t parent_id, uint32_t child_id,
		   uint64_t child_bytes, struct volume_changes *ret, struct error *err)
{
	auto_delta_ranges struct delta_ranges ranges = { .block_bytes = pool->config->block_bytes };
	struct volume_changes changes = { 0 };
	struct tmeta_delta delta;
	int result = 0;

	if (strcmp(pool->fs->name, "ext4") != 0) {
		changes.must_walk = true;
		snprintf(changes.why, sizeof(changes.why), "volumes carry %s", pool->fs->name);
	} else {
		result = read_ranges(pool, parent_id, child_id, &ranges, &delta, err);
		if (result == 0 && ranges.nr)
			result = find_changes(pool, parent_id, child_id, child_bytes, &ranges,
					      &changes, err);
		if (result == 0) {
			changes.nodes_read = delta.nodes_read;
			changes.delta_bytes =
				(delta.own_blocks + delta.dropped_blocks) * ranges.block_bytes;
		}
	}
	if (result < 0) {
		volume_changes_done(&changes);
		return err_add(err, "compare volumes %" PRIu32 " and %" PRIu32, parent_id,
			       child_id);
	}
	*ret = changes;
	return 0;
}

void volume_changes_done(struct volume_changes *changes)
{
	for (size_t i = 0; i < changes->nr; i++)
		free(changes->items[i].path);
	free(changes->items);
	*changes = (struct volume_changes){ 0 };
}
