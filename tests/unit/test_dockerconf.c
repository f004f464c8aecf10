/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerconf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "unit.h"

/* Reads a config.json with this text. */
static int read_text(const char *text, struct dockerconf *ret, struct error *err)
{
	char folder[] = "/tmp/veneer-dockerconf-XXXXXX";
	auto_free char *path = NULL;
	int result;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	path = xasprintf("%s/config.json", folder);
	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err), 0);
	result = dockerconf_read(folder, ret, err);
	unlink(path);
	rmdir(folder);
	return result;
}

static void test_known_keys_are_read_and_others_ignored(void)
{
	auto_dockerconf struct dockerconf conf = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		read_text("{ \"auths\": { \"x\": {} }, \"imagesFormat\": \"table {{.ID}}\","
			  " \"pruneFilters\": [ \"label!=keep\" ] }",
			  &conf, &err),
		0);
	CU_ASSERT_STRING_EQUAL(conf.images_format, "table {{.ID}}");
	CU_ASSERT_EQUAL_FATAL(conf.prune_filters.nr, 1);
	CU_ASSERT_STRING_EQUAL(conf.prune_filters.items[0], "label!=keep");
}

static void test_a_missing_file_is_an_empty_one(void)
{
	auto_dockerconf struct dockerconf conf = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(dockerconf_read("/nonexistent", &conf, &err), 0);
	CU_ASSERT_PTR_NULL(conf.images_format);
}

static void test_a_malformed_file_is_told(void)
{
	static const char *const cases[] = { "",
					     "[]",
					     "{",
					     "{ \"imagesFormat\": 1 }",
					     "{ \"pruneFilters\": [ 1 ] }",
					     "{ \"pruneFilters\": \"x=y\" }" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_dockerconf struct dockerconf conf = { 0 };
		struct error err;

		CU_ASSERT_EQUAL(read_text(cases[i], &conf, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	}
}

static void test_no_secret_is_told(void)
{
	auto_dockerconf struct dockerconf conf = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(
		read_text("{ \"auths\": { \"h\": { \"auth\": \"c2Vj\" \"c2Vj\" } } }", &conf, &err),
		-1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 1"));
	CU_ASSERT_PTR_NULL(strstr(err.text, "c2Vj"));
}

UNIT_SUITE(dockerconf,
	   { "known keys are read, others ignored", test_known_keys_are_read_and_others_ignored },
	   { "a missing file is an empty one", test_a_missing_file_is_an_empty_one },
	   { "a malformed file is told", test_a_malformed_file_is_told },
	   { "of a malformed file no secret is told", test_no_secret_is_told });
