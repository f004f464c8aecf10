/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "build/cache.h"
#include "build/filehash.h"
#include "unit.h"

static struct digest of_record(struct filehash_record record)
{
	struct digest digest;

	filehash_of(&record, &digest);
	return digest;
}

static void test_records(void)
{
	const struct filehash_record base = { .name = "a",
					      .mode = S_IFREG | 0644,
					      .size_bytes = 3 };
	struct filehash_record changed[9];
	struct digest first = of_record(base);

	for (size_t i = 0; i < 9; i++)
		changed[i] = base;
	changed[0].name = "b";
	changed[1].mode = S_IFREG | 0755;
	changed[2].uid = 1;
	changed[3].gid = 1;
	changed[4].size_bytes = 4;
	changed[5].mode = S_IFLNK | 0644;
	changed[6].link = "x";
	changed[7].mode = S_IFCHR | 0644;
	changed[8].mode = S_IFCHR | 0644;
	changed[8].rdev = makedev(1, 3);
	for (size_t i = 0; i < 9; i++) {
		struct digest one = of_record(changed[i]);

		CU_ASSERT_FALSE(digest_equal(&first, &one));
		for (size_t k = i + 1; k < 9; k++) {
			struct digest other = of_record(changed[k]);

			CU_ASSERT_FALSE(digest_equal(&one, &other));
		}
	}
}

static void test_fields_that_do_not_count(void)
{
	struct filehash_record folder = { .name = "", .mode = S_IFDIR | 0755, .size_bytes = 4096 };
	struct digest one = of_record(folder), other;

	folder.size_bytes = 8192;
	folder.rdev = 7;
	other = of_record(folder);
	CU_ASSERT_TRUE(digest_equal(&one, &other));
	CU_ASSERT_STRING_EQUAL(
		one.text,
		"sha256:d7b979a419847a085dfa3ca4178a0fbe6a0666be73dae926247b66852f1abab9");
}

static void test_xattrs(void)
{
	struct tree_xattr sorted[] = { { "user.a", "1", 1 }, { "user.b", "2", 1 } };
	struct tree_xattr mixed[] = { { "user.b", "2", 1 }, { "user.a", "1", 1 } };
	struct tree_xattr swapped[] = { { "user.a", "2", 1 }, { "user.b", "1", 1 } };
	struct filehash_record record = { .name = "", .mode = S_IFREG, .nr_xattrs = 2 };
	struct digest one, same, other;

	record.xattrs = sorted;
	one = of_record(record);
	record.xattrs = mixed;
	same = of_record(record);
	record.xattrs = swapped;
	other = of_record(record);
	CU_ASSERT_TRUE(digest_equal(&one, &same));
	CU_ASSERT_FALSE(digest_equal(&one, &other));
}

static struct digest key(struct cache_input input)
{
	struct digest digest;

	cache_key(&input, &digest);
	return digest;
}

static void test_keys(void)
{
	struct digest a, b, first, none = { 0 };
	auto_strlist struct strlist env = { 0 }, turned = { 0 };
	struct cache_mount mount = { "target=/x", &a };
	struct cache_input base, changed[7];

	digest_of("a", 1, &a);
	digest_of("b", 1, &b);
	strlist_add(&env, "x=1");
	strlist_add(&env, "y=2");
	strlist_add(&turned, "y=2");
	strlist_add(&turned, "x=1");
	base = (struct cache_input){ .parent = &a, .config = &a, .operation = "RUN x" };
	for (size_t i = 0; i < 7; i++)
		changed[i] = base;
	changed[0].parent = &b;
	changed[1].config = &b;
	changed[2].operation = "RUN y";
	changed[3].env = &env;
	changed[4].contents = &b;
	changed[4].nr_contents = 1;
	changed[5].mounts = &mount;
	changed[5].nr_mounts = 1;
	changed[6].parent = NULL;
	first = key(base);
	for (size_t i = 0; i < 7; i++) {
		struct digest one = key(changed[i]);

		CU_ASSERT_FALSE(digest_equal(&first, &one));
	}
	first = key(changed[3]);
	changed[3].env = &turned;
	a = key(changed[3]);
	CU_ASSERT_TRUE(digest_equal(&first, &a));
	first = key(changed[6]);
	changed[6].parent = &none;
	a = key(changed[6]);
	CU_ASSERT_TRUE(digest_equal(&first, &a));
}

/* What JSON cannot hold counts, too, and is no other text. */
static void test_texts(void)
{
	static const char *const texts[] = { "f1",
					     "f\xff"
					     "1",
					     "f\xfe"
					     "1",
					     "f\xc3\xbf"
					     "1",
					     "" };
	char *shown[5];

	for (size_t i = 0; i < 5; i++) {
		json_t *text = cache_text(texts[i], strlen(texts[i]));

		shown[i] = json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		json_decref(text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(shown[i]);
		for (size_t k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(shown[k], shown[i]);
	}
	CU_ASSERT_STRING_EQUAL("\"f1\"", shown[0]);
	for (size_t i = 0; i < 5; i++)
		free(shown[i]);
}

UNIT_SUITE(cachekey, { "each field of a record counts", test_records },
	   { "the size of a folder does not", test_fields_that_do_not_count },
	   { "attributes count in any order", test_xattrs },
	   { "each part of a step counts", test_keys },
	   { "every byte of a text counts", test_texts });
