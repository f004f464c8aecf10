/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download - the layers of an image, up to three at a time, read one after the other
 *
 * A thread of its own fetches with libcurl's multi interface. The layer whose turn it is
 * streams through memory to its reader; the others are begun when that one does not use the
 * line up (pace.h), and wait in nameless files, of which a kill leaves nothing, up to a bound.
 * A transfer that is cut goes on where it ended. Nothing is verified but the length.
 */
#ifndef REGISTRY_DOWNLOAD_H
#define REGISTRY_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/descriptor.h"
#include "registry/registry.h"

struct download;

struct download_args {
	struct registry *registry;	 /* nobody else's as long as the download exists */
	const struct descriptor *layers; /* borrowed */
	size_t nr_layers;
	const bool *unwanted; /* of each layer: not fetched before its turn; or NULL */
	int folder_fd;	      /* where the waiting ones lie; borrowed */
	const char *folder;   /* below it */
	/* Docker's words for what a layer does; called in the thread, phase is a static string. */
	void (*on_phase)(void *ctx, size_t layer, const char *phase, uint64_t done_bytes,
			 uint64_t total_bytes);
	void *ctx;
	/* Whether a reader that waits shall give up; may be NULL. */
	bool (*is_stopping)(void);
};

/* Begins to fetch. The caller owns *ret. */
int download_new(const struct download_args *args, struct download **ret, struct error *err);
void download_free(struct download *download);
static inline void download_free_(struct download **download)
{
	download_free(*download);
}
#define auto_download __attribute__((cleanup(download_free_)))

/* From now on download_read() reads this layer, from its start. Again is fine. */
void download_begin(struct download *download, size_t layer);
/*
 * As in struct stream_options; ctx is the download. Returns 0 at the end, after exactly the
 * bytes that the descriptor says. ERR_CORRUPT: another length; ERR_REMOTE, ERR_DENIED,
 * ERR_NOT_FOUND: the last try's error; ERR_NO_SPACE, ERR_CANCELLED.
 */
int download_read(void *ctx, void *data, size_t len, struct error *err);
/* Nobody needs more of it. */
void download_end(struct download *download, size_t layer);
/* Was it put together of several answers, or is it a mirror's? Then it may be fetched anew, whole. */
bool download_was_resumed(struct download *download, size_t layer);
void download_restart(struct download *download, size_t layer);
/* Why it could not be fetched; returns false when that was not so. */
bool download_error(struct download *download, size_t layer, struct error *ret);
/* Have all its bytes come? Any thread. */
bool download_is_complete(struct download *download, size_t layer);

#endif
