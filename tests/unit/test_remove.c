/* SPDX-License-Identifier: Apache-2.0 */
#include "image/remove.h"

#include "unit.h"

#define DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

/* Names in their parts; what has neither tag nor digest ends the list. */
static bool can_return(bool pulled, const struct image_ref *refs)
{
	struct image image = { .pulled = pulled, .refs = (struct image_ref *)refs };

	while (refs[image.nr_refs].repository)
		image.nr_refs++;
	return image_can_return(&image);
}

#define TAG(repository, tag)                              \
	{                                                 \
		(char *)(repository), (char *)(tag), NULL \
	}
#define BY_DIGEST(repository)                                \
	{                                                    \
		(char *)(repository), NULL, (char *)(DIGEST) \
	}
#define END                      \
	{                        \
		NULL, NULL, NULL \
	}

static void test_what_was_pulled_can_return(void)
{
	static const struct image_ref by_tag[] = { TAG("debian", "12"), BY_DIGEST("debian"), END };
	static const struct image_ref by_digest[] = { BY_DIGEST("debian"), END };
	static const struct image_ref from_two[] = { TAG("debian", "12"), TAG("m.example/d", "12"),
						     BY_DIGEST("debian"), BY_DIGEST("m.example/d"),
						     END };

	CU_ASSERT_TRUE(can_return(true, by_tag));
	CU_ASSERT_TRUE(can_return(true, by_digest));
	CU_ASSERT_TRUE(can_return(true, from_two));
}

static void test_what_was_made_here_cannot(void)
{
	static const struct image_ref tagged[] = { TAG("app", "1"), END };
	static const struct image_ref pushed[] = { TAG("app", "1"), BY_DIGEST("app"), END };

	CU_ASSERT_FALSE(can_return(false, tagged));
	CU_ASSERT_FALSE(can_return(false, pushed));
}

static void test_a_name_given_here_would_be_lost(void)
{
	static const struct image_ref tagged[] = { TAG("debian", "12"), TAG("mine", "1"),
						   BY_DIGEST("debian"), END };
	static const struct image_ref only_mine[] = { TAG("mine", "1"), END };
	static const struct image_ref nameless[] = { END };

	CU_ASSERT_FALSE(can_return(true, tagged));
	CU_ASSERT_FALSE(can_return(true, only_mine));
	CU_ASSERT_FALSE(can_return(true, nameless));
}

UNIT_SUITE(remove, { "what was pulled can return", test_what_was_pulled_can_return },
	   { "what was made here cannot", test_what_was_made_here_cannot },
	   { "a name that was given here would be lost", test_a_name_given_here_would_be_lost });
