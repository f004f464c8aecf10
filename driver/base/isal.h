/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isal - ISA-L, loaded at the first checksum or gzip
 *
 * Commands that only ask the catalogue need neither. Where the library is not installed the
 * program ends as it would have at its start, had it been linked with it: with status 127.
 */
#ifndef BASE_ISAL_H
#define BASE_ISAL_H

#include <isa-l.h>

struct isal {
	__typeof__(crc32_iscsi) *crc32_iscsi;
	__typeof__(crc32_gzip_refl) *crc32_gzip_refl;
	__typeof__(isal_inflate_init) *inflate_init;
	__typeof__(isal_inflate_reset) *inflate_reset;
	__typeof__(isal_inflate) *inflate;
	__typeof__(isal_deflate_init) *deflate_init;
	__typeof__(isal_deflate) *deflate;
};

/* Any thread. */
const struct isal *isal_get(void);

/* CRC-32C without its first and last inversion: of len bytes, from seed on. */
static inline uint32_t isal_crc32c(uint32_t seed, const void *data, size_t len)
{
	/* Its parameter only lacks a const. */
	return isal_get()->crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, seed);
}

#endif
