/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"

/* Documents of all kinds share these keys; which ones are there tells the kind. */
struct document {
	int64_t schema_version;
	char *media_type;
	json_t *config;
	json_t *layers;
	json_t *manifests;
	json_t *fs_layers;
	json_t *annotations;
};

static const struct jsonfield document_fields[] = {
	{ "schemaVersion", JSONFIELD_INT64, offsetof(struct document, schema_version) },
	{ "mediaType", JSONFIELD_STRING, offsetof(struct document, media_type) },
	{ "config", JSONFIELD_OBJECT, offsetof(struct document, config) },
	{ "layers", JSONFIELD_ARRAY, offsetof(struct document, layers) },
	{ "manifests", JSONFIELD_ARRAY, offsetof(struct document, manifests) },
	{ "fsLayers", JSONFIELD_ARRAY, offsetof(struct document, fs_layers) },
	{ "annotations", JSONFIELD_STRMAP, offsetof(struct document, annotations) },
	{ 0 },
};

static void document_done(struct document *document)
{
	jsonfield_done(document_fields, document);
}
#define auto_document __attribute__((cleanup(document_done)))

static int refuse_schema1(struct error *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "Docker Image Format v1 and Docker Image manifest version 2, schema 1 "
		       "support has been removed. Suggest the author of the image to upgrade to "
		       "the OCI Format or Docker Image manifest v2, schema 2");
}

static int unsupported_type(const char *media_type, struct error *err)
{
	return err_set(err, ERR_UNSUPPORTED, "unsupported media type %s",
		       media_type && *media_type ? media_type : "(none)");
}

/* The kind that the fields tell; an own mediaType must agree. */
static int kind_of(const struct document *document, const char *content_type,
		   enum manifest_kind *ret, struct error *err)
{
	enum media_kind said = media_kind(document->media_type);
	bool is_image = document->config || document->layers;
	bool is_index = document->manifests;

	if (said == MEDIA_SCHEMA1 || document->schema_version == 1 || document->fs_layers)
		return refuse_schema1(err);
	if (document->schema_version != 0 && document->schema_version != 2)
		return err_set(err, ERR_UNSUPPORTED, "unsupported manifest schema version %jd",
			       (intmax_t)document->schema_version);
	if (is_image && is_index)
		return err_set(err, ERR_CORRUPT, "manifest is both an image and an index");
	if (document->media_type && *document->media_type && said != MEDIA_MANIFEST &&
	    said != MEDIA_INDEX)
		return unsupported_type(document->media_type, err);
	if ((is_image && said == MEDIA_INDEX) || (is_index && said == MEDIA_MANIFEST))
		return err_set(err, ERR_CORRUPT, "manifest contradicts its own media type %s",
			       document->media_type);
	if (!is_image && !is_index) { /* an index with "manifests": null has no entries */
		if (said == MEDIA_UNKNOWN)
			said = media_kind(content_type);
		if (said == MEDIA_SCHEMA1)
			return refuse_schema1(err);
		if (said != MEDIA_INDEX)
			return err_set(err, ERR_CORRUPT,
				       "manifest has neither \"config\" nor \"manifests\"");
		is_index = true;
	}
	*ret = is_index ? MANIFEST_INDEX : MANIFEST_IMAGE;
	return 0;
}

static int load(const void *data, size_t len, struct document *ret, struct error *err)
{
	auto_json json_t *json = NULL;

	if (jsonfield_load(data, len, LIMIT_JSON_BYTES, &json, err) < 0 ||
	    jsonfield_decode(json, document_fields, JSONFIELD_TOLERANT, ret, err) < 0)
		return err_add(err, "invalid manifest");
	return 0;
}

int manifest_kind(const void *data, size_t len, const char *content_type, enum manifest_kind *ret,
		  struct error *err)
{
	auto_document struct document document = { 0 };

	if (load(data, len, &document, err) < 0)
		return -1;
	return kind_of(&document, content_type, ret, err);
}

void manifest_done(struct manifest *manifest)
{
	free(manifest->media_type);
	descriptor_done(&manifest->config);
	descriptor_free_list(manifest->layers, manifest->nr_layers);
	json_decref(manifest->annotations);
	*manifest = (struct manifest){ 0 };
}

/* Besides the two proper types those that registries and clients wrote by mistake. */
static bool is_image_config(const char *media_type)
{
	return !*media_type || media_kind(media_type) == MEDIA_CONFIG ||
	       strcmp(media_type, "application/octet-stream") == 0 ||
	       strcmp(media_type, "application/json") == 0 || strcmp(media_type, "text/html") == 0;
}

static int check_types(const struct manifest *manifest, struct error *err)
{
	if (!is_image_config(manifest->config.media_type))
		return unsupported_type(manifest->config.media_type, err);
	for (size_t i = 0; i < manifest->nr_layers; i++) {
		const char *type = manifest->layers[i].media_type;
		enum media_kind kind = media_kind(type);

		if (*type && kind != MEDIA_LAYER && kind != MEDIA_FOREIGN_LAYER)
			return unsupported_type(type, err);
	}
	return 0;
}

