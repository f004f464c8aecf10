/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/volumes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/size.h"
#include "db/journal.h"
#include "db/volume_note.h"
#include "image/image.h"
#include "store.h"

#define BYTES_MAX (UINT64_C(16) << 40)

int volumes_find(struct store *store, const char *name, struct volume_row *ret, struct error *err)
{
	int got = rows_volume_get(store->db, name, ret, err);

	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "no such volume: %s", name);
	return got < 0 ? -1 : 0;
}

int volumes_use(struct store *store, const struct volume_row *row, enum volume_use *ret,
		struct error *err)
{
	struct volume_pool *pool;

	if (store_existing_pool(store, &pool, err) < 0)
		return -1;
	*ret = !volume_is_active(pool, row->thin_id)   ? VOLUME_UNUSED
	       : volume_is_mounted(pool, row->thin_id) ? VOLUME_MOUNTED
						       : VOLUME_ATTACHED;
	return 0;
}

int volumes_own_bytes(struct store *store, const struct volume_row *row, int64_t *ret,
		      struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct volume_pool *pool;
	struct volume_delta delta;

	/* An origin that is gone has left its blocks to the volume. */
	if (store_existing_pool(store, &pool, err) < 0 ||
	    db_prepare(store->db,
		       "SELECT o.id FROM thin t JOIN thin o ON o.id = t.origin WHERE t.id = ?1"
		       " AND o.state = 'live'",
		       &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, row->thin_id);
	if (db_step(stmt, err) < 0 ||
	    volume_delta(pool, (uint32_t)db_int(stmt, 0), row->thin_id, &delta, err) < 0)
		return -1;
	*ret = (int64_t)delta.own_bytes;
	return 0;
}

/* The volume, with the store locked. Looking before costs nothing, and no pool is made for nothing. */
static int lock_volume(struct store *store, const char *name, struct root **ret_held,
		       struct volume_row *ret, struct error *err)
{
	if (volumes_find(store, name, ret, err) < 0)
		return -1;
	volume_row_done(ret);
	return store_lock_pool(store, ret_held, err) < 0 ? -1 : volumes_find(store, name, ret, err);
}

static int refuse_used(struct store *store, const struct volume_row *row, struct error *err)
{
	enum volume_use use;

	if (volumes_use(store, row, &use, err) < 0)
		return -1;
	if (use == VOLUME_MOUNTED)
		return err_set(err, ERR_IN_USE,
			       "it is mounted%s%s: 'veneer volume unmount %s' first",
			       *row->target ? " at " : "", row->target, row->name);
	if (use == VOLUME_ATTACHED)
		return err_set(err, ERR_IN_USE,
			       "it is attached as " DEVLINK_DIR
			       "/%s: 'veneer volume detach %s' first",
			       row->name, row->name);
	return 0;
}

/* Links below /dev/veneer are of volumes and of attached images. */
static int check_new_name(struct store *store, const char *name, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (devlink_check_name(name, err) < 0 ||
	    db_prepare(store->db,
		       "SELECT 'a volume' FROM volume WHERE name = ?1"
		       " UNION ALL SELECT 'an attached image' FROM view"
		       "   WHERE kind = 'attach' AND target = ?1"
		       " UNION ALL SELECT 'a folder of containers' FROM local_volume"
		       "   WHERE name = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got > 0)
		return err_set(err, ERR_EXISTS, "the name '%s' is taken by %s", name,
			       db_text(stmt, 0));
	return got;
}

/* ---- making ---- */

struct making {
	struct store *store;
	struct volume_row row;
	uint32_t origin;       /* JOURNAL_NO_ORIGIN: an empty device */
	bool grows;	       /* the file system is smaller than the device */
	bool apart;	       /* a copy that gets an identity of its own */
	struct volume *frozen; /* what it is a snapshot of; NULL: that rests by itself */
};

static int make_fs(struct making *making, struct error *err)
{
	struct volume_pool *pool = making->store->pool;
	const struct volume_row *row = &making->row;
	auto_volume struct volume *volume = NULL;

	if (making->origin == JOURNAL_NO_ORIGIN)
		return row->raw ? 0 : volume_format_sized(pool, row->thin_id, row->size_bytes, err);
	if (!making->grows && !making->apart)
		return 0;
	if (volume_activate_sized(pool, row->thin_id, row->size_bytes, VOLUME_READ_WRITE, &volume,
				  err) < 0 ||
	    (making->grows && volume_grow_fs(volume, err) < 0))
		return -1;
	return making->apart ? volume_set_apart(volume, err) : 0;
}

/* As in journal_fulfil(). */
static int prepare(void *ctx, struct error *err)
{
	struct making *making = ctx;

	if (making->frozen && volume_thaw(making->frozen, err) < 0)
		return -1;
	crash_point("volume-thin");
	if (make_fs(making, err) < 0)
		return -1;
	crash_point("volume-made");
	return *making->row.name == '.' ? 0 : note_write(&making->store->root, &making->row, err);
}

/* Under the store's lock. */
static int make(struct making *making, struct error *err)
{
	struct store *store = making->store;
	uint64_t txid;

	if (volume_pool_check_reserve(store->pool, err) < 0)
		return -1;
	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    journal_intend_create(store->db, txid, "volume", making->origin, 0,
					  &making->row.thin_id, err) < 0 ||
		    rows_volume_put(store->db, &making->row, err) < 0 || db_commit(&tx, err) < 0)
			return -1;
	}
	if (journal_fulfil(store->db, store->pool, txid, prepare, making, err) == 0)
		return 0;
	note_remove(&store->root, making->row.name);
	return -1;
}

static int choose_size(const struct volumes_create *args, const struct volume_pool_info *info,
		       uint64_t min_bytes, uint64_t *ret, struct error *err)
{
	uint64_t bytes = args->size_bytes ?: info->volume_bytes;

	if (args->image)
		min_bytes = info->volume_bytes;
	else if (args->raw)
		min_bytes = info->block_bytes;
	if (bytes < min_bytes)
		return err_set(err, ERR_USAGE,
			       "size %" PRIu64 " is too small: at least %" PRIu64 " bytes%s", bytes,
			       min_bytes,
			       args->image ? ", the size of the image's file system" : "");
	if (bytes > BYTES_MAX)
		return err_set(err, ERR_USAGE, "size %" PRIu64 " is too large: at most 16 TiB",
			       bytes);
	*ret = size_round_up(bytes, info->block_bytes);
	return 0;
}

/* @image: NULL: none */
static int create(struct store *store, const struct volumes_create *args, const struct image *image,
		  struct error *err)
{
	struct making making = {
		.store = store,
		.apart = image != NULL,
		.row = { .name = (char *)args->name,
			 .image_name = (char *)(args->image ?: ""),
			 .origin = (char *)"",
			 .raw = args->raw },
	};
	struct volume_pool_info info;

	if (volume_pool_info(store->pool, &info, err) < 0 ||
	    choose_size(args, &info, volume_min_bytes(store->pool), &making.row.size_bytes, err) <
		    0)
		return -1;
	if (image) {
		int64_t origin = image_thin(store, image, err);

		if (origin < 0)
			return -1;
		making.origin = (uint32_t)origin;
		making.row.image = image->id;
		making.grows = making.row.size_bytes > info.volume_bytes;
	}
	return make(&making, err);
}

int volumes_create(struct store *store, const struct volumes_create *args, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_image struct image image = { 0 };

	if (args->image && image_find(store, args->image, &image, NULL, err) < 0)
		return -1;
	if (check_new_name(store, args->name, err) < 0 || store_lock_pool(store, &held, err) < 0 ||
	    check_new_name(store, args->name, err) < 0 ||
	    create(store, args, args->image ? &image : NULL, err) < 0)
		return err_add(err, "volume %s", args->name);
	return 0;
}

/* ---- snapshots ---- */

/* A further mount of what is mounted, so that it can be frozen. */
static int freeze(struct store *store, const struct volume_row *row, enum volume_use use,
		  struct volume **ret, int *ret_fd, struct error *err)
{
	if (use == VOLUME_UNUSED || row->read_only)
		return 0;
	if (volume_activate_sized(store->pool, row->thin_id, row->size_bytes, VOLUME_READ_WRITE,
				  ret, err) < 0)
		return -1;
	volume_keep(*ret);
	if (use == VOLUME_MOUNTED && volume_mount(*ret, VOLUME_MOUNT_WRITE, ret_fd, err) < 0)
		return -1;
	return volume_freeze(*ret, *ret_fd, false, err);
}

static int snapshot(struct store *store, const struct volume_row *row, const char *name,
		    bool writable, struct error *err)
{
	auto_volume struct volume *frozen = NULL;
	auto_fd int mount_fd = -1;
	enum volume_use use;

	if (volumes_use(store, row, &use, err) < 0 ||
	    freeze(store, row, use, &frozen, &mount_fd, err) < 0)
		return -1;
	{
		struct making making = {
			.store = store,
			.origin = row->thin_id,
			/* What is attached may have a log to be played back first. */
			.apart = writable && !row->raw && use != VOLUME_ATTACHED,
			.frozen = frozen,
			.row = *row,
		};

		making.row.name = (char *)name;
		making.row.origin = row->name;
		making.row.read_only = !writable;
		return make(&making, err);
	}
}

int volumes_snapshot(struct store *store, const char *name, const char *snapshot_name,
		     bool writable, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_volume(store, name, &held, &row, err) < 0)
		return -1;
	if (check_new_name(store, snapshot_name, err) < 0 ||
	    snapshot(store, &row, snapshot_name, writable, err) < 0)
		return err_add(err, "snapshot of volume %s", name);
	return 0;
}

