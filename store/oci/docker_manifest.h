/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_manifest - the manifest.json of `docker save` archives
 *
 * Paths in it are names inside the archive and prove nothing about content.
 * Source: spec/registry-and-archive.md section 7.
 */
#ifndef OCI_DOCKER_MANIFEST_H
#define OCI_DOCKER_MANIFEST_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "oci/descriptor.h"

struct docker_manifest_image {
	char *config;		  /* path in the archive */
	struct strlist repo_tags; /* as written, not checked */
	struct strlist layers;	  /* paths, base first */
	struct digest parent;	  /* image id of the recorded parent; often unset */
	json_t *layer_sources;	  /* object: DiffID -> descriptor; or NULL */
};

struct docker_manifest {
	struct docker_manifest_image *images;
	size_t nr_images;
};

void docker_manifest_done(struct docker_manifest *manifest);
#define auto_docker_manifest __attribute__((cleanup(docker_manifest_done)))

/**
 * docker_manifest_parse - read it
 * @ret: overwritten; docker_manifest_done() releases it. Empty on failure.
 *
 * ERR_CORRUPT: "invalid manifest, manifest cannot be null (but can be [])", or
 * what is wrong in which entry; ERR_LIMIT.
 */
int docker_manifest_parse(const void *data, size_t len, struct docker_manifest *ret,
			  struct error *err);

/**
 * docker_manifest_source - where a layer came from, as the archive's writer knew it
 *
 * Returns 1 and fills ret, or 0 when the archive does not say (or says nonsense:
 * it is a hint only).
 */
int docker_manifest_source(const struct docker_manifest_image *image, const struct digest *diff_id,
			   struct descriptor *ret);

/* Appends the document. No tags is written as null, as Docker does. */
void docker_manifest_write(const struct docker_manifest *manifest, struct buf *ret);

#endif
