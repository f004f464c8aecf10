/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "limits.h"
#include "oci/glob.h"

#define LOWER	 "abcdefghijklmnopqrstuvwxyz"
#define UPPER	 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	 "0123456789"
#define HEX	 "0123456789abcdef"
#define OFFICIAL "library/"

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

void reference_done(struct reference *ref)
{
	free(ref->domain);
	free(ref->path);
	free(ref->tag);
	*ref = (struct reference){ 0 };
}

static int bad_format(struct error *err)
{
	return err_set(err, ERR_USAGE, "invalid reference format");
}

static char *copy_range(const char *from, size_t len)
{
	char *text = xmalloc(len + 1);

	memcpy(text, from, len);
	text[len] = '\0';
	return text;
}

/* Labels of letters, digits and inner hyphens, joined by dots: the end, or NULL. */
static const char *skip_domain_name(const char *at)
{
	for (;;) {
		size_t len = strspn(at, LOWER UPPER DIGITS "-");

		if (!len || at[0] == '-' || at[len - 1] == '-')
			return NULL;
		at += len;
		if (*at != '.')
			return at;
		at++;
	}
}

static const char *skip_ipv6(const char *at)
{
	size_t len = strspn(at + 1, DIGITS "abcdefABCDEF:");

	return len && at[1 + len] == ']' ? at + len + 2 : NULL;
}

static bool is_domain(const char *domain)
{
	const char *at = *domain == '[' ? skip_ipv6(domain) : skip_domain_name(domain);

	if (!at || strlen(domain) > LIMIT_DOMAIN_BYTES)
		return false;
	if (*at == ':') {
		size_t len = strspn(at + 1, DIGITS);

		at += len ? 1 + len : 0;
	}
	return *at == '\0';
}

/* '.', '_', "__" or any number of '-': its length, or 0. */
static size_t separator_len(const char *at)
{
	if (*at == '-')
		return strspn(at, "-");
	if (at[0] == '_' && at[1] == '_')
		return 2;
	return *at == '.' || *at == '_';
}

/* Components of lower-case words joined by separators: the end, or NULL. */
static const char *skip_path(const char *at)
{
	for (;;) {
		size_t len = strspn(at, LOWER DIGITS);

		if (!len)
			return NULL;
		at += len;
		if (*at == '/')
			at++;
		else if (separator_len(at))
			at += separator_len(at);
		else
			return at;
	}
}

static const char *skip_tag(const char *at)
{
	size_t len = strspn(at, LOWER UPPER DIGITS "_.-");

	if (!len || len > LIMIT_TAG_BYTES || *at == '.' || *at == '-')
		return NULL;
	return at + len;
}

/* The grammar of any algorithm, before it is asked which one. */
static bool is_digest(const char *text)
{
	const char *at = text;

	for (;;) {
		if (!is_one_of(*at, LOWER UPPER))
			return false;
		at += strspn(at, LOWER UPPER DIGITS);
		if (!is_one_of(*at, "-_+."))
			break;
		at++;
	}
	if (*at++ != ':')
		return false;
	return strlen(at) >= 32 && at[strspn(at, DIGITS "abcdefABCDEF")] == '\0';
}

static bool has_upper(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_one_of(text[i], UPPER))
			return true;
	return false;
}

/* Is the text before the first slash a host? Without dot, port or capital it is a user. */
static bool looks_like_domain(const char *text, size_t len)
{
	if (len == strlen("localhost") && strncmp(text, "localhost", len) == 0)
		return true;
	return memchr(text, '.', len) || memchr(text, ':', len) || has_upper(text, len);
}

/* Both results are new. */
static void split_domain(const char *text, char **ret_domain, char **ret_rest)
{
	const char *slash = strchr(text, '/');
	const char *rest = text;

	*ret_domain = NULL;
	if (slash && looks_like_domain(text, (size_t)(slash - text))) {
		*ret_domain = copy_range(text, (size_t)(slash - text));
		rest = slash + 1;
	}
	if (!*ret_domain || strcmp(*ret_domain, "index.docker.io") == 0) {
		free(*ret_domain);
		*ret_domain = xstrdup(REFERENCE_DEFAULT_DOMAIN);
	}
	if (strcmp(*ret_domain, REFERENCE_DEFAULT_DOMAIN) == 0 && !strchr(rest, '/'))
		*ret_rest = xasprintf(OFFICIAL "%s", rest);
	else
		*ret_rest = xstrdup(rest);
}

/* path[:tag][@digest] */
static int parse_rest(const char *rest, struct reference *ret, struct error *err)
{
	const char *end = skip_path(rest);

	if (!end)
		return bad_format(err);
	ret->path = copy_range(rest, (size_t)(end - rest));
	if (*end == ':') {
		const char *tag = end + 1;

		end = skip_tag(tag);
		if (!end)
			return bad_format(err);
		ret->tag = copy_range(tag, (size_t)(end - tag));
	}
	if (*end && (*end != '@' || !is_digest(end + 1)))
		return bad_format(err);
	if (strlen(ret->path) > LIMIT_REPOSITORY_BYTES)
		return err_set(err, ERR_USAGE,
			       "repository name must not be more than %d characters",
			       LIMIT_REPOSITORY_BYTES);
	if (*end && digest_parse(end + 1, &ret->digest, err) < 0) {
		err->kind = err->kind == ERR_CORRUPT ? ERR_USAGE : err->kind;
		return -1;
	}
	return 0;
}

