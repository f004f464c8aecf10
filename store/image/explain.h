/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain - what a thin id is, and what the catalogue knows to need it
 *
 * Reads the catalogue only.
 */
#ifndef IMAGE_EXPLAIN_H
#define IMAGE_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct store;

struct explanation {
	uint32_t thin_id;
	char *kind;  /* "layer", "container", ...; "unknown": the catalogue has no such id */
	char *state; /* "live", "creating", "deleting", "planned"; "" when unknown */
	/* Of a layer; for others, of the layer that they are made from. */
	struct digest chain_id; /* unset without one */
	struct digest diff_id;
	char *created_by;
	char *container;	   /* the name of the one that it is; or NULL */
	char *session;		   /* the command that works on it; or NULL */
	struct strlist images;	   /* that have the layer: a name, else the id */
	struct strlist views;	   /* of this very thin id: mount points and /dev/veneer/NAME */
	struct strlist containers; /* made from it: names */
	struct strlist parents;	   /* "layer sha256:… (thin id 3)", the nearest first */
};

/* A thin id that the catalogue does not have is no error. */
int explain_thin(struct store *store, uint32_t thin_id, struct explanation *ret, struct error *err);
void explanation_done(struct explanation *explanation);
#define auto_explanation __attribute__((cleanup(explanation_done)))

/* One thing that needs another, and the command that ends that. */
struct need {
	char *kind; /* "container", "image", "tag", "child layer", "child image", "mount", ... */
	char *what;
	char *release;
};

struct need_list {
	struct need *items;
	size_t nr;
};

void need_list_done(struct need_list *list);
#define auto_need_list __attribute__((cleanup(need_list_done)))
/* All three are taken. */
void need_list_add(struct need_list *list, const char *kind, char *what, char *release);

/* What keeps an image, or a layer, from being removed. */
int explain_image_needs(struct store *store, const struct digest *image, struct need_list *ret,
			struct error *err);
int explain_layer_needs(struct store *store, const struct digest *chain_id, struct need_list *ret,
			struct error *err);

/*
 * explain_find_layer - the layer that a chain id, or a beginning of one, means
 * @ret_id: its thin id
 *
 * Returns 1, 0 when there is none or more than one, or -1.
 */
int explain_find_layer(struct store *store, const char *operand, struct digest *ret,
		       uint32_t *ret_id, struct error *err);

#endif
