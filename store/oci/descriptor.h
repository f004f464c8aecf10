/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor - a pointer from one document to another or to a blob; media types
 *
 * Source: OCI image-spec descriptor.md and media-types.md; Docker image manifest
 * v2 schema 2.
 */
#ifndef OCI_DESCRIPTOR_H
#define OCI_DESCRIPTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "oci/platform.h"

#define MEDIA_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY	      "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_TAR      "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_SCHEMA1  "application/vnd.docker.distribution.manifest.v1+json"
#define MEDIA_DOCKER_SIGNED1  "application/vnd.docker.distribution.manifest.v1+prettyjws"

/* Annotations of an OCI layout's index.json. */
#define ANNOTATION_REF_NAME   "org.opencontainers.image.ref.name"
#define ANNOTATION_IMAGE_NAME "io.containerd.image.name"

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_MANIFEST,
	MEDIA_INDEX,
	MEDIA_SCHEMA1,
	MEDIA_CONFIG,
	MEDIA_LAYER,
	MEDIA_FOREIGN_LAYER, /* its bytes may be at `urls` only; never pushed */
};

/* Parameters ("; charset=utf-8") and case do not matter. NULL or "" is unknown. */
enum media_kind media_kind(const char *media_type);

struct descriptor {
	char *media_type; /* never NULL; "" when absent */
	struct digest digest;
	int64_t size_bytes;
	bool has_platform;
	struct platform platform; /* has_platform and an empty os: one we cannot name */
	struct strlist urls;
	json_t *annotations; /* object of strings, or NULL */
};

void descriptor_done(struct descriptor *desc);
#define auto_descriptor __attribute__((cleanup(descriptor_done)))

/**
 * descriptor_parse - read one
 * @object: borrowed
 * @ret:    overwritten; descriptor_done() releases it. Empty on failure.
 *
 * ERR_CORRUPT naming the key, ERR_UNSUPPORTED for another digest than sha256.
 */
int descriptor_parse(const json_t *object, struct descriptor *ret, struct error *err);

/**
 * descriptor_parse_list - read an array of them
 * @array: borrowed; NULL is an empty one
 * @max:   ERR_LIMIT beyond
 * @skip_unsupported: leave out entries with a digest other than sha256
 * @ret:   new array of *ret_nr; descriptor_free_list() releases it
 */
int descriptor_parse_list(const json_t *array, size_t max, bool skip_unsupported,
			  struct descriptor **ret, size_t *ret_nr, struct error *err);
void descriptor_free_list(struct descriptor *list, size_t nr);

/* Borrowed from desc; NULL when there is none. */
const char *descriptor_annotation(const struct descriptor *desc, const char *key);

/* An attestation about another entry of the same index, not an image. */
bool descriptor_is_attestation(const struct descriptor *desc);

/* Returns a new reference. */
json_t *descriptor_to_json(const struct descriptor *desc);

#endif
