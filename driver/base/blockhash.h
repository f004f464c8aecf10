/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blockhash - SHA-256 of many blocks of 4096 bytes
 *
 * A processor computes several of them in the time of one: with libIPSec_MB, where that is
 * installed, 1.6 times as many by the SHA instructions and three times as many by AVX-512, else by
 * libcrypto one by one. The library is large, so it is loaded after the first BLOCKHASH_FEW.
 */
#ifndef BASE_BLOCKHASH_H
#define BASE_BLOCKHASH_H

#include <stddef.h>

#include "base/digest.h"

#define BLOCKHASH_BYTES 4096u
#define BLOCKHASH_FEW	4096u /* blocks: what the loading takes as long as */

/* For one thread at a time. */
struct blockhash;

struct blockhash *blockhash_new(void);
void blockhash_free(struct blockhash *hash);
static inline void blockhash_free_(struct blockhash **hash)
{
	blockhash_free(*hash);
}
#define auto_blockhash __attribute__((cleanup(blockhash_free_)))

/* The library's file, "libIPSec_MB.so.1", and Debian's package; NULL on other architectures. */
const char *blockhash_library(const char **ret_package);

/* Of nr blocks, one behind the other: so many digests of DIGEST_RAW_LEN bytes. */
void blockhash_run(struct blockhash *hash, const void *data, size_t nr, unsigned char *ret);

#endif
