/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authfile - the documents that hold credentials: Docker's config.json, podman's auth.json
 *
 *	{ "auths": { "HOST": { "auth": base64("USER:PASSWORD"), "identitytoken": "..." } },
 *	  "credsStore": "HELPER", "credHelpers": { "HOST": "HELPER" } }
 *
 * A document is replaced as a whole: its other keys stay, in their order. Writers of this program
 * wait for each other; what another program wrote in between is noticed and kept.
 * Source: spec/registry-and-archive.md, section 6.
 */
#ifndef REGISTRY_AUTHFILE_H
#define REGISTRY_AUTHFILE_H

#include <jansson.h>

#include "base/err.h"
#include "registry/credentials.h"

/*
 * A document with secrets: what it held is wiped when it is released, and nothing of it is in the
 * error's text. Otherwise as jsonfield_load().
 */
int authfile_load(const char *text, size_t len, size_t max, json_t **ret, struct error *err);

/**
 * authfile_parse - a document from memory
 * @ret: new reference; empty text is an empty document
 *
 * Returns 0, or -1: ERR_LIMIT, ERR_CORRUPT (also for keys of a wrong type).
 */
int authfile_parse(const char *text, size_t len, json_t **ret, struct error *err);

/* The same from a file; a missing one is an empty document. */
int authfile_read(const char *path, json_t **ret, struct error *err);

/**
 * authfile_get - the credentials of an entry of "auths"
 * @key: exact
 *
 * Returns 1, or 0 when there is no entry or nothing in it, or -1 with ERR_CORRUPT.
 */
int authfile_get(const json_t *document, const char *key, struct credentials *ret,
		 struct error *err);

/* The key of the first entry whose host is one of those; borrowed from the document, or NULL. */
const char *authfile_match(const json_t *document, const char *const *hosts);

/* The helper for a key; NULL: the file itself. */
const char *authfile_helper(const json_t *document, const char *key);

/**
 * authfile_put - set the entry of a key
 * @credentials: NULL: an empty entry, for what a helper has
 *
 * Returns 1, or 0 when the file said so already, or -1. Links are followed; a folder that is
 * missing is made.
 */
int authfile_put(const char *path, const char *key, const struct credentials *credentials,
		 struct error *err);

/* Removes the entry of a key, if there is one. Returns as authfile_put(). */
int authfile_remove(const char *path, const char *key, struct error *err);

#endif
