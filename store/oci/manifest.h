/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest - which config and layers make an image, which images an index offers
 *
 * A received manifest is kept and sent as bytes; the write functions are for our
 * own images. The caller has verified the digest of the bytes.
 * Source: OCI image-spec manifest.md, image-index.md; Docker manifest v2 schema 2.
 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include <stddef.h>

#include "oci/descriptor.h"

enum manifest_kind {
	MANIFEST_IMAGE,
	MANIFEST_INDEX,
};

/**
 * manifest_kind - what is this document?
 * @content_type: as sent by a registry, or the descriptor's; NULL or "" when
 *                unknown. A type that the document's own mediaType or fields
 *                contradict is ignored: the document decides.
 *
 * ERR_CORRUPT for a document of both kinds or with a mediaType that contradicts
 * its fields, ERR_UNSUPPORTED for schema 1 and for anything else.
 */
int manifest_kind(const void *data, size_t len, const char *content_type, enum manifest_kind *ret,
		  struct error *err);

struct manifest {
	char *media_type; /* NULL: the document does not say */
	struct descriptor config;
	struct descriptor *layers; /* base first */
	size_t nr_layers;
	json_t *annotations; /* object of strings, or NULL */
};

void manifest_done(struct manifest *manifest);
#define auto_manifest __attribute__((cleanup(manifest_done)))

/**
 * manifest_parse - read the manifest of one image
 * @ret: overwritten; manifest_done() releases it. Empty on failure.
 *
 * ERR_CORRUPT, ERR_LIMIT; ERR_UNSUPPORTED "unsupported media type X" when its
 * config is not an image config or a layer is not a layer.
 */
int manifest_parse(const void *data, size_t len, struct manifest *ret, struct error *err);

/* Appends the document: Docker's media types stay Docker's, everything else is OCI. */
void manifest_write(const struct manifest *manifest, struct buf *ret);

struct manifest_index {
	char *media_type; /* NULL: the document does not say */
	struct descriptor *entries;
	size_t nr_entries;
	json_t *annotations; /* object of strings, or NULL */
};

void manifest_index_done(struct manifest_index *index);
#define auto_manifest_index __attribute__((cleanup(manifest_index_done)))

/* An index, a Docker manifest list, or the index.json of an OCI layout. */
int manifest_index_parse(const void *data, size_t len, struct manifest_index *ret,
			 struct error *err);

/**
 * manifest_index_choose - the entry for a platform
 * @ret: borrowed from index. It may be an index again; without a platform of
 *       its own it is taken only when nothing else fits.
 *
 * Attestations and unknown types are passed over. The first of the best rank
 * wins. ERR_NOT_FOUND: "no matching manifest for linux/arm64/v8 in the manifest
 * list entries".
 */
int manifest_index_choose(const struct manifest_index *index, const struct platform *platform,
			  const struct descriptor **ret, struct error *err);

/* Appends the document as an OCI index. */
void manifest_index_write(const struct manifest_index *index, struct buf *ret);

#endif
