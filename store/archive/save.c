/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: nothing of the store is changed. The layers are pinned by this
 * session, so that they and their blobs stay, and the configs are in memory before
 * the first byte is written: whoever removes the images meanwhile.
 */
#include "archive/save.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/docker_archive.h"
#include "archive/oci_archive.h"
#include "archive/saved.h"
#include "archive/tarball.h"
#include "base/cleanup.h"
#include "blob/blob.h"
#include "db/rows.h"
#include "layer/layer_tar.h"
#include "limits.h"
#include "oci/descriptor.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store.h"

void save_list_done(struct save_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		strlist_done(&list->items[i].names);
	free(list->items);
	*list = (struct save_list){ 0 };
}

static struct save_image *find_or_add(struct save_list *list, const struct digest *id,
				      const struct digest *parent)
{
	for (size_t i = 0; i < list->nr; i++)
		if (digest_equal(&list->items[i].id, id))
			return &list->items[i];
	list->items = xrealloc(list->items, (list->nr + 1) * sizeof(*list->items));
	list->items[list->nr] = (struct save_image){ .id = *id, .parent = *parent };
	return &list->items[list->nr++];
}

void save_list_add(struct save_list *list, const struct digest *id, const struct digest *parent,
		   const char *name)
{
	struct save_image *image = find_or_add(list, id, parent);

	for (size_t i = 0; name && i < image->names.nr; i++)
		if (strcmp(image->names.items[i], name) == 0)
			return;
	if (name)
		strlist_add(&image->names, name);
}

/* One file of blobs/sha256/. */
struct member {
	struct digest digest;
	uint64_t size;
	const struct saved_image *image; /* of a document */
	bool is_manifest;		 /* else its config */
	struct digest chain;		 /* of a layer; else unset */
	size_t index;			 /* of the layer, for messages */
	bool kept;			 /* the layer has a blob */
};

struct saving {
	struct store *store;
	const struct save_args *args;
	struct tarball tarball;
	struct saved_image *images;
	size_t nr_images;
	struct member *members;
	size_t nr_members;
	size_t config_bytes; /* of all images */
	bool closed;	     /* what takes the bytes has failed */
	struct error why;
};

static void saving_done(struct saving *saving)
{
	for (size_t i = 0; i < saving->nr_images; i++)
		saved_image_done(&saving->images[i]);
	free(saving->images);
	free(saving->members);
}
#define auto_saving __attribute__((cleanup(saving_done)))

/* Puts the image's name in front; returns -1. */
static int of_image(const struct saved_image *image, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *familiar = NULL;
	struct error impossible;

	if (image->names.nr && reference_parse(image->names.items[0], &ref, &impossible) == 0)
		familiar = reference_familiar(&ref);
	return err_add(err, "image %s", familiar ? familiar : image->id.text);
}

static struct member *add_member(struct saving *saving, const struct saved_image *image,
				 const struct digest *digest, uint64_t size)
{
	struct member *member;

	saving->members =
		xrealloc(saving->members, (saving->nr_members + 1) * sizeof(*saving->members));
	member = &saving->members[saving->nr_members++];
	*member = (struct member){ .digest = *digest, .size = size, .image = image };
	return member;
}

/* ---- what goes in ---- */

static const char *media_type_of(enum inflate_kind kind)
{
	switch (kind) {
	case INFLATE_GZIP:
		return MEDIA_OCI_LAYER_GZIP;
	case INFLATE_ZSTD:
		return MEDIA_OCI_LAYER_ZSTD;
	default:
		return NULL;
	}
}

/* As it came, or as a plain tar. */
static int choose_form(struct saving *saving, const struct layer_row *row, struct saved_layer *ret,
		       struct error *err)
{
	auto_layer_blob struct layer_blob blob = { .fd = -1 };
	int kept = 0;

	if (saving->args->format == SAVE_OCI)
		kept = layer_blob_open(saving->store, row, &blob, err);
	if (kept < 0)
		return -1;
	*ret = (struct saved_layer){
		.diff_id = row->diff_id,
		.blob = row->diff_id,
		.blob_bytes = (uint64_t)row->tar_bytes,
		.media_type = MEDIA_OCI_LAYER,
	};
	if (kept && media_type_of(blob.kind)) {
		ret->blob = blob.digest;
		ret->blob_bytes = blob.size;
		ret->media_type = media_type_of(blob.kind);
	}
	return 0;
}