int manifest_parse(const void *data, size_t len, struct manifest *ret, struct error *err)
{
	auto_document struct document document = { 0 };
	auto_manifest struct manifest manifest = { 0 };
	enum manifest_kind kind;

	*ret = (struct manifest){ 0 };
	if (load(data, len, &document, err) < 0 ||
	    kind_of(&document, MEDIA_OCI_MANIFEST, &kind, err) < 0)
		return -1;
	if (kind != MANIFEST_IMAGE)
		return err_set(err, ERR_CORRUPT, "manifest is an index, not an image");
	if (!document.config)
		return err_set(err, ERR_CORRUPT, "invalid manifest: key \"config\" is missing");
	if (descriptor_parse(document.config, &manifest.config, err) < 0)
		return err_add(err, "invalid manifest: config");
	if (descriptor_parse_list(document.layers, LIMIT_LAYERS, false, &manifest.layers,
				  &manifest.nr_layers, err) < 0)
		return err_add(err, "invalid manifest: layers");
	if (check_types(&manifest, err) < 0)
		return -1;
	manifest.media_type = take_ptr(document.media_type);
	manifest.annotations = take_ptr(document.annotations);
	*ret = manifest;
	manifest = (struct manifest){ 0 };
	return 0;
}

static json_t *list_to_json(const struct descriptor *list, size_t nr)
{
	json_t *array = json_array();

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(array, descriptor_to_json(&list[i]));
	return array;
}

/* Takes entries. */
static json_t *document_to_json(const char *media_type, const char *key, json_t *entries,
				json_t *annotations)
{
	json_t *json = json_object();

	json_object_set_new(json, "schemaVersion", json_integer(2));
	json_object_set_new(json, "mediaType", json_string(media_type));
	json_object_set_new(json, key, entries);
	if (json_object_size(annotations))
		json_object_set(json, "annotations", annotations);
	return json;
}

void manifest_write(const struct manifest *manifest, struct buf *ret)
{
	const char *config = manifest->config.media_type;
	bool docker = config && strcmp(config, MEDIA_DOCKER_CONFIG) == 0;
	auto_json json_t *json = document_to_json(
		docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST, "layers",
		list_to_json(manifest->layers, manifest->nr_layers), manifest->annotations);

	json_object_set_new(json, "config", descriptor_to_json(&manifest->config));
	jsonfield_write(json, ret);
}

void manifest_index_done(struct manifest_index *index)
{
	free(index->media_type);
	descriptor_free_list(index->entries, index->nr_entries);
	json_decref(index->annotations);
	*index = (struct manifest_index){ 0 };
}

int manifest_index_parse(const void *data, size_t len, struct manifest_index *ret,
			 struct error *err)
{
	auto_document struct document document = { 0 };
	auto_manifest_index struct manifest_index index = { 0 };
	enum manifest_kind kind;

	*ret = (struct manifest_index){ 0 };
	if (load(data, len, &document, err) < 0 ||
	    kind_of(&document, MEDIA_OCI_INDEX, &kind, err) < 0)
		return -1;
	if (kind != MANIFEST_INDEX)
		return err_set(err, ERR_CORRUPT, "manifest is an image, not an index");
	if (descriptor_parse_list(document.manifests, LIMIT_INDEX_ENTRIES, true, &index.entries,
				  &index.nr_entries, err) < 0)
		return err_add(err, "invalid manifest: manifests");
	index.media_type = take_ptr(document.media_type);
	index.annotations = take_ptr(document.annotations);
	*ret = index;
	index = (struct manifest_index){ 0 };
	return 0;
}

/* Is it worth a look? Without a media type it may still be an image. */
static bool is_candidate(const struct descriptor *desc)
{
	enum media_kind kind = media_kind(desc->media_type);

	return (kind == MEDIA_MANIFEST || kind == MEDIA_INDEX || !*desc->media_type) &&
	       !descriptor_is_attestation(desc);
}

int manifest_index_choose(const struct manifest_index *index, const struct platform *platform,
			  const struct descriptor **ret, struct error *err)
{
	const struct descriptor *best = NULL;
	char text[PLATFORM_TEXT_SIZE];
	int best_rank = INT32_MAX;

	for (size_t i = 0; i < index->nr_entries; i++) {
		const struct descriptor *desc = &index->entries[i];
		int rank = INT32_MAX - 1;

		if (!is_candidate(desc))
			continue;
		if (desc->has_platform)
			rank = platform_rank(platform, &desc->platform);
		if (rank < 0 || rank >= best_rank)
			continue;
		best = desc;
		best_rank = rank;
	}
	if (!best)
		return err_set(err, ERR_NOT_FOUND,
			       "no matching manifest for %s in the manifest list entries",
			       platform_text(platform, text));
	*ret = best;
	return 0;
}

void manifest_index_write(const struct manifest_index *index, struct buf *ret)
{
	auto_json json_t *json = document_to_json(MEDIA_OCI_INDEX, "manifests",
						  list_to_json(index->entries, index->nr_entries),
						  index->annotations);

	jsonfield_write(json, ret);
}
