/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob - immutable files named by the digest of their bytes: blobs/sha256/HEX
 *
 * A blob is written under a name of its session in tmp/, synced, and renamed
 * while the store's lock is held, in the same breath as the catalogue row that
 * needs it; so a blob without a row is garbage and a row without a blob cannot
 * be. What is read is verified.
 */
#ifndef BLOB_BLOB_H
#define BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "root.h"

struct blob_writer;

/* session names the temporary file, see db/recover. */
int blob_begin(const struct root *root, int64_t session, struct blob_writer **ret,
	       struct error *err);
int blob_write(struct blob_writer *writer, const void *data, size_t len, struct error *err);
/*
 * Syncs the bytes, before the lock is taken. Their digest is the caller's to know:
 * whoever has so many bytes has computed it on the way, and twice would cost.
 */
int blob_finish(struct blob_writer *writer, const struct digest *digest, struct error *err);
/* Gives the finished blob its name, under the store's lock. A blob that exists is kept. */
int blob_publish(struct blob_writer *writer, struct error *err);
/* Without blob_publish() the temporary file is removed. */
void blob_writer_free(struct blob_writer *writer);
static inline void blob_writer_free_(struct blob_writer **writer)
{
	blob_writer_free(*writer);
}
#define auto_blob_writer __attribute__((cleanup(blob_writer_free_)))

/* Writes a small document and finishes it; publish it under the lock. */
int blob_prepare(const struct root *root, int64_t session, const void *data, size_t len,
		 struct blob_writer **ret, struct digest *ret_digest, struct error *err);

/* A document of at most max bytes, verified. ERR_NOT_FOUND, ERR_CORRUPT, ERR_LIMIT. */
int blob_read(const struct root *root, const struct digest *digest, size_t max, struct buf *ret,
	      struct error *err);
/* For reading; its bytes are not verified. Returns a descriptor, or -1: ERR_NOT_FOUND. */
int blob_open(const struct root *root, const struct digest *digest, struct error *err);
bool blob_exists(const struct root *root, const struct digest *digest);
/* Missing is fine. A power cut brings it back, unless blob_sync() came before. */
int blob_remove(const struct root *root, const struct digest *digest, struct error *err);
int blob_sync(const struct root *root, struct error *err);
/* Every digest that has a file; *ret is new, *ret_nr entries. */
int blob_list(const struct root *root, struct digest **ret, size_t *ret_nr, struct error *err);

#endif
