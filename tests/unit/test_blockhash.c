/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blockhash.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define MOST 257u /* blocks at once */

static unsigned char data[MOST * BLOCKHASH_BYTES];

static void check(struct blockhash *hash, size_t nr)
{
	static unsigned char got[(MOST + 1) * DIGEST_RAW_LEN];
	unsigned char wanted[DIGEST_RAW_LEN];

	memset(got, 0xaa, sizeof(got));
	blockhash_run(hash, data, nr, got);
	for (size_t i = 0; i < nr; i++) {
		digest_raw_of(data + i * BLOCKHASH_BYTES, BLOCKHASH_BYTES, wanted);
		CU_ASSERT_EQUAL(0, memcmp(got + i * DIGEST_RAW_LEN, wanted, sizeof(wanted)));
	}
	CU_ASSERT_EQUAL(got[nr * DIGEST_RAW_LEN], 0xaa);
}

static void test_digests(void)
{
	static const size_t numbers[] = { 1, 2, 3, 15, 16, 17, 31, 33, 255, 256, MOST, 0, 5 };
	auto_blockhash struct blockhash *hash = blockhash_new();
	auto_blockhash struct blockhash *other = blockhash_new();
	const char *package, *library = blockhash_library(&package);
	size_t nr_done = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + i / BLOCKHASH_BYTES);
	/* One by one, and then several at once, where the library is. */
	while (nr_done < 2 * BLOCKHASH_FEW) {
		for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
			check(hash, numbers[i]);
			nr_done += numbers[i];
		}
		check(other, 1);
	}
	if (library)
		CU_ASSERT_PTR_NOT_NULL(dlopen(library, RTLD_LAZY | RTLD_NOLOAD));
}

UNIT_SUITE(blockhash, { "digests are libcrypto's, however many at once", test_digests });
