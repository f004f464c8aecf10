/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"

/* Left behind by BuildKit on entries that describe another entry. */
#define ANNOTATION_REFERENCE_TYPE "vnd.docker.reference.type"

enum media_kind media_kind(const char *media_type)
{
	static const struct {
		const char *type;
		enum media_kind kind;
	} kinds[] = {
		{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST },
		{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST },
		{ MEDIA_OCI_INDEX, MEDIA_INDEX },
		{ MEDIA_DOCKER_LIST, MEDIA_INDEX },
		{ MEDIA_DOCKER_SCHEMA1, MEDIA_SCHEMA1 },
		{ MEDIA_DOCKER_SIGNED1, MEDIA_SCHEMA1 },
		{ MEDIA_OCI_CONFIG, MEDIA_CONFIG },
		{ MEDIA_DOCKER_CONFIG, MEDIA_CONFIG },
		{ MEDIA_OCI_LAYER, MEDIA_LAYER },
		{ MEDIA_OCI_LAYER_GZIP, MEDIA_LAYER },
		{ MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER },
		{ MEDIA_DOCKER_LAYER, MEDIA_LAYER },
		{ MEDIA_DOCKER_TAR, MEDIA_LAYER },
		{ MEDIA_DOCKER_TAR ".zstd", MEDIA_LAYER },
		/* before Docker 1.10 was released */
		{ "application/vnd.docker.container.image.rootfs.diff+x-gtar", MEDIA_LAYER },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_FOREIGN_LAYER },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		  MEDIA_FOREIGN_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_FOREIGN_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		  MEDIA_FOREIGN_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		  MEDIA_FOREIGN_LAYER },
	};
	size_t len = media_type ? strcspn(media_type, "; \t") : 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strlen(kinds[i].type) == len &&
		    strncasecmp(kinds[i].type, media_type, len) == 0)
			return kinds[i].kind;
	return MEDIA_UNKNOWN;
}

/* The columns of a descriptor that the table can read. */
struct fields {
	char *media_type;
	struct digest digest;
	int64_t size_bytes;
	json_t *platform;
	struct strlist urls;
	json_t *annotations;
};

static const struct jsonfield fields_table[] = {
	{ "mediaType", JSONFIELD_STRING, offsetof(struct fields, media_type) },
	{ "digest", JSONFIELD_DIGEST, offsetof(struct fields, digest), true },
	{ "size", JSONFIELD_INT64, offsetof(struct fields, size_bytes), true },
	{ "platform", JSONFIELD_OBJECT, offsetof(struct fields, platform) },
	{ "urls", JSONFIELD_STRLIST, offsetof(struct fields, urls) },
	{ "annotations", JSONFIELD_STRMAP, offsetof(struct fields, annotations) },
	{ 0 },
};

int descriptor_parse(const json_t *object, struct descriptor *ret, struct error *err)
{
	struct fields fields;

	*ret = (struct descriptor){ 0 };
	if (jsonfield_decode(object, fields_table, JSONFIELD_TOLERANT, &fields, err) < 0)
		return -1;
	if (fields.urls.nr > LIMIT_URLS) {
		jsonfield_done(fields_table, &fields);
		return err_set(err, ERR_LIMIT, "key \"urls\": more than %d", LIMIT_URLS);
	}
	ret->media_type = fields.media_type ? take_ptr(fields.media_type) : xstrdup("");
	ret->digest = fields.digest;
	ret->size_bytes = fields.size_bytes;
	ret->has_platform = fields.platform != NULL;
	if (fields.platform)
		platform_from_json(fields.platform, &ret->platform);
	ret->urls = fields.urls;
	fields.urls = (struct strlist){ 0 };
	ret->annotations = take_ptr(fields.annotations);
	jsonfield_done(fields_table, &fields);
	return 0;
}

void descriptor_done(struct descriptor *desc)
{
	free(desc->media_type);
	strlist_done(&desc->urls);
	json_decref(desc->annotations);
	*desc = (struct descriptor){ 0 };
}

int descriptor_parse_list(const json_t *array, size_t max, bool skip_unsupported,
			  struct descriptor **ret, size_t *ret_nr, struct error *err)
{
	size_t nr = json_array_size(array), nr_kept = 0;
	struct descriptor *list;

	*ret = NULL;
	*ret_nr = 0;
	if (nr > max)
		return err_set(err, ERR_LIMIT, "%zu entries, more than %zu", nr, max);
	list = xcalloc(nr, sizeof(*list));
	for (size_t i = 0; i < nr; i++) {
		if (descriptor_parse(json_array_get(array, i), &list[nr_kept], err) == 0) {
			nr_kept++;
		} else if (!skip_unsupported || err->kind != ERR_UNSUPPORTED) {
			descriptor_free_list(list, nr_kept);
			return err_add(err, "[%zu]", i);
		}
	}
	*ret = list;
	*ret_nr = nr_kept;
	return 0;
}

void descriptor_free_list(struct descriptor *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		descriptor_done(&list[i]);
	free(list);
}

const char *descriptor_annotation(const struct descriptor *desc, const char *key)
{
	return json_string_value(json_object_get(desc->annotations, key));
}

bool descriptor_is_attestation(const struct descriptor *desc)
{
	return descriptor_annotation(desc, ANNOTATION_REFERENCE_TYPE) ||
	       (strcmp(desc->platform.os, "unknown") == 0 &&
		strcmp(desc->platform.architecture, "unknown") == 0);
}

static json_t *platform_to_json(const struct platform *platform)
{
	json_t *object = json_object();

	json_object_set_new(object, "os", json_string(platform->os));
	json_object_set_new(object, "architecture", json_string(platform->architecture));
	if (platform->variant[0])
		json_object_set_new(object, "variant", json_string(platform->variant));
	return object;
}

json_t *descriptor_to_json(const struct descriptor *desc)
{
	json_t *object = json_object();

	if (desc->media_type && *desc->media_type)
		json_object_set_new(object, "mediaType", json_string(desc->media_type));
	json_object_set_new(object, "digest", json_string(desc->digest.text));
	json_object_set_new(object, "size", json_integer(desc->size_bytes));
	if (desc->has_platform)
		json_object_set_new(object, "platform", platform_to_json(&desc->platform));
	if (desc->urls.nr) {
		json_t *urls = json_array();

		for (size_t i = 0; i < desc->urls.nr; i++)
			json_array_append_new(urls, json_string(desc->urls.items[i]));
		json_object_set_new(object, "urls", urls);
	}
	if (json_object_size(desc->annotations))
		json_object_set(object, "annotations", desc->annotations);
	return object;
}
