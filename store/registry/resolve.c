/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/resolve.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"

void resolved_done(struct resolved *resolved)
{
	buf_done(&resolved->manifest_bytes);
	manifest_done(&resolved->manifest);
	buf_done(&resolved->config_bytes);
	image_config_done(&resolved->config);
}

static int verify(const struct buf *bytes, const struct digest *digest, const char *what,
		  struct error *err)
{
	struct digest found;

	digest_of(bytes->data, bytes->len, &found);
	if (digest_equal(&found, digest))
		return 0;
	return err_set(err, ERR_CORRUPT, "%s verification failed for digest %s", what,
		       digest->text);
}

/* A page of a proxy, say, with a status of success. */
static int check_json(const struct registry_document *document, struct error *err)
{
	auto_json json_t *json = NULL;
	const struct buf *bytes = &document->bytes;
	const char *type = document->content_type;

	if (!type || !*type || media_kind(type) != MEDIA_UNKNOWN ||
	    jsonfield_load(bytes->data ?: "", bytes->len, LIMIT_JSON_BYTES, &json, err) == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "unsupported media type %.128s", type);
}

static int refused(const struct reference *ref, enum refusal refusal, struct error *err)
{
	auto_free char *name = reference_familiar_name(ref);
	auto_free char *full = reference_familiar(ref);

	switch (refusal) {
	case REFUSAL_DENIED:
		return err_add(err,
			       "pull access denied for %s, repository does not exist or may "
			       "require 'docker login'",
			       name);
	case REFUSAL_NO_NAME:
		return err_add(err, "repository %s not found", name);
	case REFUSAL_NO_MANIFEST:
		return err_add(err, "manifest for %s not found", full);
	case REFUSAL_UNAUTHORIZED:
	case REFUSAL_TOO_MANY:
	case REFUSAL_OTHER:
		break;
	}
	if (err->kind == ERR_NOT_FOUND)
		return err_add(err, "manifest for %s not found", full);
	return -1;
}

/* @digest: set when it is known beforehand; filled otherwise */
static int verify_document(const struct registry_document *document, struct digest *digest,
			   struct error *err)
{
	if (check_json(document, err) < 0)
		return -1;
	if (digest_is_set(digest))
		return verify(&document->bytes, digest, "manifest", err);
	digest_of(document->bytes.data, document->bytes.len, digest);
	return 0;
}

/* What a mirror has that is not it, is asked for at the next one. */
static int get_verified(struct registry *registry, const struct reference *ref, const char *what,
			struct digest *digest, struct registry_document *ret, struct error *err)
{
	enum refusal refusal;

	for (;;) {
		if (registry_manifest(registry, what, ret, &refusal, err) < 0)
			return refused(ref, refusal, err);
		if (verify_document(ret, digest, err) == 0)
			return 0;
		if (!registry_fall_back(registry))
			return -1;
		registry_document_done(ret);
	}
}

int resolve_manifest(struct registry *registry, const struct reference *ref,
		     const struct platform *platform, struct resolved *ret, struct error *err)
{
	struct digest digest = ref->digest;

	for (int depth = 0; depth < LIMIT_INDEX_DEPTH; depth++) {
		auto_registry_document struct registry_document document = { 0 };
		auto_manifest_index struct manifest_index index = { 0 };
		const char *what = digest_is_set(&digest) ? digest.text : ref->tag;
		const struct descriptor *chosen;
		enum manifest_kind kind;

		if (get_verified(registry, ref, what, &digest, &document, err) < 0)
			return -1;
		if (depth == 0)
			ret->digest = digest;
		if (manifest_kind(document.bytes.data, document.bytes.len, document.content_type,
				  &kind, err) < 0)
			return -1;
		if (kind == MANIFEST_IMAGE) {
			ret->manifest_bytes = document.bytes;
			document.bytes = (struct buf){ 0 };
			return manifest_parse(ret->manifest_bytes.data, ret->manifest_bytes.len,
					      &ret->manifest, err);
		}
		if (manifest_index_parse(document.bytes.data, document.bytes.len, &index, err) <
			    0 ||
		    manifest_index_choose(&index, platform, &chosen, err) < 0)
			return -1;
		digest = chosen->digest;
	}
	return err_set(err, ERR_LIMIT, "indexes are nested more than %d deep", LIMIT_INDEX_DEPTH);
}

int resolve_tags(const struct registry_options *options, const struct reference *ref,
		 struct strlist *ret, struct error *err)
{
	auto_registry struct registry *registry = NULL;
	enum refusal refusal = REFUSAL_OTHER;

	if (registry_open(options, ref, &registry, err) < 0)
		return -1;
	if (registry_tags(registry, ret, &refusal, err) == 0)
		return 0;
	if (refusal == REFUSAL_OTHER || refusal == REFUSAL_NO_MANIFEST)
		return err_add(err, "tags of %s", ref->path);
	return refused(ref, refusal, err);
}

int resolve_use_config(struct resolved *resolved, struct buf *bytes, struct error *err)
{
	const struct manifest *manifest = &resolved->manifest;

	resolved->config_bytes = *bytes;
	*bytes = (struct buf){ 0 };
	bytes = &resolved->config_bytes;
	if (verify(bytes, &manifest->config.digest, "image config", err) < 0 ||
	    image_config_parse(bytes->data, bytes->len, &resolved->config, err) < 0 ||
	    image_config_check_os(&resolved->config, err) < 0)
		return -1;
	if (resolved->config.nr_layers != manifest->nr_layers)
		return err_set(err, ERR_CORRUPT,
			       "layers from manifest don't match image configuration");
	return 0;
}

int resolve_config(struct registry *registry, struct resolved *resolved, struct error *err)
{
	for (;;) {
		auto_registry_document struct registry_document document = { 0 };

		if (registry_blob(registry, &resolved->manifest.config.digest, &document, err) < 0)
			return err_add(err, "error pulling image configuration");
		if (verify(&document.bytes, &resolved->manifest.config.digest, "image config",
			   err) == 0 ||
		    !registry_fall_back(registry))
			return resolve_use_config(resolved, &document.bytes, err);
	}
}
