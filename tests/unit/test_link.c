/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/link.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

static void check_next(const char *value, const char *wanted)
{
	auto_free char *got = link_next(value);

	if (wanted ? !got || strcmp(got, wanted) != 0 : got != NULL) {
		printf("%s: %s; ", value, got ? got : "nothing");
		CU_FAIL("another target");
	}
}

static void test_next(void)
{
	check_next("</v2/x/tags/list?n=1&last=a>; rel=\"next\"", "/v2/x/tags/list?n=1&last=a");
	check_next("</a>;rel=next", "/a");
	check_next("  </a> ; title=\"a, b; \\\"c\" ; REL = \"last NEXT\"", "/a");
	check_next("</a>; rel=prev, </b>; rel=next", "/b");
	check_next("</a>; rel=\"prev\" , , </b>;x;y=z;rel=\"next\"", "/b");
	check_next("</a,b>; rel=next", "/a,b");
	check_next("<>; rel=next", "");
	check_next("</a>", NULL);
	check_next("</a>; rel=\"nextone\"", NULL);
	check_next("</a; rel=next", NULL);
	check_next("/a; rel=next", NULL);
	check_next("</a>; rel", NULL);
	check_next("</a>; rel=\"next", "/a");
	check_next("</a>; x=\"\\", NULL);
	check_next("", NULL);
}

static void check_tags(const char *target, const char *wanted)
{
	auto_free char *got = link_tags(target, "h:5000", "a/b");

	if (wanted ? !got || strcmp(got, wanted) != 0 : got != NULL) {
		printf("%s: %s; ", target, got ? got : "nothing");
		CU_FAIL("another page");
	}
}

static void test_tags(void)
{
	check_tags("/v2/a/b/tags/list?last=x", "list?last=x");
	check_tags("https://h:5000/v2/a/b/tags/list?last=x", "list?last=x");
	check_tags("//H:5000/v2/a/b/tags/list?n=1", "list?n=1");
	check_tags("list?n=1", "list?n=1");
	check_tags("?n=1", "list?n=1");
	check_tags("https://other/v2/a/b/tags/list?last=x", NULL);
	check_tags("https://h:5000.other/v2/a/b/tags/list?last=x", NULL);
	check_tags("https://h:5000@other/v2/a/b/tags/list?last=x", NULL);
	check_tags("/v2/other/tags/list?last=x", NULL);
	check_tags("/v2/a/b/tags/list", NULL);
	check_tags("?n=1 HTTP/1.1", NULL);
	check_tags("?n=1#x", NULL);
	check_tags("ftp://h:5000/", NULL);
	check_tags("", NULL);
}

UNIT_SUITE(link, { "the next page", test_next }, { "a page of the tags alone", test_tags });
