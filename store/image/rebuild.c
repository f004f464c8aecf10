/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rebuild - a catalogue made again from the pool's labels and the config documents
 *
 * The lost catalogue is renamed, never removed, before the new one is filled in
 * a single transaction; killed in between, the next --rebuild starts over from
 * an empty one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/blob.h"
#include "db/recover.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "db/rows_volume.h"
#include "db/volume_note.h"
#include "image/check.h"
#include "layer/label.h"
#include "limits.h"
#include "oci/config.h"
#include "store.h"

/* One volume of the pool and what its label says. */
struct found {
	uint32_t id;
	bool is_layer;
	struct layer_row row;
	bool taken; /* its rows are written */
};

struct rebuild {
	struct store *store;
	struct check_report *report;
	struct found *items;
	size_t nr;
};

static void rebuild_done(struct rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->nr; i++)
		layer_row_done(&rebuild->items[i].row);
	free(rebuild->items);
}
#define auto_rebuild __attribute__((cleanup(rebuild_done)))

static void say(struct rebuild *rebuild, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct rebuild *rebuild, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rebuild->report->finding(rebuild->report, text, true);
}

static int look_at(struct rebuild *rebuild, struct found *found, struct error *err)
{
	auto_volume struct volume *volume = NULL;
	char label[VOLUME_LABEL_BYTES];
	struct error damaged;
	int got;

	if (volume_activate(rebuild->store->pool, found->id, VOLUME_READ_ONLY, &volume, err) < 0 ||
	    volume_read_label(volume, label, err) < 0)
		return -1;
	got = label_decode(label, &found->row, &damaged);
	if (got < 0)
		say(rebuild, "thin id %u: %s", found->id, damaged.text);
	/* A snapshot carries the label of its origin: then it is not that layer. */
	found->is_layer = got > 0 && found->row.thin_id == found->id;
	return 0;
}

static int read_labels(struct rebuild *rebuild, struct error *err)
{
	auto_free uint32_t *ids = NULL;
	size_t nr;

	if (volume_list(rebuild->store->pool, &ids, &nr, err) < 0)
		return -1;
	rebuild->items = xcalloc(nr, sizeof(*rebuild->items));
	for (; rebuild->nr < nr; rebuild->nr++) {
		rebuild->items[rebuild->nr].id = ids[rebuild->nr];
		if (look_at(rebuild, &rebuild->items[rebuild->nr], err) < 0)
			return err_add(err, "thin id %u", ids[rebuild->nr]);
	}
	return 0;
}

static int put_thin(struct rebuild *rebuild, const struct found *found, const char *kind,
		    uint64_t txid, struct error *err)
{
	return db_exec(rebuild->store->db, err,
		       "INSERT INTO thin (id, kind, state, txid) VALUES (?1, ?2, 'live', ?3)",
		       "isi", (int64_t)found->id, kind, (int64_t)txid);
}

static int parent_is_there(struct rebuild *rebuild, const struct found *found, struct error *err)
{
	auto_layer_row struct layer_row parent = { 0 };

	if (!digest_is_set(&found->row.parent))
		return 1;
	return rows_layer_get(rebuild->store->db, &found->row.parent, &parent, err);
}

static int put_layer(struct rebuild *rebuild, struct found *found, uint64_t txid, struct error *err)
{
	struct layer_row row = found->row;
	struct layer_row twin = { 0 };
	int known = rows_layer_get(rebuild->store->db, &row.chain_id, &twin, err);

	layer_row_done(&twin);
	if (known < 0)
		return -1;
	found->taken = true;
	if (known) {
		say(rebuild, "thin id %u is a second copy of layer %s", found->id,
		    row.chain_id.text);
		return put_thin(rebuild, found, "work", txid, err);
	}
	row.own_bytes = ROW_SIZE_UNKNOWN;
	if (put_thin(rebuild, found, "layer", txid, err) < 0 ||
	    rows_layer_put(rebuild->store->db, &row, err) < 0)
		return -1;
	return 1;
}

/* Parents before children, since rows refer to each other. Returns the layers written. */
static int put_layers(struct rebuild *rebuild, uint64_t txid, struct error *err)
{
	int total = 0, round;

	do {
		round = 0;
		for (size_t i = 0; i < rebuild->nr; i++) {
			struct found *found = &rebuild->items[i];
			int ready;

			if (!found->is_layer || found->taken)
				continue;
			ready = parent_is_there(rebuild, found, err);
			if (ready < 0 || (ready && put_layer(rebuild, found, txid, err) < 0))
				return -1;
			round += ready;
		}
		total += round;
	} while (round);
	return total;
}

/* What the notes say is a volume, before it could be taken for something else. */
static int put_volumes(struct rebuild *rebuild, uint64_t txid, struct error *err)
{
	auto_volume_rows struct volume_rows notes = { 0 };

	note_list(&rebuild->store->root, &notes);
	for (size_t i = 0; i < notes.nr; i++) {
		const struct volume_row *note = &notes.items[i];
		struct found *found = NULL;

		for (size_t j = 0; j < rebuild->nr; j++)
			if (rebuild->items[j].id == note->thin_id)
				found = &rebuild->items[j];
		if (!found || found->taken || found->is_layer)
			continue;
		found->taken = true;
		if (put_thin(rebuild, found, "volume", txid, err) < 0 ||
		    rows_volume_put(rebuild->store->db, note, err) < 0)
			return -1;
		say(rebuild, "volume %s is back", note->name);
	}
	return 0;
}

