/* SPDX-License-Identifier: Apache-2.0 */
#include "imagetree.h"

#include "base/cleanup.h"
#include "unit.h"

static void test_names_are_sorted_and_untagged_ones_last(void)
{
	struct image_ref refs[] = { { .repository = (char *)"web", .tag = (char *)"1" },
				    { .repository = (char *)"app", .tag = (char *)"latest" } };
	struct image images[] = {
		{ .id = { "sha256:bbbbbbbbbbbbbbbb" },
		  .os = (char *)"linux",
		  .architecture = (char *)"arm64",
		  .size_bytes = 0 },
		{ .id = { "sha256:aaaaaaaaaaaaaaaa" },
		  .os = (char *)"linux",
		  .architecture = (char *)"amd64",
		  .size_bytes = 25500000,
		  .refs = refs,
		  .nr_refs = 2 },
	};
	const struct image_list list = { .items = images, .nr = 2 };
	const struct image_usage usage[] = { { 0 }, { .nr_containers = 1 } };
	auto_buf struct buf text = { 0 };

	image_tree_text(&list, usage, false, 80, &text);
	CU_ASSERT_STRING_EQUAL(
		text.data, "IMAGE            ID             DISK USAGE   CONTENT SIZE   EXTRA\n"
			   "app:latest       aaaaaaaaaaaa       25.5MB            N/A   U    \n"
			   "└─ linux/amd64   aaaaaaaaaaaa       25.5MB            N/A   U    \n\n"
			   "web:1            aaaaaaaaaaaa       25.5MB            N/A   U    \n"
			   "└─ linux/amd64   aaaaaaaaaaaa       25.5MB            N/A   U    \n\n"
			   "<untagged>       bbbbbbbbbbbb           0B            N/A        \n"
			   "└─ linux/arm64   bbbbbbbbbbbb           0B            N/A        \n\n");
}

static void test_a_screen_gets_the_legend(void)
{
	const struct image_list list = { 0 };
	auto_buf struct buf text = { 0 };

	image_tree_text(&list, NULL, true, 24, &text);
	CU_ASSERT_STRING_EQUAL(text.data,
			       "    i Info →   U  In Use\n"
			       "IMAGE   ID             DISK USAGE   CONTENT SIZE   EXTRA\n");
}

UNIT_SUITE(imagetree,
	   { "names are sorted, untagged ones last", test_names_are_sorted_and_untagged_ones_last },
	   { "a screen gets the legend", test_a_screen_gets_the_legend });
