/* SPDX-License-Identifier: Apache-2.0 */
#include "image/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/journal.h"
#include "db/recover.h"
#include "db/rows.h"
#include "db/volume_note.h"
#include "image/checkdigests.h"
#include "image/image.h"
#include "image/view.h"
#include "layer/label.h"
#include "limits.h"
#include "pool/pool.h"
#include "store.h"

/* One run of check. */
struct check {
	struct store *store;
	struct check_report *report;
	bool repair;
	int nr_open; /* findings not mended */
	uint64_t leak_bytes;
	uint32_t *pool_ids; /* rising */
	size_t nr_pool_ids;
};

static void check_done(struct check *check)
{
	free(check->pool_ids);
}
#define auto_check __attribute__((cleanup(check_done)))

static void found(struct check *check, bool mended, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void found(struct check *check, bool mended, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check->nr_open += !mended;
	check->report->finding(check->report, text, mended);
}

static bool in_pool(const struct check *check, uint32_t id)
{
	for (size_t i = 0; i < check->nr_pool_ids; i++) {
		if (check->pool_ids[i] == id)
			return true;
	}
	return false;
}

/* Removes one thin id in a journal transaction of its own. */
static int remove_thin(struct check *check, uint32_t id, struct error *err)
{
	struct db *db = check->store->db;
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (db_begin(&tx, db, err) < 0 || journal_next_txid(db, &txid, err) < 0 ||
	    db_exec(db, err,
		    "INSERT OR IGNORE INTO thin (id, kind, state, txid)"
		    " VALUES (?1, 'work', 'deleting', ?2)",
		    "ii", (int64_t)id, (int64_t)txid) < 0 ||
	    journal_intend_delete(db, txid, id, err) < 0 || db_commit(&tx, err) < 0)
		return -1;
	return journal_fulfil(db, check->store->pool, txid, NULL, NULL, err);
}

/* Returns the name of the volume that it was, or NULL. */
static const char *noted(const struct volume_rows *notes, uint32_t id)
{
	for (size_t i = 0; i < notes->nr; i++)
		if (notes->items[i].thin_id == id)
			return notes->items[i].name;
	return NULL;
}

/* Ids that the pool has and the catalogue does not know. */
static int check_strangers(struct check *check, struct error *err)
{
	auto_volume_rows struct volume_rows notes = { 0 };

	note_list(&check->store->root, &notes);
	for (size_t i = 0; i < check->nr_pool_ids; i++) {
		auto_stmt struct db_stmt *stmt = NULL;
		uint32_t id = check->pool_ids[i];
		int got;

		if (db_prepare(check->store->db, "SELECT 1 FROM thin WHERE id = ?1", &stmt, err) <
		    0)
			return -1;
		db_bind_int(stmt, 1, id);
		got = db_step(stmt, err);
		if (got < 0)
			return -1;
		if (got)
			continue;
		if (noted(&notes, id)) {
			found(check, false,
			      "thin id %u is volume %s, which is not in the catalogue: 'veneer check "
			      "--rebuild' brings it back",
			      id, noted(&notes, id));
			continue;
		}
		if (check->repair && remove_thin(check, id, err) < 0)
			return -1;
		found(check, check->repair, "thin id %u is in the pool, but not in the catalogue%s",
		      id, check->repair ? ": removed" : "");
	}
	return 0;
}

/* The layer and everything above it. */
#define AND_ABOVE                                          \
	"WITH RECURSIVE up (chain_id) AS (SELECT ?1 UNION" \
	" SELECT l.chain_id FROM layer l JOIN up ON l.parent = up.chain_id) "

/*
 * Images cannot live without a layer: they go, with their names; the parts
 * that are whole stay. Returns 1, 0 when one of them is mounted or attached, or
 * -1.
 */
static int drop_layer(struct check *check, const struct layer_row *row, struct error *err)
{
	static const char views[] =
		AND_ABOVE "SELECT 1 FROM view WHERE image IN (SELECT image FROM image_layer"
			  " WHERE chain_id IN up)";
	static const char images[] =
		AND_ABOVE "DELETE FROM image WHERE id IN (SELECT image FROM image_layer"
			  " WHERE chain_id IN up)";
	auto_stmt struct db_stmt *stmt = NULL;
	int used;

	if (db_prepare(check->store->db, views, &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, row->chain_id.text);
	used = db_step(stmt, err);
	if (used)
		return used < 0 ? -1 : 0;
	return db_exec(check->store->db, err, images, "d", &row->chain_id) < 0 ? -1 : 1;
}

/* A layer that is not what it should be. */
static int found_bad_layer(struct check *check, const struct layer_row *row, const char *what,
			   struct error *err)
{
	int mended = check->repair ? drop_layer(check, row, err) : 0;

	if (mended < 0)
		return -1;
	found(check, mended, "layer %s, thin id %u: %s%s", row->chain_id.text, row->thin_id, what,
	      mended	      ? ": its images were removed, load them again"
	      : check->repair ? ": unmount or detach its images first"
			      : "");
	return 0;
}

static int read_label(struct check *check, const struct layer_row *row, struct error *err)
{
	auto_volume struct volume *volume = NULL;
	auto_layer_row struct layer_row label = { 0 };
	char bytes[VOLUME_LABEL_BYTES];
	int got;

	if (volume_activate(check->store->pool, row->thin_id, VOLUME_READ_ONLY, &volume, err) < 0 ||
	    volume_read_label(volume, bytes, err) < 0)
		return -1;
	got = label_decode(bytes, &label, err);
	if (got < 0)
		return -1;
	if (got == 0)
		return err_set(err, ERR_CORRUPT, "it has no label");
	if (!digest_equal(&label.chain_id, &row->chain_id) ||
	    !digest_equal(&label.diff_id, &row->diff_id) || label.thin_id != row->thin_id)
		return err_set(err, ERR_CORRUPT, "its label says layer %s, thin id %u",
			       label.chain_id.text, label.thin_id);
	return 0;
}

/* The bytes as they came can be done without: the volume has what they say. */
static int check_layer_blob(struct check *check, const struct layer_row *row, struct error *err)
{
	int there = digest_is_set(&row->blob) ? blob_exists(&check->store->root, &row->blob) : 1;

	if (there)
		return 0;
	if (check->repair &&
	    db_exec(check->store->db, err, "UPDATE layer SET blob = NULL WHERE chain_id = ?1", "d",
		    &row->chain_id) < 0)
		return -1;
	found(check, check->repair, "layer %s: its blob %s is missing%s", row->chain_id.text,
	      row->blob.text, check->repair ? ": forgotten" : "");
	return 0;
}

static int check_layer(struct check *check, const struct layer_row *row, struct error *err)
{
	struct error why;

	if (!in_pool(check, row->thin_id))
		return found_bad_layer(check, row, "it is not in the pool", err);
	if (read_label(check, row, &why) == 0)
		return check_layer_blob(check, row, err);
	if (why.kind != ERR_CORRUPT) {
		*err = why;
		return err_add(err, "layer %s", row->chain_id.text);
	}
	return found_bad_layer(check, row, why.text, err);
}

static int check_layers(struct check *check, struct error *err)
{
	auto_strlist struct strlist chains = { 0 };
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(check->store->db,
		       "SELECT chain_id FROM layer l JOIN thin t ON t.id = l.thin_id"
		       " WHERE t.state = 'live'",
		       &stmt, err) < 0)
		return -1;
	got = db_texts(stmt, &chains, err);
	for (size_t i = 0; got == 0 && i < chains.nr; i++) {
		auto_layer_row struct layer_row row = { 0 };
		struct digest chain_id;

		if (digest_parse(chains.items[i], &chain_id, err) < 0 ||
		    (got = rows_layer_get(check->store->db, &chain_id, &row, err)) < 0)
			return -1;
		got = got ? check_layer(check, &row, err) : 0;
	}
	return got;
}

static void found_lost_template(struct check *check, uint32_t id)
{
	found(check, check->repair, "the template, thin id %u, is not in the pool%s", id,
	      check->repair ? ": a new one is made" : "");
}

struct other {
	uint32_t id;
	uint32_t needs; /* what of the pool it is, or is to be made from */
	bool shown;
	char kind[16];
};

/* Other volumes that the catalogue counts as there: template, views, containers. */
static int check_other(struct check *check, const struct other *other, struct error *err)
{
	bool missing = !in_pool(check, other->needs);
	const char *kind = other->kind;
	uint32_t id = other->id;

	if (!missing && (strcmp(kind, "view") != 0 || other->shown))
		return 0;
	if (check->repair && remove_thin(check, id, err) < 0)
		return -1;
	if (strcmp(kind, "template") == 0)
		found_lost_template(check, id);
	else if (missing)
		found(check, check->repair,
		      "thin id %u (%s) is in the catalogue, but not in the pool%s", id, kind,
		      check->repair ? ": forgotten" : "");
	else
		found(check, check->repair,
		      "thin id %u was a writable view of an image, or never finished%s", id,
		      check->repair ? ": removed" : "");
	return 0;
}

static int check_others(struct check *check, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	auto_free struct other *others = NULL;
	size_t nr = 0;
	int got;

	if (db_prepare(check->store->db,
		       "SELECT id, kind, EXISTS (SELECT 1 FROM view WHERE thin_id = id),"
		       " iif(state = 'planned', origin, id) FROM thin"
		       " WHERE state IN ('live', 'planned') AND kind NOT IN ('layer', 'work')",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		others = xrealloc(others, (nr + 1) * sizeof(*others));
		others[nr].id = (uint32_t)db_int(stmt, 0);
		others[nr].shown = db_int(stmt, 2) != 0;
		others[nr].needs = (uint32_t)db_int(stmt, 3);
		snprintf(others[nr++].kind, sizeof(others->kind), "%s", db_text(stmt, 1));
	}
	for (size_t i = 0; got == 0 && i < nr; i++)
		got = check_other(check, &others[i], err);
	return got;
}

/* Returns 1, 0 when it is mounted or attached, or -1. */
static int drop_image(struct check *check, const struct digest *id, struct error *err)
{
	if (db_exec(check->store->db, err,
		    "DELETE FROM image WHERE id = ?1"
		    " AND NOT EXISTS (SELECT 1 FROM view WHERE image = ?1)",
		    "d", id) < 0)
		return -1;
	return db_changes(check->store->db) > 0;
}

static int check_configs(struct check *check, struct error *err)
{
	auto_image_list struct image_list list = { 0 };

	if (image_list(check->store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		const struct digest *id = &list.items[i].id;
		auto_buf struct buf config = { 0 };
		struct error why;
		int mended;

		if (blob_read(&check->store->root, id, LIMIT_JSON_BYTES, &config, &why) == 0)
			continue;
		mended = check->repair ? drop_image(check, id, err) : 0;
		if (mended < 0)
			return -1;
		found(check, mended, "image %s: %s%s", id->text, why.text,
		      mended	      ? ": removed, load it again"
		      : check->repair ? ": unmount or detach it first"
				      : "");
	}
	return 0;
}

static int check_blobs(struct check *check, struct error *err)
{
	auto_free struct digest *blobs = NULL;
	size_t nr = 0;

	if (blob_list(&check->store->root, &blobs, &nr, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		int used = rows_blob_is_used(check->store->db, &blobs[i], err);

		if (used < 0)
			return -1;
		if (used)
			continue;
		if (check->repair && blob_remove(&check->store->root, &blobs[i], err) < 0)
			return -1;
		found(check, check->repair, "blob %s belongs to nothing%s", blobs[i].text,
		      check->repair ? ": removed" : "");
	}
	return 0;
}

static bool is_noted(const struct volume_rows *notes, const struct volume_row *row)
{
	for (size_t i = 0; i < notes->nr; i++)
		if (strcmp(notes->items[i].name, row->name) == 0)
			return notes->items[i].thin_id == row->thin_id &&
			       notes->items[i].size_bytes >= row->size_bytes;
	return false;
}

/* A kill between catalogue and note leaves an old one. */
static int check_notes(struct check *check, struct error *err)
{
	auto_volume_rows struct volume_rows notes = { 0 };
	auto_volume_rows struct volume_rows rows = { 0 };

	note_list(&check->store->root, &notes);
	if (rows_volume_list(check->store->db, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++) {
		if (is_noted(&notes, &rows.items[i]))
			continue;
		if (check->repair && note_write(&check->store->root, &rows.items[i], err) < 0)
			return -1;
		found(check, check->repair, "the note of volume %s is missing or old%s",
		      rows.items[i].name, check->repair ? ": written" : "");
	}
	return 0;
}

static void found_in_digests(void *ctx, bool mended, const char *text)
{
	found(ctx, mended, "%s", text);
}

/* A read-only mount that a reboot has ended leaves its row. */
static int check_views(struct check *check, struct error *err)
{
	auto_view_list struct view_list list = { 0 };

	if (view_list(check->store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		const struct view *view = &list.items[i];
		bool mend = check->repair && !view->writable;

		if (view->active)
			continue;
		if (mend && db_exec(check->store->db, err,
				    "DELETE FROM view WHERE kind = ?1 AND target = ?2", "ss",
				    view->attached ? "attach" : "mount", view->target) < 0)
			return -1;
		found(check, mend, "%s '%s' is recorded, but not there%s",
		      view->attached ? "attachment" : "mount", view->target,
		      mend	       ? ": forgotten"
		      : view->writable ? ": its writes are kept until 'veneer unmount' or 'detach'"
				       : "");
	}
	return 0;
}

/* Repairs may have made orphans. */
static int collect(struct check *check, struct error *err)
{
	auto_orphan_list struct orphan_list orphans = { 0 };
	struct db *db = check->store->db;
	uint64_t txid;

	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, db, err) < 0 || journal_next_txid(db, &txid, err) < 0 ||
		    recover_mark_orphans(db, txid, &orphans, err) < 0 || db_commit(&tx, err) < 0)
			return -1;
	}
	if (orphans.nr && journal_fulfil(db, check->store->pool, txid, NULL, NULL, err) < 0)
		return -1;
	return gc_blobs(&check->store->root, db, err);
}

/* The pool's own count of its blocks. It has to be stopped for the repair, see store_check(). */
static int check_maps(struct check *check, struct error *err)
{
	uint64_t before = check->leak_bytes;

	if (volume_pool_verify(check->store->pool, &check->leak_bytes, err) < 0)
		return -1;
	if (check->leak_bytes && !(check->repair && !before))
		found(check, false, "%" PRIu64 " KiB of the pool belong to no volume",
		      check->leak_bytes / KIB);
	else if (before)
		found(check, true, "%" PRIu64 " KiB of the pool belonged to no volume: given back",
		      before / KIB);
	return 0;
}

static int compare(struct check *check, struct error *err)
{
	if (check_maps(check, err) < 0 ||
	    volume_list(check->store->pool, &check->pool_ids, &check->nr_pool_ids, err) < 0 ||
	    check_strangers(check, err) < 0 || check_layers(check, err) < 0 ||
	    check_others(check, err) < 0 || check_configs(check, err) < 0 ||
	    check_views(check, err) < 0 || check_notes(check, err) < 0 ||
	    (check->repair && collect(check, err) < 0))
		return -1;
	if (check_blobs(check, err) < 0)
		return -1;
	return check_digests(check->store, check->repair, found_in_digests, check, err);
}

/*
 * Catalogue and pool are not of the same time. When volumes and labels agree
 * nevertheless, only the number is wrong; otherwise mending would remove what
 * the older of the two does not know.
 */
static int compare_torn(struct check *check, const struct journal_state *state, struct error *err)
{
	bool repair = check->repair;
	uint32_t highest;
	bool mend;
	int result;

	check->repair = false;
	result = compare(check, err);
	check->repair = repair;
	if (result < 0)
		return -1;
	mend = repair && !check->nr_open;
	highest = check->nr_pool_ids ? check->pool_ids[check->nr_pool_ids - 1] : 0;
	if (mend && journal_accept(check->store->db, check->store->pool, highest, err) < 0)
		return -1;
	found(check, mend, "the pool is at transaction %" PRIu64 ", the catalogue at %" PRIu64 "%s",
	      state->pool, state->catalogue,
	      mend     ? ": all volumes agree, the pool's number was taken"
	      : repair ? ": not mended, since volumes differ; 'veneer check --rebuild' makes a "
			 "catalogue from the pool"
		       : "");
	return mend ? store_settle(check->store, err) : 0;
}

static void report_lines(struct check *check, bool mended, char *text)
{
	for (char *end; *text; text = end) {
		end = strchrnul(text, '\n');
		if (*end)
			*end++ = '\0';
		found(check, mended, "%s", text);
	}
}

/* What holds something that somebody wrote: "a volume", "a writable view"; *ret NULL for others. */
static int whose(struct check *check, uint32_t id, const char **ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(
		    check->store->db,
		    "SELECT kind = 'volume' FROM thin WHERE id = ?1 AND kind IN ('view', 'volume')",
		    &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, id);
	got = db_step(stmt, err);
	*ret = got <= 0 ? NULL : db_int(stmt, 0) ? "a volume" : "a writable view";
	return got < 0 ? -1 : 0;
}

/*
 * A layer with holes reads as if it were whole: it goes, and what is missing
 * then is found as ever. The rest of what people wrote themselves stays theirs.
 */
static int drop_losses(struct check *check, const struct pool_loss *losses, size_t nr,
		       struct error *err)
{
	auto_free uint32_t *ids = xcalloc(nr + 1, sizeof(*ids));
	size_t nr_ids = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct pool_loss *loss = &losses[i];
		const char *kept;

		if (whose(check, loss->id, &kept, err) < 0)
			return -1;
		found(check, !kept, "thin id %u has lost %" PRIu64 " of %" PRIu64 " blocks%s%s%s",
		      loss->id, loss->lost_blocks, loss->had_blocks,
		      kept ? ", which read as zeros: it is " : ": removed", kept ?: "",
		      kept ? ", save what you need" : "");
		if (!kept)
			ids[nr_ids++] = loss->id;
	}
	return volume_pool_repair_end(check->store->root.path, ids, nr_ids, err);
}

/* The pool is stopped for that; what had been found of it before counts no more. */
static int mend_pool(struct check *check, unsigned how, struct error *err)
{
	auto_buf struct buf report = { 0 };
	auto_free struct pool_loss *losses = NULL;
	struct store *store = check->store;
	uint64_t txid;
	size_t nr = 0;

	volume_pool_close(take_ptr(store->pool));
	if (journal_txid(store->db, &txid, err) < 0 ||
	    volume_pool_repair(store->root.path, how, txid, &report, &losses, &nr, err) < 0)
		return -1;
	free(take_ptr(check->pool_ids));
	check->nr_pool_ids = 0;
	check->nr_open = 0;
	if (report.data)
		report_lines(check, true, report.data);
	return drop_losses(check, losses, nr, err);
}

/* Without a pool the catalogue must be empty. */
static int check_without_pool(struct check *check, struct error *err)
{
	int64_t template = rows_template(check->store->db, err);

	if (template > 0)
		found(check, false,
		      "the catalogue belongs to a pool that is gone: bring the pool's devices and "
		      "its %s back, or remove the catalogue with 'veneer pool destroy --force'",
		      POOL_CONFIG_NAME);
	return template <0 ? -1 : check->nr_open;
}

static int check_all(struct check *check, struct error *err)
{
	struct store *store = check->store;
	struct journal_state state;

	check->nr_open = 0;
	if (store_open_as_is(store, err) < 0)
		return store_has_pool(store) ? -1 : check_without_pool(check, err);
	if (journal_look(store->db, store->pool, &state, err) < 0)
		return -1;
	if (journal_is_torn(&state))
		return compare_torn(check, &state, err) < 0 ? -1 : check->nr_open;
	if (store_settle(store, err) < 0 || compare(check, err) < 0)
		return -1;
	/* Makes the template when it was lost. */
	return check->repair && store_settle(store, err) < 0 ? -1 : check->nr_open;
}

/* With `repair`, blocks that belong to nobody: for them the pool is stopped once more. */
static int check_and_give_back(struct check *check, unsigned how, struct error *err)
{
	int got = check_all(check, err);

	if (got < 0 || !check->repair || !check->leak_bytes)
		return got;
	return mend_pool(check, POOL_REPAIR_REBUILD | how, err) < 0 ? -1 : check_all(check, err);
}

static bool may_be_metadata(const struct error *err)
{
	return err->kind == ERR_CORRUPT || err->kind == ERR_IO;
}

int store_check(struct store *store, bool repair, struct check_report *report, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_check struct check check = { .store = store, .report = report, .repair = repair };
	int got;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	got = check_and_give_back(&check, 0, err);
	if (got >= 0 || !may_be_metadata(err))
		return got;
	if (!repair)
		return err_add(err, "'veneer check --repair' would mend the pool's metadata first");
	return mend_pool(&check, 0, err) < 0 ? -1 : check_and_give_back(&check, 0, err);
}

int store_check_pool(struct store *store, struct check_report *report, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_buf struct buf lines = { 0 };
	struct check check = { .store = store, .report = report };
	int damaged;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	damaged = volume_pool_check(store->root.path, &lines, err);
	if (lines.data)
		report_lines(&check, false, lines.data);
	return damaged;
}

int store_repair_pool(struct store *store, struct check_report *report, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_check struct check check = { .store = store, .report = report, .repair = true };

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	if (mend_pool(&check, POOL_REPAIR_KEEP, err) < 0)
		return -1;
	/* Whole, but full: nothing more can be done before there is room. */
	if (store_open_as_is(store, err) < 0 || volume_pool_check_reserve(store->pool, err) < 0)
		return err_add(err, "the metadata is in order, and catalogue and pool are not "
				    "compared yet");
	return check_and_give_back(&check, POOL_REPAIR_KEPT, err);
}
