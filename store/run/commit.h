/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - an image of a container as it is
 *
 * Its layer is what a snapshot of the container (run/still) has beyond the image,
 * without the runtime's stubs (run/restore).
 *
 * Crash safety: the snapshot is the session's; the layer and then the image are
 * each one transaction of the catalogue (layer/capture, image/create), and a
 * layer that no image has goes with the session.
 * Source: spec/cli.md, commit; moby daemon/commit.go for how settings are merged.
 */
#ifndef RUN_COMMIT_H
#define RUN_COMMIT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/digest.h"
#include "base/err.h"

struct store;

/* Texts may be NULL. */
struct commit_args {
	const char *operand;
	const char *reference; /* "repo[:tag]" */
	const char *author;
	const char *message;
	const char *const *changes; /* Dockerfile instructions, NULL at the end */
	bool pause;
};

/**
 * commit_container - the image is in the store, and has the name
 * @ret: its id
 *
 * ERR_NOT_FOUND also when the container's image is gone; ERR_USAGE for names and
 * changes, before anything is done.
 */
int commit_container(struct store *store, const struct commit_args *args, struct digest *ret,
		     struct error *err);

/**
 * commit_settings - the "config" object of the new image
 * @container: the container's Config, as in its document
 * @image:     the image's "config" object, or NULL
 * @ret:       new
 *
 * The container's settings with the changes applied, where the image fills what
 * is empty; only what an image's settings have.
 */
int commit_settings(const json_t *container, const json_t *image, const char *const *changes,
		    json_t **ret, struct error *err);

#endif
