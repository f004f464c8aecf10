/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve - from a name to the verified documents of one image at its registry
 *
 * Every document is held against the digest that named it, over its exact bytes. A tag is
 * whatever the registry says that it is.
 */
#ifndef REGISTRY_RESOLVE_H
#define REGISTRY_RESOLVE_H

#include "base/buf.h"
#include "base/digest.h"
#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/registry.h"

struct resolved {
	struct digest digest;	    /* of what the name means: a manifest or an index */
	struct buf manifest_bytes;  /* of the image for the platform */
	struct manifest manifest;   /* the same, parsed */
	struct buf config_bytes;    /* the document, by resolve_config() */
	struct image_config config; /* the same, parsed */
};

void resolved_done(struct resolved *resolved);
#define auto_resolved __attribute__((cleanup(resolved_done)))

/**
 * resolve_manifest - the manifest that a name means, through indexes
 * @ref: with a tag or a digest; the digest decides
 * @ret: starts as { 0 }
 *
 * Docker's messages: "manifest for x:1 not found: manifest unknown: …" (ERR_NOT_FOUND), "pull
 * access denied for x, …" (ERR_DENIED), "manifest verification failed for digest …"
 * (ERR_CORRUPT), "no matching manifest for …" (ERR_NOT_FOUND), …
 */
int resolve_manifest(struct registry *registry, const struct reference *ref,
		     const struct platform *platform, struct resolved *ret, struct error *err);

/* All tags of a repository. Docker's messages; errors of registry_tags(). */
int resolve_tags(const struct registry_options *options, const struct reference *ref,
		 struct strlist *ret, struct error *err);

/**
 * resolve_config - the config that the manifest names
 *
 * ERR_CORRUPT: "image config verification failed for digest …", "layers from manifest don't
 * match image configuration".
 */
int resolve_config(struct registry *registry, struct resolved *resolved, struct error *err);
/* The same with the document at hand, which is taken; it is verified as well. */
int resolve_use_config(struct resolved *resolved, struct buf *bytes, struct error *err);

#endif
