/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nameset.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* The reference's key 00 01 .. 0f and messages 00, 00 01, 00 01 02, ...: vectors_sip64. */
static void test_vectors(void)
{
	const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t data[16];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	CU_ASSERT_EQUAL(nameset_siphash(key, data, 0), UINT64_C(0x726fdb47dd0e0e31));
	CU_ASSERT_EQUAL(nameset_siphash(key, data, 1), UINT64_C(0x74f839c593dc67fd));
	CU_ASSERT_EQUAL(nameset_siphash(key, data, 8), UINT64_C(0x93f5f5799a932462));
	CU_ASSERT_EQUAL(nameset_siphash(key, data, 15), UINT64_C(0xa129ca6149be45e5));
}

static void test_members(void)
{
	struct nameset *set = nameset_new(10);
	struct error err;

	CU_ASSERT_FALSE(nameset_has(set, 1, "a", 1));
	CU_ASSERT_EQUAL(1, nameset_add(set, 1, "a", 1, &err));
	CU_ASSERT_EQUAL(0, nameset_add(set, 1, "a", 1, &err));
	CU_ASSERT_TRUE(nameset_has(set, 1, "a", 1));
	CU_ASSERT_FALSE(nameset_has(set, 2, "a", 1));
	CU_ASSERT_FALSE(nameset_has(set, 1, "ab", 2));
	CU_ASSERT_FALSE(nameset_has(set, 1, "", 0));
	nameset_clear(set);
	CU_ASSERT_FALSE(nameset_has(set, 1, "a", 1));
	nameset_free(set);
}

static void test_many(void)
{
	struct nameset *set = nameset_new(100000);
	struct error err;
	char name[32];
	int wrong = 0;

	for (int i = 0; i < 100000; i++) {
		int len = snprintf(name, sizeof(name), "file-%d", i);

		wrong += nameset_add(set, (uint64_t)i % 7, name, (size_t)len, &err) != 1;
	}
	for (int i = 0; i < 100000; i++) {
		int len = snprintf(name, sizeof(name), "file-%d", i);

		wrong += !nameset_has(set, (uint64_t)i % 7, name, (size_t)len);
		wrong += nameset_has(set, (uint64_t)i % 7 + 1, name, (size_t)len);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(-1, nameset_add(set, 1, "one more", 8, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	nameset_free(set);
}

UNIT_SUITE(nameset, { "the hash is SipHash-2-4", test_vectors },
	   { "a member is a name in one folder", test_members },
	   { "a hundred thousand members are found, one more is refused", test_many });