int reference_parse(const char *text, struct reference *ret, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *rest = NULL;
	size_t name_len;

	if (strlen(text) == DIGEST_HEX_LEN && strspn(text, HEX) == DIGEST_HEX_LEN)
		return err_set(err, ERR_USAGE,
			       "invalid repository name (%s), cannot specify 64-byte hexadecimal "
			       "strings",
			       text);
	if (strlen(text) > LIMIT_REFERENCE_BYTES)
		return bad_format(err);
	split_domain(text, &ref.domain, &rest);
	name_len = strcspn(rest, ":");
	if (has_upper(rest, name_len))
		return err_set(err, ERR_USAGE,
			       "invalid reference format: repository name (%.*s) must be lowercase",
			       (int)name_len, rest);
	if (!is_domain(ref.domain))
		return bad_format(err);
	if (parse_rest(rest, &ref, err) < 0)
		return -1;
	*ret = ref;
	ref = (struct reference){ 0 };
	return 0;
}

/* "sha256:latest" would read like the id of an image. */
static int refuse_ambiguous(const struct reference *ref, struct error *err)
{
	auto_free char *name = reference_familiar_name(ref);

	if (strcmp(name, "sha256") == 0)
		return err_set(
			err, ERR_USAGE,
			"refusing to create an ambiguous tag using digest algorithm as name");
	return 0;
}

int reference_parse_target(const char *text, struct reference *ret, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	if (reference_parse(text, &ref, err) < 0) {
		err_add(err, "error parsing reference: \"%s\" is not a valid repository/tag", text);
		return -1;
	}
	if (digest_is_set(&ref.digest))
		return err_set(err, ERR_USAGE, "refusing to create a tag with a digest reference");
	if (refuse_ambiguous(&ref, err) < 0)
		return -1;
	reference_default_tag(&ref);
	*ret = ref;
	ref = (struct reference){ 0 };
	return 0;
}

int reference_parse_tagged(const char *text, struct reference *ret, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	if (reference_parse(text, &ref, err) < 0 || refuse_ambiguous(&ref, err) < 0) {
		err->kind = ERR_CORRUPT;
		return err_add(err, "invalid tag \"%s\"", text);
	}
	if (!ref.tag)
		return err_set(err, ERR_CORRUPT, "invalid tag \"%s\"", text);
	ref.digest = (struct digest){ 0 };
	*ret = ref;
	ref = (struct reference){ 0 };
	return 0;
}

void reference_default_tag(struct reference *ref)
{
	if (!ref->tag && !digest_is_set(&ref->digest))
		ref->tag = xstrdup(REFERENCE_DEFAULT_TAG);
}

static char *with_suffix(const struct reference *ref, const char *name, bool tag_too)
{
	const char *tag = tag_too ? ref->tag : NULL;

	return xasprintf("%s%s%s%s%s", name, tag ? ":" : "", tag ? tag : "",
			 digest_is_set(&ref->digest) ? "@" : "", ref->digest.text);
}

char *reference_canonical_name(const struct reference *ref)
{
	return xasprintf("%s/%s", ref->domain, ref->path);
}

char *reference_canonical(const struct reference *ref)
{
	auto_free char *name = reference_canonical_name(ref);

	return with_suffix(ref, name, true);
}

char *reference_familiar_name(const struct reference *ref)
{
	size_t len = strcspn(ref->path, "/");
	const char *rest = ref->path + len;

	if (strcmp(ref->domain, REFERENCE_DEFAULT_DOMAIN) != 0 || !*rest)
		return reference_canonical_name(ref);
	if (strncmp(ref->path, OFFICIAL, strlen(OFFICIAL)) == 0 && !strchr(rest + 1, '/'))
		return xstrdup(rest + 1);
	/* "docker.io/localhost/x" and "docker.io/a.b/x" would change their meaning. */
	if (looks_like_domain(ref->path, len))
		return reference_canonical_name(ref);
	return xstrdup(ref->path);
}

char *reference_familiar(const struct reference *ref)
{
	auto_free char *name = reference_familiar_name(ref);

	return with_suffix(ref, name, true);
}

char *reference_key(const struct reference *ref)
{
	auto_free char *name = reference_canonical_name(ref);

	return with_suffix(ref, name, !digest_is_set(&ref->digest));
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool reference_equal(const struct reference *a, const struct reference *b)
{
	return text_equal(a->domain, b->domain) && text_equal(a->path, b->path) &&
	       text_equal(a->tag, b->tag) && digest_equal(&a->digest, &b->digest);
}

int reference_match(const struct reference *ref, const char *pattern, struct error *err)
{
	auto_free char *full = reference_familiar(ref);
	auto_free char *name = reference_familiar_name(ref);
	int matched = glob_match(pattern, full, err);

	return matched ? matched : glob_match(pattern, name, err);
}

bool reference_is_id(const char *text, struct digest *ret)
{
	struct digest id;
	struct error ignored;

	if (strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) != 0) {
		if (strlen(text) != DIGEST_HEX_LEN || strspn(text, HEX) != DIGEST_HEX_LEN)
			return false;
		memcpy(id.text, DIGEST_PREFIX, strlen(DIGEST_PREFIX));
		memcpy(id.text + strlen(DIGEST_PREFIX), text, DIGEST_HEX_LEN + 1);
	} else if (digest_parse(text, &id, &ignored) < 0) {
		return false;
	}
	if (ret)
		*ret = id;
	return true;
}

bool reference_is_id_prefix(const char *text, const char **ret)
{
	size_t len;

	if (strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0)
		text += strlen(DIGEST_PREFIX);
	len = strlen(text);
	if (len < 1 || len > DIGEST_HEX_LEN || strspn(text, HEX) != len) {
		*ret = NULL;
		return false;
	}
	*ret = text;
	return true;
}
