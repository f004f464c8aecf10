/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved - what is known of the images that go into an archive, before it is written
 *
 * Sizes and digests of everything are known beforehand, so an archive can be
 * written to a pipe.
 */
#ifndef ARCHIVE_SAVED_H
#define ARCHIVE_SAVED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "oci/config.h"

/* A layer as the archive has it. */
struct saved_layer {
	struct digest diff_id;
	struct digest blob; /* of the bytes; the DiffID for a plain tar */
	uint64_t blob_bytes;
	const char *media_type; /* static */
};

/* Starts as { 0 }. */
struct saved_image {
	struct digest id;    /* of its config */
	struct buf document; /* the config as it is kept */
	struct image_config config;
	struct digest parent;	    /* recorded for what was made here; unset: none */
	struct strlist names;	    /* canonical "domain/path:tag" */
	struct saved_layer *layers; /* base first; as many as the config has */
	struct buf manifest;	    /* see oci_archive_write_manifest() */
	struct digest manifest_digest;
};

void saved_image_done(struct saved_image *image);

/* "blobs/sha256/HEX": where an archive has it. Returns new. */
char *saved_blob_name(const struct digest *digest);

#endif
