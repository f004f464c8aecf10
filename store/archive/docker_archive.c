/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/docker_archive.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"
#include "oci/config.h"
#include "oci/docker_manifest.h"
#include "oci/reference.h"

static int read_names(const struct docker_manifest_image *entry, struct archive_image *image,
		      struct error *err)
{
	for (size_t i = 0; i < entry->repo_tags.nr; i++) {
		auto_reference struct reference ref = { 0 };

		if (reference_parse_tagged(entry->repo_tags.items[i], &ref, err) < 0)
			return -1;
		strlist_take(&image->names, reference_key(&ref));
	}
	return 0;
}

/* The sizes of manifest and config must agree before any layer is unpacked. */
static int check_layers(const struct docker_manifest_image *entry,
			const struct image_config *config, struct error *err)
{
	if (entry->layers.nr != config->nr_layers)
		return err_set(err, ERR_CORRUPT,
			       "invalid manifest, layers length mismatch: expected %zu, got %zu",
			       entry->layers.nr, config->nr_layers);
	return 0;
}

static int read_image(struct bundle *bundle, const struct docker_manifest_image *entry,
		      struct archive_image *image, struct error *err)
{
	static const struct digest unknown;
	auto_image_config struct image_config config = { 0 };

	if (bundle_read(bundle, entry->config, LIMIT_JSON_BYTES, &image->config, err) < 0)
		return err_add(err, "image config");
	digest_of(image->config.data, image->config.len, &image->id);
	image->parent = entry->parent;
	if (image_config_parse(image->config.data, image->config.len, &config, err) < 0 ||
	    image_config_check_os(&config, err) < 0 || check_layers(entry, &config, err) < 0 ||
	    read_names(entry, image, err) < 0)
		return -1;
	for (size_t i = 0; i < entry->layers.nr; i++)
		archive_image_add_layer(image, xstrdup(entry->layers.items[i]), &unknown);
	return 0;
}

int docker_archive_read(struct bundle *bundle, struct archive_images *ret, struct error *err)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	auto_buf struct buf bytes = { 0 };

	if (bundle_read(bundle, "manifest.json", LIMIT_JSON_BYTES, &bytes, err) < 0 ||
	    docker_manifest_parse(bytes.data, bytes.len, &manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest.nr_images; i++) {
		if (read_image(bundle, &manifest.images[i], archive_images_add(ret), err) < 0 ||
		    archive_images_check_size(ret, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- writing ---- */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_entry(const struct image_history *a, const struct image_history *b)
{
	return same_text(a->created, b->created) && same_text(a->created_by, b->created_by) &&
	       same_text(a->author, b->author) && same_text(a->comment, b->comment) &&
	       a->empty_layer == b->empty_layer;
}

/* What Docker calls a valid parent. */
static bool is_parent(const struct image_config *parent, const struct image_config *child)
{
	if (!parent->nr_history && !child->nr_history)
		return true;
	if (parent->nr_history + 1 != child->nr_history)
		return false;
	for (size_t i = 0; i < parent->nr_history; i++)
		if (!same_entry(&parent->history[i], &child->history[i]))
			return false;
	return true;
}

static const struct digest *find_parent(const struct saved_image *images, size_t nr,
					const struct saved_image *child)
{
	for (size_t i = 0; i < nr && digest_is_set(&child->parent); i++)
		if (digest_equal(&images[i].id, &child->parent) && &images[i] != child &&
		    is_parent(&images[i].config, &child->config))
			return &images[i].id;
	return NULL;
}

static json_t *sources(const struct saved_image *image)
{
	json_t *object = json_object();

	for (size_t i = 0; i < image->config.nr_layers; i++) {
		struct descriptor source = {
			.media_type = (char *)image->layers[i].media_type,
			.digest = image->layers[i].blob,
			.size_bytes = (int64_t)image->layers[i].blob_bytes,
		};

		json_object_set_new(object, image->layers[i].diff_id.text,
				    descriptor_to_json(&source));
	}
	return object;
}

/* "debian:12" of a canonical name. */
static void add_familiar(const char *name, struct strlist *ret)
{
	auto_reference struct reference ref = { 0 };
	struct error impossible;

	if (reference_parse(name, &ref, &impossible) == 0)
		strlist_take(ret, reference_familiar(&ref));
}

void docker_archive_write_manifest(const struct saved_image *images, size_t nr, struct buf *ret)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };

	manifest.images = xcalloc(nr, sizeof(*manifest.images));
	manifest.nr_images = nr;
	for (size_t i = 0; i < nr; i++) {
		const struct digest *parent = find_parent(images, nr, &images[i]);
		struct docker_manifest_image *entry = &manifest.images[i];

		entry->config = saved_blob_name(&images[i].id);
		for (size_t n = 0; n < images[i].names.nr; n++)
			add_familiar(images[i].names.items[n], &entry->repo_tags);
		for (size_t n = 0; n < images[i].config.nr_layers; n++)
			strlist_take(&entry->layers, saved_blob_name(&images[i].layers[n].blob));
		if (parent)
			entry->parent = *parent;
		entry->layer_sources = sources(&images[i]);
	}
	docker_manifest_write(&manifest, ret);
}

static void add_repository(json_t *object, const char *name, const struct digest *top)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *repository = NULL;
	struct error impossible;
	json_t *tags;

	if (reference_parse(name, &ref, &impossible) < 0 || !ref.tag)
		return;
	repository = reference_familiar_name(&ref);
	tags = json_object_get(object, repository);
	if (!tags) {
		tags = json_object();
		json_object_set_new(object, repository, tags);
	}
	json_object_set_new(tags, ref.tag, json_string(digest_hex(top)));
}

void docker_archive_write_repositories(const struct saved_image *images, size_t nr, struct buf *ret)
{
	auto_json json_t *object = json_object();

	for (size_t i = 0; i < nr; i++) {
		size_t nr_layers = images[i].config.nr_layers;

		for (size_t n = 0; n < images[i].names.nr && nr_layers; n++)
			add_repository(object, images[i].names.items[n],
				       &images[i].layers[nr_layers - 1].blob);
	}
	if (json_object_size(object))
		jsonfield_write(object, ret);
}
