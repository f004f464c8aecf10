/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN (sizeof(DIGEST_PREFIX) - 1)

int digest_parse(const char *text, struct digest *ret, struct error *err)
{
	const char *hex = text + PREFIX_LEN;

	if (strncmp(text, DIGEST_PREFIX, PREFIX_LEN) != 0) {
		if (strchr(text, ':'))
			return err_set(err, ERR_UNSUPPORTED, "unsupported digest algorithm");
		return err_set(err, ERR_CORRUPT, "invalid checksum digest format");
	}
	if (strlen(hex) != DIGEST_HEX_LEN)
		return err_set(err, ERR_CORRUPT, "invalid checksum digest length");
	if (strspn(hex, "0123456789abcdef") != DIGEST_HEX_LEN)
		return err_set(err, ERR_CORRUPT, "invalid checksum digest format");
	memcpy(ret->text, text, sizeof(ret->text));
	return 0;
}

const char *digest_hex(const struct digest *digest)
{
	return digest_is_set(digest) ? digest->text + PREFIX_LEN : "";
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

bool digest_is_set(const struct digest *digest)
{
	return digest->text[0] != '\0';
}

static void to_text(const unsigned char *sum, struct digest *ret)
{
	static const char hex[] = "0123456789abcdef";
	char *at = ret->text + PREFIX_LEN;

	memcpy(ret->text, DIGEST_PREFIX, PREFIX_LEN);
	for (size_t i = 0; i < DIGEST_HEX_LEN / 2; i++) {
		*at++ = hex[sum[i] >> 4];
		*at++ = hex[sum[i] & 15];
	}
	*at = '\0';
}

struct hasher {
	EVP_MD_CTX *ctx;
};

struct hasher *hasher_new(void)
{
	struct hasher *hasher = calloc(1, sizeof(*hasher));

	/* libcrypto fails here only without memory or without its own SHA-256. */
	if (!hasher || !(hasher->ctx = EVP_MD_CTX_new()) ||
	    EVP_DigestInit_ex(hasher->ctx, EVP_sha256(), NULL) != 1)
		abort();
	return hasher;
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->ctx);
	free(hasher);
}

void hasher_add(struct hasher *hasher, const void *data, size_t len)
{
	if (EVP_DigestUpdate(hasher->ctx, data, len) != 1)
		abort();
}

void hasher_end(struct hasher *hasher, struct digest *ret)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(hasher->ctx, sum, NULL) != 1)
		abort();
	to_text(sum, ret);
}

void digest_of(const void *data, size_t len, struct digest *ret)
{
	auto_hasher struct hasher *hasher = hasher_new();

	hasher_add(hasher, data, len);
	hasher_end(hasher, ret);
}
