/* SPDX-License-Identifier: Apache-2.0 */
#include "imagerows.h"

#include "unit.h"

#define TAG(repository_, tag_)                                             \
	{                                                                  \
		.repository = (char *)(repository_), .tag = (char *)(tag_) \
	}
#define DIGEST(repository_, digest_)                                             \
	{                                                                        \
		.repository = (char *)(repository_), .digest = (char *)(digest_) \
	}

/* expected: repository, tag, digest of each row */
static void check(struct image_ref *refs, size_t nr_refs, bool digests,
		  const char *const (*expected)[3], size_t nr)
{
	struct image image = { .refs = refs, .nr_refs = nr_refs };
	auto_image_rows struct image_rows rows = { 0 };

	image_rows_add(&rows, &image, digests);
	CU_ASSERT_EQUAL_FATAL(rows.nr, nr);
	for (size_t i = 0; i < nr; i++) {
		CU_ASSERT_STRING_EQUAL(rows.items[i].repository, expected[i][0]);
		CU_ASSERT_STRING_EQUAL(rows.items[i].tag, expected[i][1]);
		CU_ASSERT_STRING_EQUAL(rows.items[i].digest, expected[i][2]);
	}
}

static void test_one_row_per_tag(void)
{
	struct image_ref refs[] = { TAG("a", "1"), TAG("a", "2"), DIGEST("a", "sha256:x") };
	static const char *const expected[][3] = { { "a", "1", "<none>" }, { "a", "2", "<none>" } };

	check(refs, 3, false, expected, 2);
}

static void test_digests_multiply_the_tags_of_their_repository(void)
{
	struct image_ref refs[] = { TAG("a", "1"), TAG("b", "1"), DIGEST("a", "sha256:x"),
				    DIGEST("a", "sha256:y"), DIGEST("c", "sha256:z") };
	static const char *const expected[][3] = { { "a", "1", "sha256:x" },
						   { "a", "1", "sha256:y" },
						   { "b", "1", "<none>" },
						   { "c", "<none>", "sha256:z" } };

	check(refs, 5, true, expected, 4);
}

static void test_digest_references_alone(void)
{
	struct image_ref refs[] = { DIGEST("a", "sha256:x"), DIGEST("a", "sha256:y") };
	static const char *const plain[][3] = { { "a", "<none>", "<none>" } };
	static const char *const full[][3] = { { "a", "<none>", "sha256:x" },
					       { "a", "<none>", "sha256:y" } };

	check(refs, 2, false, plain, 1);
	check(refs, 2, true, full, 2);
}

static void test_no_reference_at_all(void)
{
	static const char *const expected[][3] = { { "<none>", "<none>", "<none>" } };

	check(NULL, 0, false, expected, 1);
	check(NULL, 0, true, expected, 1);
}

UNIT_SUITE(imagerows, { "one row per tag", test_one_row_per_tag },
	   { "with digests, one row per tag and digest of its repository",
	     test_digests_multiply_the_tags_of_their_repository },
	   { "a repository with digests only has no tag", test_digest_references_alone },
	   { "an image without references has one row", test_no_reference_at_all });
