/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cppath.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

static void check_text(char *taken, const char *expected)
{
	auto_free char *got = taken;

	CU_ASSERT_STRING_EQUAL(got, expected);
	if (strcmp(got, expected) != 0)
		printf("\n  got %s, expected %s\n", got, expected);
}

static void check_split(const char *word, const char *container, const char *path)
{
	auto_free char *got = NULL;
	const char *rest;

	CU_ASSERT_EQUAL(cppath_split(word, &got, &rest), container != NULL);
	CU_ASSERT_STRING_EQUAL(rest, path);
	if (container)
		CU_ASSERT_STRING_EQUAL(got, container);
}

static void test_a_word_names_a_container_or_not(void)
{
	check_split("c:/x", "c", "/x");
	check_split("c:x:y", "c", "x:y");
	check_split("c:", "c", "");
	check_split("/a:b", NULL, "/a:b");
	check_split("./a:b", NULL, "./a:b");
	check_split(".:b", NULL, ".:b");
	check_split("file", NULL, "file");
	check_split("-", NULL, "-");
}

static void test_paths_are_cleaned_as_in_go(void)
{
	check_text(cppath_clean(""), ".");
	check_text(cppath_clean("/"), "/");
	check_text(cppath_clean("a/../.."), "..");
	check_text(cppath_clean("../../a"), "../../a");
	check_text(cppath_clean("/../a//b/./c/.."), "/a/b");
	check_text(cppath_base("/a/b/"), "b");
	check_text(cppath_base("/"), "/");
	check_text(cppath_base(""), ".");
	check_text(cppath_base("a/."), ".");
}

static void test_the_end_of_a_path_stays(void)
{
	check_text(cppath_absolute("/", "x"), "/x");
	check_text(cppath_absolute("/", "../x/"), "/x/");
	check_text(cppath_absolute("/", "x/."), "/x/.");
	check_text(cppath_absolute("/", "/"), "/");
	check_text(cppath_absolute("/", "."), "/.");
	check_text(cppath_absolute("/", ""), "/");
	check_text(cppath_absolute("/w", "a/.."), "/w");
	check_text(cppath_absolute("/w", "."), "/w/.");
	check_text(cppath_absolute("/w", "/a//b"), "/a/b");
	CU_ASSERT_TRUE(cppath_says_folder("/a/"));
	CU_ASSERT_TRUE(cppath_says_folder("/a/."));
	CU_ASSERT_FALSE(cppath_says_folder("/a/.b"));
	CU_ASSERT_FALSE(cppath_says_folder("/a."));
}

static void test_a_link_leads_on_from_its_folder(void)
{
	check_text(cppath_follow("/a/link", "b"), "/a/b");
	check_text(cppath_follow("/a/link", "../../../b"), "/b");
	check_text(cppath_follow("/link", "/x/../y"), "/y");
}

/* @to_kind: '-' does not exist, 'f' file, 'd' folder; @folder NULL: @name is the error */
static void check_plan(const char *from, bool from_folder, const char *to, char to_kind,
		       const char *folder, const char *name)
{
	const struct cppath_end source = { from, true, from_folder };
	const struct cppath_end destination = { to, to_kind != '-', to_kind == 'd' };
	auto_free char *got_folder = NULL;
	auto_free char *got_name = NULL;
	struct error err = { 0 };
	int result = cppath_plan(&source, &destination, &got_folder, &got_name, &err);

	CU_ASSERT_EQUAL(result, folder ? 0 : -1);
	if (!folder) {
		CU_ASSERT_STRING_EQUAL(err.text, name);
		return;
	}
	CU_ASSERT_STRING_EQUAL(got_folder, folder);
	CU_ASSERT_STRING_EQUAL(got_name, name);
}

static void test_where_a_copy_goes(void)
{
	check_plan("/s/file", false, "/d", 'd', "/d", "file");
	check_plan("/s/file", false, "/d/", 'd', "/d/", "file");
	check_plan("/s/file", false, "/d/new", '-', "/d", "new");
	check_plan("/s/file", false, "/d/old", 'f', "/d", "old");
	check_plan("/s/file", false, "/d/new/", '-', NULL, "no such directory");
	check_plan("/s/file", false, "/d/new/.", '-', NULL, "no such directory");
	check_plan("/s/dir", true, "/d", 'd', "/d", "dir");
	check_plan("/s/dir/", true, "/d", 'd', "/d", "dir");
	check_plan("/s/dir/.", true, "/d", 'd', "/d", "");
	check_plan("/", true, "/d", 'd', "/d", "");
	check_plan("/s/dir", true, "/d/new", '-', "/d", "new");
	check_plan("/s/dir/.", true, "/d/new/", '-', "/d", "new");
	check_plan("/s/dir", true, "/d/old", 'f', NULL, "cannot copy directory");
}

UNIT_SUITE(cppath, { "a word names a container, or not", test_a_word_names_a_container_or_not },
	   { "paths are cleaned as in Go", test_paths_are_cleaned_as_in_go },
	   { "the end of a path stays", test_the_end_of_a_path_stays },
	   { "a link leads on from its folder", test_a_link_leads_on_from_its_folder },
	   { "where a copy goes", test_where_a_copy_goes });