static int take_layer(struct saving *saving, struct saved_image *image, size_t index,
		      const struct digest *chain, struct error *err)
{
	struct store *store = saving->store;
	auto_layer_row struct layer_row row = { 0 };
	struct saved_layer *layer = &image->layers[index];
	struct member *member;
	int got = rows_layer_take(store->db, store->session, chain, &row, err);

	if (got == 0)
		err_set(err, ERR_NOT_FOUND, "it is not in the catalogue: run 'veneer check'");
	if (got <= 0 || choose_form(saving, &row, layer, err) < 0)
		return err_add(err, "layer %zu (%s)", index, image->config.diff_ids[index].text);
	member = add_member(saving, image, &layer->blob, layer->blob_bytes);
	member->chain = *chain;
	member->index = index;
	member->kept = digest_is_set(&row.blob);
	return 0;
}

static int read_config(struct saving *saving, struct saved_image *image, struct error *err)
{
	struct buf *bytes = &image->document;

	if (blob_read(&saving->store->root, &image->id, LIMIT_JSON_BYTES, bytes, err) < 0 ||
	    image_config_parse(bytes->data, bytes->len, &image->config, err) < 0)
		return -1;
	saving->config_bytes += bytes->len;
	if (saving->config_bytes > LIMIT_ARCHIVE_CONFIG_BYTES)
		return err_set(err, ERR_LIMIT, "the configs of the images are larger than %u bytes",
			       LIMIT_ARCHIVE_CONFIG_BYTES);
	add_member(saving, image, &image->id, bytes->len);
	return 0;
}

static int check_platform(const struct saving *saving, const struct saved_image *image,
			  struct error *err)
{
	const char *text = saving->args->platform;
	char is[PLATFORM_TEXT_SIZE], want[PLATFORM_TEXT_SIZE];
	struct platform wanted, platform;

	if (!text || !*text)
		return 0;
	if (platform_parse(text, &wanted, err) < 0)
		return -1;
	image_config_platform(&image->config, &platform);
	if (platform_rank(&wanted, &platform) >= 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "it is for %s, not for %s",
		       platform_text(&platform, is), platform_text(&wanted, want));
}

static int take_image(struct saving *saving, struct saved_image *image, struct error *err)
{
	struct digest chain = { 0 };

	if (read_config(saving, image, err) < 0 || check_platform(saving, image, err) < 0)
		return -1;
	image->layers = xcalloc(image->config.nr_layers, sizeof(*image->layers));
	for (size_t i = 0; i < image->config.nr_layers; i++) {
		chain_id_next(&chain, &image->config.diff_ids[i], &chain);
		if (take_layer(saving, image, i, &chain, err) < 0)
			return -1;
	}
	oci_archive_write_manifest(image);
	add_member(saving, image, &image->manifest_digest, image->manifest.len)->is_manifest = true;
	return 0;
}

static int take_images(struct saving *saving, struct error *err)
{
	const struct save_list *list = saving->args->images;

	saving->images = xcalloc(list->nr, sizeof(*saving->images));
	for (size_t i = 0; i < list->nr; i++) {
		struct saved_image *image = &saving->images[saving->nr_images++];

		image->id = list->items[i].id;
		image->parent = list->items[i].parent;
		for (size_t n = 0; n < list->items[i].names.nr; n++)
			strlist_add(&image->names, list->items[i].names.items[n]);
		if (take_image(saving, image, err) < 0)
			return of_image(image, err);
	}
	return 0;
}

/* ---- writing ---- */

/* What is wrong there is no image's fault: the error is kept as it is. */
static int put(void *ctx, const void *data, size_t len, struct error *err)
{
	struct saving *saving = ctx;
	int result = saving->args->write(saving->args->ctx, data, len, err);

	if (result < 0) {
		saving->closed = true;
		saving->why = *err;
	}
	return result;
}

/*
 * By digest, as Docker's folder is sorted. Of equal ones, which may be layers at several places,
 * first one with a blob, then that which was asked for first.
 */
static int compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = strcmp(x->digest.text, y->digest.text);

	if (order)
		return order;
	if (x->kept != y->kept)
		return y->kept - x->kept;
	return x->image != y->image ? (x->image > y->image) - (x->image < y->image)
				    : (x->index > y->index) - (x->index < y->index);
}

static int write_layer(struct saving *saving, const struct member *member, struct error *err)
{
	auto_layer_blob struct layer_blob blob = { .fd = -1 };
	auto_layer_row struct layer_row row = { 0 };
	struct layer_sink sink = {
		.write = tarball_write,
		.ctx = &saving->tarball,
		.progress = saving->args->progress,
		.phase = "Saving layer",
	};
	int got = rows_layer_get(saving->store->db, &member->chain, &row, err);

	if (got == 0)
		err_set(err, ERR_CORRUPT, "it has been removed while it was in use");
	if (got <= 0)
		return -1;
	if (digest_equal(&member->digest, &row.diff_id))
		return layer_tar_write(saving->store, &row, &sink, err);
	got = layer_blob_open(saving->store, &row, &blob, err);
	if (got == 0)
		err_set(err, ERR_CORRUPT, "its blob %s is gone", row.blob.text);
	return got <= 0 ? -1 : layer_blob_write(&blob, &row, &sink, err);
}