/* The new content takes the place of the old in one transaction; the old one goes with it. */
static int take_over(struct store *store, const struct volume_row *row,
		     const struct volume_row *new, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (db_begin(&tx, store->db, err) < 0 || journal_next_txid(store->db, &txid, err) < 0 ||
	    db_exec(store->db, err, "DELETE FROM volume WHERE name = ?1", "s", new->name) < 0 ||
	    db_exec(store->db, err,
		    "UPDATE volume SET thin_id = ?2, size_bytes = ?3, settled = 0 WHERE name = ?1",
		    "sii", row->name, (int64_t) new->thin_id, (int64_t) new->size_bytes) < 0 ||
	    journal_intend_delete(store->db, txid, row->thin_id, err) < 0 ||
	    db_commit(&tx, err) < 0)
		return -1;
	crash_point("volume-replaced");
	return journal_fulfil(store->db, store->pool, txid, NULL, NULL, err);
}

/* The new content is made beside the old: a crash leaves one or the other. */
static int replace(struct store *store, struct volume_row *row, struct making *making,
		   struct error *err)
{
	auto_free char *hidden = xasprintf(".%s", row->name);

	making->row.name = hidden;
	if (make(making, err) < 0)
		return -1;
	crash_point("volume-to-replace");
	if (take_over(store, row, &making->row, err) < 0)
		return -1;
	row->thin_id = making->row.thin_id;
	row->size_bytes = making->row.size_bytes;
	/* Killed before, the next command writes the note. */
	crash_point("volume-to-note");
	return note_write(&store->root, row, err) < 0 ? -1
						      : rows_volume_use(store->db, row, true, err);
}

