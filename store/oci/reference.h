/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference - image names
 *
 * "debian" is "docker.io/library/debian" in canonical form. The familiar form
 * is what Docker shows: the shortest that is parsed back to the same name.
 * Source: spec/cli.md section 5; distribution/reference grammar.
 */
#ifndef OCI_REFERENCE_H
#define OCI_REFERENCE_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/err.h"

#define REFERENCE_DEFAULT_DOMAIN "docker.io"
#define REFERENCE_DEFAULT_TAG	 "latest"

struct reference {
	char *domain;	      /* "docker.io", "registry.example:5000" */
	char *path;	      /* "library/debian" */
	char *tag;	      /* NULL: none given */
	struct digest digest; /* of a manifest; unset: none given */
};

void reference_done(struct reference *ref);
#define auto_reference __attribute__((cleanup(reference_done)))

/**
 * reference_parse - read a name as a user or an archive writes it
 * @ret: overwritten; reference_done() releases it. Untouched on failure.
 *
 * ERR_USAGE with Docker's text: "invalid reference format", "… repository name
 * (library/Foo) must be lowercase", "repository name must not be more than 255
 * characters", "invalid repository name (…), cannot specify 64-byte hexadecimal
 * strings", "invalid checksum digest length"; ERR_UNSUPPORTED: "unsupported
 * digest algorithm".
 */
int reference_parse(const char *text, struct reference *ret, struct error *err);

/**
 * reference_parse_target - a name that shall be given to an image
 *
 * Like reference_parse() with "latest" when there is no tag. ERR_USAGE also:
 * "error parsing reference: "X" is not a valid repository/tag: …", "refusing to
 * create a tag with a digest reference", "refusing to create an ambiguous tag
 * using digest algorithm as name".
 */
int reference_parse_target(const char *text, struct reference *ret, struct error *err);

/**
 * reference_parse_tagged - a name out of an archive: it must have a tag
 *
 * A digest beside the tag is dropped. ERR_CORRUPT: "invalid tag "x"" without a
 * tag, else the texts of reference_parse() and reference_parse_target().
 */
int reference_parse_tagged(const char *text, struct reference *ret, struct error *err);

/* Sets "latest" when there is neither tag nor digest. */
void reference_default_tag(struct reference *ref);

/* All return new. With tag and digest: name:tag@digest. */
char *reference_canonical(const struct reference *ref);	     /* docker.io/library/debian:12 */
char *reference_canonical_name(const struct reference *ref); /* docker.io/library/debian */
char *reference_familiar(const struct reference *ref);	     /* debian:12 */
char *reference_familiar_name(const struct reference *ref);  /* debian */
/* What the store keeps: name@digest when there is a digest, else name:tag. */
char *reference_key(const struct reference *ref);

bool reference_equal(const struct reference *a, const struct reference *b);

/**
 * reference_match - does a `reference=` filter mean this name?
 * @pattern: shell glob against the familiar name:tag, then the familiar name;
 *           '*' and '?' do not match '/', "[a-z]" and "[^a-z]" do, '\' quotes
 *
 * Returns 1, 0, or -1 with ERR_USAGE "syntax error in pattern".
 */
int reference_match(const struct reference *ref, const char *pattern, struct error *err);

/* Exactly one image id: 64 hex digits, with or without "sha256:". ret may be NULL. */
bool reference_is_id(const char *text, struct digest *ret);

/*
 * The beginning of an id: 1 to 64 hex digits, with or without "sha256:".
 * *ret points to the digits inside text, or NULL when it is no such thing.
 */
bool reference_is_id_prefix(const char *text, const char **ret);

#endif
