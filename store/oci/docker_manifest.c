/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/docker_manifest.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"

static const struct jsonfield image_fields[] = {
	{ "Config", JSONFIELD_STRING, offsetof(struct docker_manifest_image, config), true },
	{ "RepoTags", JSONFIELD_STRLIST, offsetof(struct docker_manifest_image, repo_tags) },
	{ "Layers", JSONFIELD_STRLIST, offsetof(struct docker_manifest_image, layers) },
	{ "Parent", JSONFIELD_DIGEST, offsetof(struct docker_manifest_image, parent) },
	{ "LayerSources", JSONFIELD_OBJECT, offsetof(struct docker_manifest_image, layer_sources) },
	{ 0 },
};

void docker_manifest_done(struct docker_manifest *manifest)
{
	for (size_t i = 0; i < manifest->nr_images; i++)
		jsonfield_done(image_fields, &manifest->images[i]);
	free(manifest->images);
	*manifest = (struct docker_manifest){ 0 };
}

static int parse_image(const json_t *object, struct docker_manifest_image *ret, struct error *err)
{
	if (jsonfield_decode(object, image_fields, JSONFIELD_TOLERANT, ret, err) < 0)
		return -1;
	if (ret->layers.nr <= LIMIT_LAYERS && ret->repo_tags.nr <= LIMIT_ARCHIVE_TAGS)
		return 0;
	err_set(err, ERR_LIMIT, "more than %d layers or %d names", LIMIT_LAYERS,
		LIMIT_ARCHIVE_TAGS);
	jsonfield_done(image_fields, ret);
	return -1;
}

static int parse_images(const json_t *json, struct docker_manifest *ret, struct error *err)
{
	size_t nr = json_array_size(json);

	if (json_is_null(json))
		return err_set(err, ERR_CORRUPT,
			       "invalid manifest, manifest cannot be null (but can be [])");
	if (!json_is_array(json))
		return err_set(err, ERR_CORRUPT, "invalid manifest, manifest must be a list");
	if (nr > LIMIT_ARCHIVE_IMAGES)
		return err_set(err, ERR_LIMIT, "invalid manifest, more than %d images",
			       LIMIT_ARCHIVE_IMAGES);
	ret->images = xcalloc(nr, sizeof(*ret->images));
	for (size_t i = 0; i < nr; i++) {
		if (parse_image(json_array_get(json, i), &ret->images[i], err) < 0)
			return err_add(err, "invalid manifest, image %zu", i);
		ret->nr_images++;
	}
	return 0;
}

int docker_manifest_parse(const void *data, size_t len, struct docker_manifest *ret,
			  struct error *err)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	auto_json json_t *json = NULL;

	*ret = manifest;
	if (jsonfield_load(data, len, LIMIT_JSON_BYTES, &json, err) < 0)
		return err_add(err, "invalid manifest");
	if (parse_images(json, &manifest, err) < 0)
		return -1;
	*ret = manifest;
	manifest = (struct docker_manifest){ 0 };
	return 0;
}

int docker_manifest_source(const struct docker_manifest_image *image, const struct digest *diff_id,
			   struct descriptor *ret)
{
	const json_t *source = json_object_get(image->layer_sources, diff_id->text);
	struct error ignored;

	return source && descriptor_parse(source, ret, &ignored) == 0;
}

static json_t *strlist_to_json(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

void docker_manifest_write(const struct docker_manifest *manifest, struct buf *ret)
{
	auto_json json_t *json = json_array();

	for (size_t i = 0; i < manifest->nr_images; i++) {
		const struct docker_manifest_image *image = &manifest->images[i];
		json_t *object = json_object();

		json_object_set_new(object, "Config", json_string(image->config));
		json_object_set_new(object, "RepoTags",
				    image->repo_tags.nr ? strlist_to_json(&image->repo_tags)
							: json_null());
		json_object_set_new(object, "Layers", strlist_to_json(&image->layers));
		if (digest_is_set(&image->parent))
			json_object_set_new(object, "Parent", json_string(image->parent.text));
		if (json_object_size(image->layer_sources))
			json_object_set(object, "LayerSources", image->layer_sources);
		json_array_append_new(json, object);
	}
	jsonfield_write(json, ret);
}
