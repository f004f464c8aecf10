/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

/*
 * The first use of the newer functions makes libcrypto read its configuration and register every
 * cipher that it has: a short command would do little else. The older ones are the same code.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

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

static unsigned char nibble(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void digest_to_raw(const struct digest *digest, unsigned char ret[DIGEST_RAW_LEN])
{
	const char *hex = digest->text + PREFIX_LEN;

	memset(ret, 0, DIGEST_RAW_LEN);
	for (size_t i = 0; digest_is_set(digest) && i < DIGEST_RAW_LEN; i++)
		ret[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

void digest_from_raw(const unsigned char raw[DIGEST_RAW_LEN], struct digest *ret)
{
	static const unsigned char none[DIGEST_RAW_LEN];

	*ret = (struct digest){ 0 };
	if (memcmp(raw, none, sizeof(none)) == 0)
		return;
	memcpy(ret->text, DIGEST_PREFIX, PREFIX_LEN);
	to_text(raw, ret);
}

void digest_raw_of(const void *data, size_t len, unsigned char ret[DIGEST_RAW_LEN])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, data, len);
	SHA256_Final(ret, &ctx);
}

struct hasher {
	SHA256_CTX ctx;
};

struct hasher *hasher_new(void)
{
	struct hasher *hasher = xcalloc(1, sizeof(*hasher));

	SHA256_Init(&hasher->ctx);
	return hasher;
}

void hasher_free(struct hasher *hasher)
{
	free(hasher);
}

void hasher_add(struct hasher *hasher, const void *data, size_t len)
{
	SHA256_Update(&hasher->ctx, data, len);
}

void hasher_end(struct hasher *hasher, struct digest *ret)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256_Final(sum, &hasher->ctx);
	to_text(sum, ret);
}

void hasher_end_raw(struct hasher *hasher, unsigned char ret[DIGEST_RAW_LEN])
{
	SHA256_Final(ret, &hasher->ctx);
}

void digest_of(const void *data, size_t len, struct digest *ret)
{
	struct hasher hasher;

	SHA256_Init(&hasher.ctx);
	hasher_add(&hasher, data, len);
	hasher_end(&hasher, ret);
}
