/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - find, list, describe and tag images
 *
 * An image is its config document: the id is the digest of the config's bytes.
 * Source: spec/cli.md, "IDs", and registry-and-archive.md section 1.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct reference; /* oci/reference.h */
struct store;

/* One name of an image, in familiar form. Exactly one of tag and digest is set. */
struct image_ref {
	char *repository; /* "debian", "registry.example/team/app" */
	char *tag;	  /* "latest", or NULL */
	char *digest;	  /* "sha256:…" of a manifest, or NULL */
};

struct image {
	struct digest id;
	struct digest top;    /* chain id of the top layer; unset without layers */
	struct digest parent; /* recorded local parent; unset for what was loaded */
	bool has_created;
	int64_t created_ns; /* Unix time */
	int64_t tagged_ns;  /* last time a tag was set; 0: never */
	int64_t used_ns;    /* came, or was used; not exact, see rows_image_used(); 0: not known */
	int64_t size_bytes; /* Docker's SIZE: file bytes in the layers' tar headers */
	char *architecture;
	char *os;
	bool pulled;		/* a registry has sent it, or what is the same */
	bool has_children;	/* images that record this one as their parent */
	struct image_ref *refs; /* sorted: tags by name, then digests */
	size_t nr_refs;
};

void image_done(struct image *image);
#define auto_image __attribute__((cleanup(image_done)))

struct image_list {
	struct image *items; /* newest created first, then by id */
	size_t nr;
};

void image_list_done(struct image_list *list);
#define auto_image_list __attribute__((cleanup(image_list_done)))

/* Every image. Reads the catalogue only. */
int image_list(struct store *store, struct image_list *ret, struct error *err);

/**
 * image_find - the image that an operand means
 * @operand: id, name, or prefix of an id, tried in the order of the specification
 * @ret_name: the canonical name that matched, new, or NULL when it was an id or a
 *            prefix of one; the pointer itself may be NULL
 *
 * ERR_NOT_FOUND: "No such image: NAME:TAG", also for an ambiguous prefix;
 * for what can be neither, as reference_parse().
 */
int image_find(struct store *store, const char *operand, struct image *ret, char **ret_name,
	       struct error *err);

/* The stored config document. */
int image_read_config(struct store *store, const struct image *image, struct buf *ret,
		      struct error *err);

/* For comparing: an image without a time is older than every other. */
int64_t image_created_ns(const struct image *image);

/* "repo:tag" or "repo@digest", familiar. Returns new. */
char *image_ref_text(const struct image_ref *ref);

/* Forgets all but the first kept names of a struct image. */
void image_drop_refs(struct image *image, size_t kept);

/* Is this the reference with that canonical name? */
bool image_ref_is(const struct image_ref *ref, const char *canonical_name);

/* `tag SOURCE TARGET`, with the specification's errors. */
int image_tag(struct store *store, const char *source, const char *target, struct error *err);

/**
 * image_set_tag - let a name mean an image, inside the caller's transaction
 * @ref: with a tag or a digest
 * @ret_moved_from: the other image that had the name; unset when there was none
 */
int image_set_tag(struct store *store, const struct reference *ref, const struct digest *image,
		  struct digest *ret_moved_from, struct error *err);

/* The thin id of what an image shows: its top layer, or the bare template. -1 on failure. */
int64_t image_thin(struct store *store, const struct image *image, struct error *err);

/* What `images --filter` and `image prune --filter` can ask for. */
struct image_filter {
	int dangling;		   /* -1: do not care, else 0 or 1 */
	struct strlist labels;	   /* "key" or "key=value"; all must hold */
	struct strlist not_labels; /* none may hold */
	struct strlist references; /* glob patterns; one must match */
	bool has_before, has_since, has_until;
	int64_t before_ns; /* created strictly before */
	int64_t since_ns;  /* created strictly after */
	int64_t until_ns;  /* created before */
};

#define IMAGE_FILTER_NONE ((struct image_filter){ .dangling = -1 })
void image_filter_done(struct image_filter *filter);
#define auto_image_filter __attribute__((cleanup(image_filter_done)))

/*
 * Returns 1 when the image passes, 0 when not, -1 on failure. With references,
 * refs that do not match are removed from image, so that they are not shown.
 */
int image_filter_match(struct store *store, const struct image_filter *filter, struct image *image,
		       struct error *err);

#endif