static int roll_back(struct store *store, struct volume_row *row, const struct volume_row *snap,
		     struct error *err)
{
	struct making making = { .store = store, .origin = snap->thin_id, .row = *row };

	if (strcmp(snap->origin, row->name) != 0)
		return err_set(err, ERR_USAGE, "'%s' is no snapshot of it", snap->name);
	if (refuse_used(store, row, err) < 0)
		return -1;
	making.row.size_bytes = snap->size_bytes;
	return replace(store, row, &making, err);
}

int volumes_rollback(struct store *store, const char *name, const char *snapshot_name,
		     struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };
	auto_volume_row struct volume_row snap = { 0 };

	if (lock_volume(store, name, &held, &row, err) < 0 ||
	    volumes_find(store, snapshot_name, &snap, err) < 0)
		return -1;
	if (roll_back(store, &row, &snap, err) < 0)
		return err_add(err, "roll volume %s back", name);
	return 0;
}

/* ---- the rest of its life ---- */

/* resize2fs has no log: what a crash leaves half done, it has done to a snapshot. */
static int grow_unused(struct store *store, struct volume_row *row, uint64_t bytes,
		       struct error *err)
{
	struct making making = {
		.store = store, .origin = row->thin_id, .grows = true, .row = *row
	};

	making.row.size_bytes = bytes;
	return replace(store, row, &making, err);
}