static int write_bytes(struct saving *saving, const struct member *member, struct error *err)
{
	const struct saved_image *image = member->image;
	const struct buf *bytes = member->is_manifest ? &image->manifest : &image->document;

	if (!digest_is_set(&member->chain))
		return tarball_write(&saving->tarball, bytes->data, bytes->len, err);
	if (write_layer(saving, member, err) < 0)
		return err_add(err, "layer %zu (%s)", member->index,
			       image->config.diff_ids[member->index].text);
	return 0;
}

static int write_member(struct saving *saving, const struct member *member, struct error *err)
{
	auto_free char *name = saved_blob_name(&member->digest);

	if (tarball_begin(&saving->tarball, name, member->size, err) < 0)
		return -1;
	if (write_bytes(saving, member, err) < 0 || tarball_end(&saving->tarball, err) < 0)
		return of_image(member->image, err);
	return 0;
}

static int write_members(struct saving *saving, struct error *err)
{
	const struct member *last = NULL;

	if (tarball_folder(&saving->tarball, "blobs/", err) < 0 ||
	    tarball_folder(&saving->tarball, "blobs/sha256/", err) < 0)
		return -1;
	if (saving->nr_members)
		qsort(saving->members, saving->nr_members, sizeof(*saving->members), compare);
	for (size_t i = 0; i < saving->nr_members; i++) {
		const struct member *member = &saving->members[i];

		if (last && digest_equal(&last->digest, &member->digest))
			continue;
		if (write_member(saving, member, err) < 0)
			return -1;
		last = member;
	}
	return 0;
}

/* The documents that name the images. */
struct documents {
	struct buf index;
	struct buf manifest; /* these two empty where the format has none */
	struct buf repositories;
};

static void documents_done(struct documents *documents)
{
	buf_done(&documents->index);
	buf_done(&documents->manifest);
	buf_done(&documents->repositories);
}
#define auto_documents __attribute__((cleanup(documents_done)))

static int make_documents(const struct saving *saving, struct documents *ret, struct error *err)
{
	oci_archive_write_index(saving->images, saving->nr_images, &ret->index);
	if (saving->args->format == SAVE_DOCKER) {
		docker_archive_write_manifest(saving->images, saving->nr_images, &ret->manifest);
		docker_archive_write_repositories(saving->images, saving->nr_images,
						  &ret->repositories);
	}
	if (ret->index.len > LIMIT_JSON_BYTES || ret->manifest.len > LIMIT_JSON_BYTES)
		return err_set(err, ERR_LIMIT,
			       "%zu images are too many for one archive: what lists them would be "
			       "larger than %u bytes",
			       saving->nr_images, LIMIT_JSON_BYTES);
	return 0;
}

static int write_document(struct saving *saving, const char *name, const struct buf *bytes,
			  struct error *err)
{
	return bytes->len ? tarball_file(&saving->tarball, name, bytes->data, bytes->len, err) : 0;
}

/* In the order of names, as Docker does. */
static int write_archive(struct saving *saving, const struct documents *documents,
			 struct error *err)
{
	struct tarball *tarball = &saving->tarball;

	if (write_members(saving, err) < 0 ||
	    write_document(saving, "index.json", &documents->index, err) < 0 ||
	    write_document(saving, "manifest.json", &documents->manifest, err) < 0 ||
	    tarball_file(tarball, "oci-layout", OCI_ARCHIVE_LAYOUT, strlen(OCI_ARCHIVE_LAYOUT),
			 err) < 0 ||
	    write_document(saving, "repositories", &documents->repositories, err) < 0)
		return -1;
	return tarball_finish(tarball, err);
}

int archive_save(struct store *store, const struct save_args *args, struct error *err)
{
	auto_saving struct saving saving = {
		.store = store,
		.args = args,
		.tarball = { .write = put, .ctx = &saving },
	};
	auto_documents struct documents documents = { 0 };

	if (store_session(store, err) < 0 || take_images(&saving, err) < 0 ||
	    make_documents(&saving, &documents, err) < 0)
		return -1;
	if (write_archive(&saving, &documents, err) == 0)
		return 0;
	if (saving.closed)
		*err = saving.why;
	return -1;
}
