/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: layers are committed one by one and pinned by this session;
 * images and all their names become visible in one catalogue transaction at the
 * end. Killed before, the session's successor removes the layers again.
 */
#include "archive/load.h"

#include <stdlib.h>

#include "archive/dialect.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/rows_image.h"
#include "db/rows_remote.h"
#include "layer/layer.h"
#include "layer/stream.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "store.h"

/* One image of the archive, its layers in the store, waiting for the commit. */
struct loaded {
	struct archive_image *archive;
	struct image_config config;
	struct digest *chain_ids;
	int64_t size_bytes;
	struct blob_writer *document;
	struct digest *moved_from; /* one for each name */
};

struct loaded_list {
	struct loaded *items;
	size_t nr;
};

static void loaded_list_done(struct loaded_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		image_config_done(&list->items[i].config);
		blob_writer_free(list->items[i].document);
		free(list->items[i].chain_ids);
		free(list->items[i].moved_from);
	}
	free(list->items);
}
#define auto_loaded_list __attribute__((cleanup(loaded_list_done)))

/* The layers of one image as they come. */
struct incoming {
	struct layer_source *sources;
	struct stream_range *ranges;
	struct progress *progress;
};

static void incoming_done(struct incoming *incoming)
{
	free(incoming->sources);
	free(incoming->ranges);
}
#define auto_incoming __attribute__((cleanup(incoming_done)))

static int find_layer(struct bundle *bundle, const struct loaded *image, size_t at,
		      struct incoming *ret, struct error *err)
{
	const struct archive_layer *layer = &image->archive->layers[at];
	const struct image_history *history = image_config_layer_history(&image->config, at);
	struct bundle_member member;

	if (bundle_find(bundle, layer->member, &member, err) < 0)
		return err_add(err, "layer %zu", at);
	ret->ranges[at] = (struct stream_range){ member.fd, member.offset, member.size };
	ret->sources[at] = (struct layer_source){
		.index = at,
		.diff_id = image->config.diff_ids[at],
		.blob = layer->blob,
		.created_by = history ? history->created_by : NULL,
		.read = stream_read_range,
		.read_ctx = &ret->ranges[at],
		.total_bytes = member.size,
		.progress = ret->progress,
	};
	if (at > 0)
		ret->sources[at].parent = image->chain_ids[at - 1];
	chain_id_next(&ret->sources[at].parent, &image->config.diff_ids[at], &image->chain_ids[at]);
	return 0;
}

static int load_layers(struct store *store, struct bundle *bundle, struct loaded *image,
		       struct progress *progress, struct error *err)
{
	size_t nr = image->config.nr_layers;
	auto_incoming struct incoming incoming = {
		.sources = xcalloc(nr, sizeof(*incoming.sources)),
		.ranges = xcalloc(nr, sizeof(*incoming.ranges)),
		.progress = progress,
	};
	auto_layer_builder struct layer_builder *builder = NULL; /* last: it reads the others */

	image->chain_ids = xcalloc(nr, sizeof(*image->chain_ids));
	if (layer_builder_new(store, &builder, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++)
		if (find_layer(bundle, image, i, &incoming, err) < 0)
			return -1;
	layer_plan(builder, incoming.sources, nr);
	for (size_t i = 0; i < nr; i++) {
		auto_layer_row struct layer_row row = { 0 };

		if (layer_add(builder, &incoming.sources[i], &row, err) < 0)
			return -1;
		image->size_bytes += row.content_bytes;
	}
	return layer_builder_end(builder, err);
}

static int load_image(struct store *store, struct bundle *bundle, struct archive_image *archive,
		      struct loaded *ret, struct progress *progress, struct error *err)
{
	struct digest id;

