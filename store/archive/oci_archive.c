/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/oci_archive.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "limits.h"
#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/reference.h"

/* A document of the layout, verified against the descriptor that named it. */
static int read_document(struct bundle *bundle, const char *what, const struct digest *digest,
			 struct buf *ret, struct error *err)
{
	auto_free char *member = saved_blob_name(digest);
	struct digest found;

	if (bundle_read(bundle, member, LIMIT_JSON_BYTES, ret, err) < 0)
		return err_add(err, "%s", what);
	digest_of(ret->data, ret->len, &found);
	if (!digest_equal(&found, digest))
		return err_set(err, ERR_CORRUPT, "%s verification failed for digest %s", what,
			       digest->text);
	return 0;
}

/* The name an image gets: a full one from containerd's annotation, or from ref.name. */
static void add_name(const struct descriptor *desc, struct archive_image *image)
{
	const char *name = descriptor_annotation(desc, ANNOTATION_IMAGE_NAME);
	auto_reference struct reference ref = { 0 };
	struct error not_a_name;

	if (!name)
		name = descriptor_annotation(desc, ANNOTATION_REF_NAME);
	/* ref.name is often a bare tag, which names no repository. */
	if (name && reference_parse_tagged(name, &ref, &not_a_name) == 0)
		strlist_take(&image->names, reference_key(&ref));
}

static int read_manifest(const struct buf *bytes, struct bundle *bundle,
			 struct archive_image *image, struct error *err)
{
	auto_manifest struct manifest manifest = { 0 };
	auto_image_config struct image_config config = { 0 };

	if (manifest_parse(bytes->data, bytes->len, &manifest, err) < 0)
		return -1;
	buf_append(&image->manifest, bytes->data, bytes->len);
	image->id = manifest.config.digest;
	if (read_document(bundle, "image config", &image->id, &image->config, err) < 0)
		return -1;
	if (image_config_parse(image->config.data, image->config.len, &config, err) < 0 ||
	    image_config_check_os(&config, err) < 0)
		return -1;
	if (manifest.nr_layers != config.nr_layers)
		return err_set(err, ERR_CORRUPT,
			       "layers from manifest don't match image configuration");
	for (size_t i = 0; i < manifest.nr_layers; i++)
		archive_image_add_layer(image, saved_blob_name(&manifest.layers[i].digest),
					&manifest.layers[i].digest);
	return 0;
}

/* Follows nested indexes down to the manifest of one image; names come from the top. */
static int read_entry(struct bundle *bundle, const struct descriptor *top,
		      const struct platform *platform, struct archive_images *ret,
		      struct error *err)
{
	struct digest digest = top->digest;

	for (int depth = 0; depth < LIMIT_INDEX_DEPTH; depth++) {
		auto_manifest_index struct manifest_index index = { 0 };
		auto_buf struct buf bytes = { 0 };
		const struct descriptor *chosen;
		enum manifest_kind kind;

		if (read_document(bundle, "manifest", &digest, &bytes, err) < 0 ||
		    manifest_kind(bytes.data, bytes.len, top->media_type, &kind, err) < 0)
			return -1;
		if (kind == MANIFEST_IMAGE) {
			struct archive_image *image = archive_images_add(ret);

			add_name(top, image);
			return read_manifest(&bytes, bundle, image, err) < 0
				       ? -1
				       : archive_images_check_size(ret, err);
		}
		if (manifest_index_parse(bytes.data, bytes.len, &index, err) < 0 ||
		    manifest_index_choose(&index, platform, &chosen, err) < 0)
			return -1;
		digest = chosen->digest;
	}
	return err_set(err, ERR_LIMIT, "indexes are nested more than %d deep", LIMIT_INDEX_DEPTH);
}

static bool names_an_image(const struct descriptor *desc)
{
	enum media_kind kind = media_kind(desc->media_type);

	return !descriptor_is_attestation(desc) && (kind == MEDIA_MANIFEST || kind == MEDIA_INDEX);
}

int oci_archive_read(struct bundle *bundle, const struct platform *platform,
		     struct archive_images *ret, struct error *err)
{
	auto_manifest_index struct manifest_index index = { 0 };
	auto_buf struct buf bytes = { 0 };

	if (bundle_read(bundle, "index.json", LIMIT_JSON_BYTES, &bytes, err) < 0)
		return -1;
	if (manifest_index_parse(bytes.data, bytes.len, &index, err) < 0)
		return err_add(err, "index.json");
	for (size_t i = 0; i < index.nr_entries; i++) {
		if (names_an_image(&index.entries[i]) &&
		    read_entry(bundle, &index.entries[i], platform, ret, err) < 0)
			return -1;
	}
	if (!ret->nr)
		return err_set(err, ERR_NOT_FOUND, "index.json names no image");
	return 0;
}

/* ---- writing ---- */

void oci_archive_write_manifest(struct saved_image *image)
{
	size_t nr = image->config.nr_layers;
	auto_free struct descriptor *layers = xcalloc(nr, sizeof(*layers));
	struct manifest manifest = {
		.config = {
			.media_type = (char *)MEDIA_OCI_CONFIG,
			.digest = image->id,
			.size_bytes = (int64_t)image->document.len,
		},
		.layers = layers,
		.nr_layers = nr,
	};

	for (size_t i = 0; i < nr; i++) {
		layers[i].media_type = (char *)image->layers[i].media_type;
		layers[i].digest = image->layers[i].blob;
		layers[i].size_bytes = (int64_t)image->layers[i].blob_bytes;
	}
	buf_reset(&image->manifest);
	manifest_write(&manifest, &image->manifest);
	digest_of(image->manifest.data, image->manifest.len, &image->manifest_digest);
}

static json_t *name_annotations(const char *name)
{
	auto_reference struct reference ref = { 0 };
	json_t *object = json_object();
	struct error impossible;

	json_object_set_new(object, ANNOTATION_IMAGE_NAME, json_string(name));
	if (reference_parse(name, &ref, &impossible) == 0 && ref.tag)
		json_object_set_new(object, ANNOTATION_REF_NAME, json_string(ref.tag));
	return object;
}

static void add_entry(struct manifest_index *index, const struct saved_image *image,
		      const char *name)
{
	index->entries[index->nr_entries++] = (struct descriptor){
		.media_type = xstrdup(MEDIA_OCI_MANIFEST),
		.digest = image->manifest_digest,
		.size_bytes = (int64_t)image->manifest.len,
		.annotations = name ? name_annotations(name) : NULL,
	};
}

void oci_archive_write_index(const struct saved_image *images, size_t nr, struct buf *ret)
{
	auto_manifest_index struct manifest_index index = { 0 };
	size_t nr_entries = 0;

	for (size_t i = 0; i < nr; i++)
		nr_entries += images[i].names.nr ? images[i].names.nr : 1;
	index.entries = xcalloc(nr_entries, sizeof(*index.entries));
	for (size_t i = 0; i < nr; i++) {
		if (!images[i].names.nr)
			add_entry(&index, &images[i], NULL);
		for (size_t n = 0; n < images[i].names.nr; n++)
			add_entry(&index, &images[i], images[i].names.items[n]);
	}
	manifest_index_write(&index, ret);
}
