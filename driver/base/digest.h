/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest - SHA-256, and its text form "sha256:" + 64 lower-case hex digits
 *
 * A zeroed struct digest means "none". Source: OCI image-spec descriptor.md,
 * "Digests".
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_PREFIX	"sha256:"
#define DIGEST_HEX_LEN	64
#define DIGEST_TEXT_LEN (sizeof(DIGEST_PREFIX) - 1 + DIGEST_HEX_LEN)

struct digest {
	char text[DIGEST_TEXT_LEN + 1]; /* "" means none */
};

/* ERR_UNSUPPORTED for another algorithm, ERR_CORRUPT for anything malformed. */
int digest_parse(const char *text, struct digest *ret, struct error *err);
/* The 64 hex digits; points into digest. */
const char *digest_hex(const struct digest *digest);
bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_set(const struct digest *digest);
void digest_of(const void *data, size_t len, struct digest *ret);

/* The same as bytes; "none" is all zero bytes. */
#define DIGEST_RAW_LEN 32
void digest_to_raw(const struct digest *digest, unsigned char ret[DIGEST_RAW_LEN]);
void digest_from_raw(const unsigned char raw[DIGEST_RAW_LEN], struct digest *ret);
void digest_raw_of(const void *data, size_t len, unsigned char ret[DIGEST_RAW_LEN]);

/* A running SHA-256. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_free(struct hasher *hasher);
void hasher_add(struct hasher *hasher, const void *data, size_t len);
/* Ends the run; the hasher may only be freed afterwards. */
void hasher_end(struct hasher *hasher, struct digest *ret);
void hasher_end_raw(struct hasher *hasher, unsigned char ret[DIGEST_RAW_LEN]);

static inline void auto_hasher_(struct hasher **hasher)
{
	hasher_free(*hasher);
}
#define auto_hasher __attribute__((cleanup(auto_hasher_)))

#endif