	ret->archive = archive;
	ret->moved_from = xcalloc(archive->names.nr, sizeof(*ret->moved_from));
	if (image_config_parse(archive->config.data, archive->config.len, &ret->config, err) < 0 ||
	    load_layers(store, bundle, ret, progress, err) < 0)
		return -1;
	return blob_prepare(&store->root, store->session, archive->config.data, archive->config.len,
			    &ret->document, &id, err);
}

static int put_name(struct store *store, const char *name, const struct digest *image,
		    struct digest *ret_moved_from, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *repository = NULL;
	struct reference_row row = { .name = name };

	if (reference_parse(name, &ref, err) < 0)
		return -1;
	repository = reference_familiar_name(&ref);
	row.repository = repository;
	row.tag = ref.tag;
	return rows_reference_set(store->db, &row, image, ret_moved_from, err);
}

static int put_image(struct store *store, struct loaded *image, struct error *err)
{
	struct image_row row = {
		.id = image->archive->id,
		.parent = image->archive->parent,
		.has_created = image->config.has_created,
		.created_ns = image->config.created_ns,
		.size_bytes = image->size_bytes,
		.architecture = image->config.architecture,
		.os = image->config.os,
		.chain_ids = image->chain_ids,
		.nr_layers = image->config.nr_layers,
	};

	if (rows_image_put(store->db, &row, err) < 0)
		return -1;
	/* A push sends the image as it came. */
	if (image->archive->manifest.len &&
	    rows_manifest_put(store->db, &row.id, &image->archive->manifest, false, err) < 0)
		return -1;
	for (size_t i = 0; i < image->archive->names.nr; i++) {
		if (put_name(store, image->archive->names.items[i], &row.id, &image->moved_from[i],
			     err) < 0)
			return -1;
	}
	return 0;
}

/* All images of the archive at once, or none. */
static int commit_images(struct store *store, struct loaded_list *images, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_tx struct db_tx tx = { 0 };

	crash_point("load-layers");
	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	for (size_t i = 0; i < images->nr; i++) {
		if (gc_announce(store->db, &images->items[i].archive->id, err) < 0 ||
		    blob_publish(images->items[i].document, err) < 0)
			return -1;
		crash_point("load-published");
	}
	if (db_begin(&tx, store->db, err) < 0)
		return -1;
	for (size_t i = 0; i < images->nr; i++) {
		if (put_image(store, &images->items[i], err) < 0)
			return -1;
	}
	return db_commit(&tx, err);
}

static void report_image(const struct loaded *image, struct load_report *report)
{
	const struct strlist *names = &image->archive->names;

	if (!names->nr)
		report->untagged(report, &image->archive->id);
	for (size_t i = 0; i < names->nr; i++) {
		auto_reference struct reference ref = { 0 };
		auto_free char *familiar = NULL;
		struct error impossible;

		if (reference_parse(names->items[i], &ref, &impossible) < 0)
			continue;
		familiar = reference_familiar(&ref);
		if (digest_is_set(&image->moved_from[i]))
			report->moved(report, familiar, &image->moved_from[i]);
		report->tagged(report, familiar);
	}
}

int archive_load(struct store *store, const struct load_args *args, struct error *err)
{
	auto_archive_images struct archive_images archive = { 0 };
	auto_loaded_list struct loaded_list images = { 0 };
	auto_bundle struct bundle *bundle = NULL;

	if (bundle_open(&store->root, args->path, args->fd, args->progress, &bundle, err) < 0 ||
	    dialect_read(bundle, args->platform, &archive, err) < 0 ||
	    store_session(store, err) < 0)
		return -1;
	images.items = xcalloc(archive.nr, sizeof(*images.items));
	images.nr = archive.nr;
	for (size_t i = 0; i < archive.nr; i++) {
		if (load_image(store, bundle, &archive.items[i], &images.items[i], args->progress,
			       err) < 0)
			return -1;
	}
	if (commit_images(store, &images, err) < 0)
		return -1;
	crash_point("load-committed");
	for (size_t i = 0; i < images.nr; i++)
		report_image(&images.items[i], args->report);
	return 0;
}
