/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/location.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

#define BASE "https://h:5000/v2/x/blobs/uploads/?mount=1"

static void test_resolve(void)
{
	static const struct {
		const char *location, *url;
	} rows[] = {
		{ "/v2/y?a=b", "https://h:5000/v2/y?a=b" },
		{ "https://other/p?q", "https://other/p?q" },
		{ "HTTPS://other", "HTTPS://other" },
		{ "//other/p", "https://other/p" },
		{ "uuid?state=1", "https://h:5000/v2/x/blobs/uploads/uuid?state=1" },
		{ "?state=2", "https://h:5000/v2/x/blobs/uploads/?state=2" },
		{ "/p#part", "https://h:5000/p" },
		{ "http://h:5000/p", NULL }, /* from https */
		{ "ftp://h/p", NULL },
		{ "https:///p", NULL },
		{ "https://", NULL },
		{ "https://me:secret@h/p", NULL },
		{ "/a b", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *url = NULL;
		struct error err;
		int result = location_resolve(BASE, rows[i].location, &url, &err);

		CU_ASSERT_EQUAL(result, rows[i].url ? 0 : -1);
		CU_ASSERT_TRUE(!rows[i].url || (url && strcmp(url, rows[i].url) == 0));
		CU_ASSERT_TRUE(rows[i].url || err.kind == ERR_REMOTE);
		CU_ASSERT_TRUE(rows[i].url || !strstr(err.text, "secret"));
	}
}

static void test_plain(void)
{
	auto_free char *url = NULL, *top = NULL;
	struct error err;

	CU_ASSERT_EQUAL(location_resolve("http://h/p", "https://h/q", &url, &err), 0);
	CU_ASSERT_EQUAL(location_resolve("http://h", "q", &top, &err), 0);
	CU_ASSERT_STRING_EQUAL(top, "http://h/q");
}

static void test_same_origin(void)
{
	CU_ASSERT_TRUE(location_same_origin("https://h/a", "https://H:443/b?c"));
	CU_ASSERT_TRUE(location_same_origin("http://h:80", "HTTP://h/"));
	CU_ASSERT_TRUE(location_same_origin("https://[::1]:5/a", "https://[::1]:5/b"));
	CU_ASSERT_TRUE(location_same_origin("https://[::1]/a", "https://[::1]:443"));
	CU_ASSERT_FALSE(location_same_origin("https://h/a", "http://h/a"));
	CU_ASSERT_FALSE(location_same_origin("https://h/a", "https://h:5000/a"));
	CU_ASSERT_FALSE(location_same_origin("https://h/a", "https://h.example/a"));
	CU_ASSERT_FALSE(location_same_origin("https://h/a", "https://h@other/a"));
	CU_ASSERT_FALSE(location_same_origin("https://h/a", "h/a"));
}

static void test_query(void)
{
	auto_free char *first = location_with("https://h/p", "digest", "sha256:0");
	auto_free char *second = location_with("https://h/p?a", "from", "b/c");

	CU_ASSERT_STRING_EQUAL(first, "https://h/p?digest=sha256%3A0");
	CU_ASSERT_STRING_EQUAL(second, "https://h/p?a&from=b%2Fc");
}

UNIT_SUITE(location, { "addresses are relative or absolute", test_resolve },
	   { "from http to https is fine", test_plain },
	   { "scheme, host and port make the origin", test_same_origin },
	   { "a query is begun or gone on with", test_query });