/*
 * The rest: the template is the lowest id; anything else is kept as garbage of
 * no session, which the next change of the pool removes, unless it is a writable
 * view: nobody can tell those apart from a dead working volume any more, so
 * they are kept and named.
 */
static int put_rest(struct rebuild *rebuild, uint64_t txid, struct error *err)
{
	bool template = false;

	for (size_t i = 0; i < rebuild->nr; i++) {
		struct found *found = &rebuild->items[i];

		if (found->taken)
			continue;
		if (!template && !found->is_layer && !digest_is_set(&found->row.chain_id)) {
			template = true;
			if (put_thin(rebuild, found, "template", txid, err) < 0)
				return -1;
			continue;
		}
		say(rebuild, "thin id %u is no layer%s%s: left alone", found->id,
		    digest_is_set(&found->row.chain_id) ? ", but a snapshot of " : "",
		    found->row.chain_id.text);
		if (put_thin(rebuild, found, "view", txid, err) < 0)
			return -1;
	}
	return 0;
}

static int put_image(struct rebuild *rebuild, const struct digest *id,
		     const struct image_config *config, struct error *err)
{
	auto_free struct digest *chains = xcalloc(config->nr_layers, sizeof(*chains));
	struct image_row row = { .id = *id,
				 .has_created = config->has_created,
				 .created_ns = config->created_ns,
				 .architecture = config->architecture,
				 .os = config->os,
				 .chain_ids = chains,
				 .nr_layers = config->nr_layers };

	for (size_t i = 0; i < config->nr_layers; i++) {
		auto_layer_row struct layer_row layer = { 0 };
		int got;

		image_config_chain_id(config, i + 1, &chains[i]);
		got = rows_layer_get(rebuild->store->db, &chains[i], &layer, err);
		if (got <= 0)
			return got;
		row.size_bytes += layer.content_bytes;
	}
	if (rows_image_put(rebuild->store->db, &row, err) < 0)
		return -1;
	say(rebuild, "image %s is back, without its names", id->text);
	return 0;
}

/* Every blob that reads as a config and whose layers are all there is an image. */
static int put_images(struct rebuild *rebuild, struct error *err)
{
	auto_free struct digest *blobs = NULL;
	size_t nr;

	if (blob_list(&rebuild->store->root, &blobs, &nr, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		auto_image_config struct image_config config = { 0 };
		auto_buf struct buf bytes = { 0 };
		struct error other;

		if (blob_read(&rebuild->store->root, &blobs[i], LIMIT_JSON_BYTES, &bytes, &other) <
			    0 ||
		    image_config_parse(bytes.data, bytes.len, &config, &other) < 0)
			continue;
		if (put_image(rebuild, &blobs[i], &config, err) < 0)
			return -1;
	}
	return 0;
}

static int fill(struct rebuild *rebuild, struct error *err)
{
	struct db *db = rebuild->store->db;
	auto_tx struct db_tx tx = { 0 };
	struct volume_pool_info info;
	int64_t next = rebuild->nr ? (int64_t)rebuild->items[rebuild->nr - 1].id + 1 : 1;
	int layers;

	if (volume_pool_info(rebuild->store->pool, &info, err) < 0 || db_begin(&tx, db, err) < 0)
		return -1;
	layers = put_layers(rebuild, info.transaction_id, err);
	if (layers < 0 || put_volumes(rebuild, info.transaction_id, err) < 0 ||
	    put_rest(rebuild, info.transaction_id, err) < 0 || put_images(rebuild, err) < 0 ||
	    db_exec(db, err, "UPDATE meta SET value = ?1 WHERE key = 'pool_txid'", "i",
		    (int64_t)info.transaction_id) < 0 ||
	    db_exec(db, err, "UPDATE meta SET value = ?1 WHERE key = 'next_thin'", "i", next) < 0 ||
	    db_commit(&tx, err) < 0)
		return -1;
	return layers;
}

/* The old catalogue, with its write-ahead log, under another name. */
static int set_aside(struct store *store, struct error *err)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	auto_free char *path = xasprintf("%s/catalogue.db", store->root.path);
	int64_t now = rows_now_ns();

	db_close(take_ptr(store->db));
	crash_point("rebuild-looked");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		auto_free char *old = xasprintf("catalogue.db%s", parts[i]);
		auto_free char *kept = xasprintf("catalogue.db.%" PRId64 "%s", now, parts[i]);

		if (renameat(store->root.fd, old, store->root.fd, kept) < 0 && errno != ENOENT)
			return err_sys(err, errno, "set '%s/%s' aside", store->root.path, old);
	}
	crash_point("rebuild-set-aside");
	return db_open(path, &store->db, err);
}

int store_rebuild(struct store *store, struct check_report *report, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_rebuild struct rebuild rebuild = { .store = store, .report = report };

	int got;

	if (root_lock(&store->root, err) < 0)
		return -1;
	held = &store->root;
	got = recover_any_session(&store->root, err);
	if (got > 0)
		return err_set(err, ERR_IN_USE,
			       "another command is working on '%s': wait for its end",
			       store->root.path);
	if (got < 0 || store_open_as_is(store, err) < 0 || read_labels(&rebuild, err) < 0 ||
	    set_aside(store, err) < 0)
		return -1;
	got = fill(&rebuild, err);
	return got < 0 || store_settle(store, err) < 0 ? -1 : got;
}
