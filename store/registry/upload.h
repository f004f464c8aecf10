/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload - blobs into a repository, five at a time
 *
 * A thread of its own asks for each whether it is there, has it mounted from another repository
 * of the same registry, and sends what is missing with libcurl's multi interface, once the
 * caller has got its bytes together. What is cut goes on where it ended, where the registry
 * knows where that is. Sessions that were begun and come to nothing are ended.
 * Source: OCI distribution-spec, "Pushing blobs"; spec/registry-and-archive.md section 5.
 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "registry/registry.h"

struct upload;

/* Bytes that would do. */
struct upload_known {
	struct digest digest;
	uint64_t size;
	const char *mount_from; /* another repository of the registry that has it; NULL: none */
};

/* Everything borrowed. */
struct upload_item {
	const struct upload_known *known; /* the one that is wanted most first */
	size_t nr_known;
};

struct upload_args {
	struct registry *registry; /* nobody else's as long as the upload exists */
	const struct upload_item *items;
	size_t nr_items;
	uint64_t chunk_bytes; /* sent at once; 0: everything, unless the registry refuses that */
	/*
	 * Docker's words for what an item does; called in the thread, phase is valid during the
	 * call. May be NULL.
	 */
	void (*on_phase)(void *ctx, size_t item, const char *phase, uint64_t done_bytes,
			 uint64_t total_bytes);
	void *ctx;
};

/* Begins. The caller owns *ret. */
int upload_new(const struct upload_args *args, struct upload **ret, struct error *err);
void upload_free(struct upload *upload);
static inline void upload_free_(struct upload **upload)
{
	upload_free(*upload);
}
#define auto_upload __attribute__((cleanup(upload_free_)))

/**
 * upload_next - wait until bytes are needed
 * @ret: the item whose; give them, or give up
 *
 * Returns 1, 0 when the registry has everything, -1 when an item failed: refusal_read(),
 * ERR_REMOTE, ERR_CANCELLED, ERR_IO.
 */
int upload_next(struct upload *upload, size_t *ret, struct error *err);
/* They are in this file, from its beginning; fd is taken. */
void upload_give(struct upload *upload, size_t item, int fd, const struct digest *digest,
		 uint64_t size);

/* Has an item failed, so that no more bytes are of use? Then err says why. */
bool upload_has_failed(struct upload *upload, struct error *err);

/* The bytes that the registry has now, once upload_next() returned 0. */
void upload_result(const struct upload *upload, size_t item, struct digest *ret_digest,
		   uint64_t *ret_size);

#endif