static int grow(struct store *store, struct volume_row *row, uint64_t bytes, struct error *err)
{
	auto_volume struct volume *volume = NULL;
	struct volume_pool_info info;
	enum volume_use use;

	if (row->read_only)
		return err_set(err, ERR_DENIED, "it is a snapshot, only for reading");
	if (volume_pool_info(store->pool, &info, err) < 0 || volumes_use(store, row, &use, err) < 0)
		return -1;
	if (bytes > BYTES_MAX)
		return err_set(err, ERR_USAGE, "at most 16 TiB");
	bytes = size_round_up(bytes, info.block_bytes);
	if (bytes < row->size_bytes)
		return err_set(err, ERR_USAGE, "it has %" PRIu64 " bytes and cannot become smaller",
			       row->size_bytes);
	if (use == VOLUME_UNUSED && !row->raw)
		return grow_unused(store, row, bytes, err);
	row->size_bytes = bytes;
	/* First, so that no device is ever smaller than the file system on it. */
	if (note_write(&store->root, row, err) < 0 ||
	    rows_volume_set_size(store->db, row->name, bytes, err) < 0)
		return -1;
	crash_point("volume-to-grow");
	if (use != VOLUME_UNUSED && volume_resize(store->pool, row->thin_id, bytes, err) < 0)
		return -1;
	crash_point("volume-resized");
	if (row->raw || use == VOLUME_ATTACHED)
		return 0;
	if (volume_activate_sized(store->pool, row->thin_id, bytes, VOLUME_READ_WRITE, &volume,
				  err) < 0)
		return -1;
	volume_keep(volume);
	return volume_grow_fs(volume, err);
}

int volumes_grow(struct store *store, const char *name, uint64_t size_bytes, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_volume(store, name, &held, &row, err) < 0)
		return -1;
	if (grow(store, &row, size_bytes, err) < 0)
		return err_add(err, "grow volume %s", name);
	return 0;
}

static int rename_volume(struct store *store, const struct volume_row *row, const char *to,
			 struct error *err)
{
	struct volume_row new = *row;

	new.name = (char *)to;
	if (check_new_name(store, to, err) < 0 || refuse_used(store, row, err) < 0 ||
	    note_write(&store->root, &new, err) < 0)
		return -1;
	crash_point("volume-to-rename");
	if (rows_volume_rename(store->db, row->name, to, err) < 0) {
		note_remove(&store->root, to);
		return -1;
	}
	note_remove(&store->root, row->name);
	return 0;
}

int volumes_rename(struct store *store, const char *from, const char *to, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_volume(store, from, &held, &row, err) < 0)
		return -1;
	if (rename_volume(store, &row, to, err) < 0)
		return err_add(err, "rename volume %s", from);
	return 0;
}

static int remove_volume(struct store *store, const struct volume_row *row, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (refuse_used(store, row, err) < 0 || db_begin(&tx, store->db, err) < 0 ||
	    journal_next_txid(store->db, &txid, err) < 0 ||
	    journal_intend_delete(store->db, txid, row->thin_id, err) < 0 ||
	    db_commit(&tx, err) < 0)
		return -1;
	crash_point("volume-forgotten");
	if (journal_fulfil(store->db, store->pool, txid, NULL, NULL, err) < 0)
		return -1;
	note_remove(&store->root, row->name);
	return 0;
}

int volumes_remove(struct store *store, const char *name, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_volume_row struct volume_row row = { 0 };

	if (lock_volume(store, name, &held, &row, err) < 0)
		return -1;
	if (remove_volume(store, &row, err) < 0)
		return err_add(err, "remove volume %s", name);
	return 0;
}
