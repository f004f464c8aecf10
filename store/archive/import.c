/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "archive/load.h"
#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "blob/blob.h"
#include "blob/gc.h"
#include "db/rows_image.h"
#include "layer/layer.h"
#include "layer/stream.h"
#include "oci/change.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "store.h"

/* What is imported, ready for the catalogue. */
struct imported {
	struct platform platform;
	struct reference ref;
	bool named;
	struct layer_row layer;
	struct buf config;
	int64_t created_ns;
};

static void imported_done(struct imported *import)
{
	reference_done(&import->ref);
	layer_row_done(&import->layer);
	buf_done(&import->config);
}
#define auto_imported __attribute__((cleanup(imported_done)))

static int commit_import(struct store *store, const struct imported *import,
			 struct blob_writer *document, const struct digest *id, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_tx struct db_tx tx = { 0 };
	auto_free char *key = import->named ? reference_key(&import->ref) : NULL;
	auto_free char *repository = import->named ? reference_familiar_name(&import->ref) : NULL;
	struct digest moved_from;
	struct reference_row name = { .name = key,
				      .repository = repository,
				      .tag = import->ref.tag };
	struct image_row row = {
		.id = *id,
		.has_created = true,
		.created_ns = import->created_ns,
		.size_bytes = import->layer.content_bytes,
		.architecture = import->platform.architecture,
		.os = import->platform.os,
		.chain_ids = &import->layer.chain_id,
		.nr_layers = 1,
	};

	if (store_lock_pool(store, &held, err) < 0 || gc_announce(store->db, id, err) < 0 ||
	    blob_publish(document, err) < 0 || db_begin(&tx, store->db, err) < 0 ||
	    rows_image_put(store->db, &row, err) < 0 ||
	    (key && rows_reference_set(store->db, &name, id, &moved_from, err) < 0))
		return -1;
	return db_commit(&tx, err);
}

static int read_layer(struct store *store, const struct import_args *args, struct layer_row *ret,
		      struct error *err)
{
	auto_layer_builder struct layer_builder *builder = NULL;
	auto_fd int file = -1;
	int fd = args->fd;
	struct stat st;
	struct layer_source source = { .read = stream_read_fd,
				       .read_ctx = &fd,
				       .progress = args->progress };

	if (args->path) {
		file = open(args->path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return err_sys(err, errno, "open %s", args->path);
		fd = file;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		source.total_bytes = (uint64_t)st.st_size;
	if (layer_builder_new(store, &builder, err) < 0)
		return -1;
	return layer_add(builder, &source, ret, err) < 0 ? -1 : layer_builder_end(builder, err);
}

/* A name that makes no sense is told without "error parsing reference", unlike by `tag`. */
static int parse_name(const char *text, struct reference *ret, struct error *err)
{
	auto_reference struct reference any = { 0 };

	return reference_parse(text, &any, err) < 0 ? -1 : reference_parse_target(text, ret, err);
}

int archive_import(struct store *store, const struct import_args *args, struct digest *ret,
		   struct error *err)
{
	auto_imported struct imported import = { .created_ns = rows_now_ns() };
	auto_blob_writer struct blob_writer *document = NULL;
	auto_json json_t *settings = json_object();
	auto_free char *comment =
		args->message ? xstrdup(args->message)
			      : xasprintf("Imported from %s", args->path ? args->path : "-");

	if (platform_parse(args->platform, &import.platform, err) < 0 ||
	    (args->reference && parse_name(args->reference, &import.ref, err) < 0))
		return -1;
	import.named = args->reference != NULL;
	for (size_t i = 0; args->changes && args->changes[i]; i++) {
		if (change_apply(settings, args->changes[i], err) < 0)
			return -1;
	}
	if (read_layer(store, args, &import.layer, err) < 0)
		return -1;
	image_config_write_import(&import.platform, settings, comment, import.created_ns,
				  &import.layer.diff_id, &import.config);
	if (blob_prepare(&store->root, store->session, import.config.data, import.config.len,
			 &document, ret, err) < 0)
		return -1;
	return commit_import(store, &import, document, ret, err);
}
