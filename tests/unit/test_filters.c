/* SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"

#include "unit.h"

/* The filters as OPT_FILTER leaves them; NULL ends the list. */
static int parse(bool prune, const char *const *texts, struct image_filter *ret, struct error *err)
{
	auto_strlist struct strlist list = { 0 };

	while (*texts)
		strlist_add(&list, *texts++);
	return prune ? filters_for_prune(&list, ret, err) : filters_for_list(NULL, &list, ret, err);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_keys_are_sorted_out(void)
{
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		parse(false,
		      LIST("label=a=b", "label!=c", "reference=x*", "reference=y", "dangling=1"),
		      &filter, &err),
		0);
	CU_ASSERT_EQUAL(filter.dangling, 1);
	CU_ASSERT_EQUAL_FATAL(filter.labels.nr, 1);
	CU_ASSERT_STRING_EQUAL(filter.labels.items[0], "a=b");
	CU_ASSERT_EQUAL_FATAL(filter.not_labels.nr, 1);
	CU_ASSERT_STRING_EQUAL(filter.not_labels.items[0], "c");
	CU_ASSERT_EQUAL(filter.references.nr, 2);
	CU_ASSERT_FALSE(filter.has_until || filter.has_before || filter.has_since);
}

static void test_the_earliest_until_holds(void)
{
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		parse(true, LIST("until=200", "until=100", "until=300"), &filter, &err), 0);
	CU_ASSERT_TRUE(filter.has_until);
	CU_ASSERT_EQUAL(filter.until_ns, INT64_C(100000000000));
	CU_ASSERT_EQUAL(filter.dangling, -1);
}

static void test_what_is_wrong_is_named(void)
{
	static const struct {
		bool prune;
		const char *filter, *text;
	} cases[] = {
		{ false, "colour=red", "invalid filter 'colour'" },
		{ true, "reference=x", "invalid filter 'reference'" },
		{ false, "dangling=maybe", "invalid filter 'dangling=[maybe]'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(parse(cases[i].prune, LIST(cases[i].filter), &filter, &err),
				      -1);
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].text);
	}
}

static void test_contradicting_dangling_values(void)
{
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(parse(false, LIST("dangling=true", "dangling=0"), &filter, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "invalid filter 'dangling=[true 0]'");
}

static int parse_cache(const char *const *texts, int64_t *ret, struct error *err)
{
	auto_strlist struct strlist list = { 0 };

	for (; *texts; texts++)
		strlist_add(&list, *texts);
	return filters_for_cache(&list, ret, err);
}

static void test_the_cache_has_times_only(void)
{
	struct error err;
	int64_t until_ns;

	CU_ASSERT_EQUAL_FATAL(parse_cache(LIST(NULL), &until_ns, &err), 0);
	CU_ASSERT_EQUAL(until_ns, INT64_MAX);
	CU_ASSERT_EQUAL_FATAL(parse_cache(LIST("until=200", "unused-for=100"), &until_ns, &err), 0);
	CU_ASSERT_EQUAL(until_ns, INT64_C(100000000000));
	CU_ASSERT_EQUAL_FATAL(parse_cache(LIST("label=x"), &until_ns, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "invalid filter 'label'");
}

UNIT_SUITE(filters, { "keys are sorted out", test_keys_are_sorted_out },
	   { "the earliest until holds", test_the_earliest_until_holds },
	   { "what is wrong is named", test_what_is_wrong_is_named },
	   { "contradicting values are refused", test_contradicting_dangling_values },
	   { "the build cache has times only", test_the_cache_has_times_only });
