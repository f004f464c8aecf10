/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define HEX128 HEX HEX

static void same(char *text, const char *expected)
{
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
}

static void test_canonical_and_familiar_forms(void)
{
	static const struct {
		const char *text, *canonical, *familiar;
	} cases[] = {
		{ "debian", "docker.io/library/debian", "debian" },
		{ "debian:12", "docker.io/library/debian:12", "debian:12" },
		{ "library/debian", "docker.io/library/debian", "debian" },
		{ "docker.io/debian", "docker.io/library/debian", "debian" },
		{ "index.docker.io/debian", "docker.io/library/debian", "debian" },
		{ "index.docker.io/a/b", "docker.io/a/b", "a/b" },
		{ "docker.io/library/a/b", "docker.io/library/a/b", "library/a/b" },
		{ "me/app:v1.0", "docker.io/me/app:v1.0", "me/app:v1.0" },
		{ "foo:5000", "docker.io/library/foo:5000", "foo:5000" },
		{ "foo:5000/bar", "foo:5000/bar", "foo:5000/bar" },
		{ "localhost/x", "localhost/x", "localhost/x" },
		{ "localhost", "docker.io/library/localhost", "localhost" },
		{ "localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1" },
		{ "ghcr.io/a/b/c/d", "ghcr.io/a/b/c/d", "ghcr.io/a/b/c/d" },
		{ "Host/x", "Host/x", "Host/x" },
		{ "[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x" },
		{ "[2001:db8::1]/x", "[2001:db8::1]/x", "[2001:db8::1]/x" },
		{ "xn--n3h.com/myimage:xn--n3h", "xn--n3h.com/myimage:xn--n3h",
		  "xn--n3h.com/myimage:xn--n3h" },
		{ "a.b_c__d---e", "docker.io/library/a.b_c__d---e", "a.b_c__d---e" },
		{ "x:_.-A9", "docker.io/library/x:_.-A9", "x:_.-A9" },
		{ "x@" DIGEST, "docker.io/library/x@" DIGEST, "x@" DIGEST },
		{ "x:1@" DIGEST, "docker.io/library/x:1@" DIGEST, "x:1@" DIGEST },
		{ "sha256:abc", "docker.io/library/sha256:abc", "sha256:abc" },
		/* the short form would name another registry */
		{ "docker.io/localhost/x", "docker.io/localhost/x", "docker.io/localhost/x" },
		{ "docker.io/a.b/x", "docker.io/a.b/x", "docker.io/a.b/x" },
		{ "docker.io/library/a.b", "docker.io/library/a.b", "a.b" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_reference struct reference ref = { 0 }, again = { 0 };
		auto_free char *familiar = NULL;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, reference_parse(cases[i].text, &ref, &err));
		same(reference_canonical(&ref), cases[i].canonical);
		familiar = reference_familiar(&ref);
		CU_ASSERT_STRING_EQUAL(familiar, cases[i].familiar);
		CU_ASSERT_EQUAL_FATAL(0, reference_parse(familiar, &again, &err));
		CU_ASSERT_TRUE(reference_equal(&ref, &again));
	}
}

static void refuses(const char *text, enum err_kind kind, const char *why)
{
	struct reference ref = { .path = (char *)(uintptr_t) "untouched" };
	struct error err;

	CU_ASSERT_EQUAL(-1, reference_parse(text, &ref, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_STRING_EQUAL(err.text, why);
	CU_ASSERT_STRING_EQUAL(ref.path, "untouched");
}

static void test_what_breaks_the_grammar_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"/",
		":",
		"@",
		":1",
		"@" DIGEST,
		"a/",
		"/a",
		"a//b",
		"a:",
		"a@",
		"a:1:2",
		"a:1/b:2/c",
		"-a",
		"a-",
		"_a",
		"a_",
		".a",
		"a.",
		"a..b",
		"a___b",
		"a_-b",
		"a._b",
		"a b",
		" a",
		"a ",
		"a\n",
		"a\tb",
		"\xc3\xa9",
		"a:\xc3\xa9",
		"a:.1",
		"a:-1",
		"a:1+2",
		"a@" HEX,
		"a@sha256:",
		"a@sha256:0123456789abcdef0123456789abcde",
		"a@" DIGEST ":1",
		"a@1a:" HEX,
		"a@+:" HEX,
		"a@sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"a@" DIGEST "@" DIGEST,
		"docker.io/",
		"-host.com/x",
		"host-.com/x",
		"host..com/x",
		"ho_st.com/x",
		"host.com:/x",
		"host.com:1a/x",
		"host.com:1:2/x",
		"[::1/x",
		"[]/x:1",
		"[::g]/x",
		"::1/x",
		"localhost/",
		"localhost:5000/",
		"a/../b",
		"../a",
		"a:*",
		"https://docker.io/x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct reference ref;
		struct error err;

		if (reference_parse(bad[i], &ref, &err) == 0 ||
		    strcmp(err.text, "invalid reference format") != 0 || err.kind != ERR_USAGE)
			CU_FAIL_FATAL("accepted or another reason");
	}
}

static void test_special_refusals_have_their_own_text(void)
{
	refuses("Foo", ERR_USAGE,
		"invalid reference format: repository name (library/Foo) must be lowercase");
	refuses("foo/Bar:1", ERR_USAGE,
		"invalid reference format: repository name (foo/Bar) must be lowercase");
	refuses("x.io/A", ERR_USAGE,
		"invalid reference format: repository name (A) must be lowercase");
	refuses(HEX, ERR_USAGE,
		"invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings");
	refuses("a@sha256:0123456789abcdef0123456789abcdef", ERR_USAGE,
		"invalid checksum digest length");
	refuses("a@sha256:" HEX "0", ERR_USAGE, "invalid checksum digest length");
	refuses("a@sha256:A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		ERR_USAGE, "invalid checksum digest format");
	refuses("a@sha512:" HEX128, ERR_UNSUPPORTED, "unsupported digest algorithm");
	refuses("a@md5:0123456789abcdef0123456789abcdef", ERR_UNSUPPORTED,
		"unsupported digest algorithm");
}

static char *repeat(const char *before, char c, size_t nr, const char *after)
{
	auto_buf struct buf text = { 0 };

	buf_puts(&text, before);
	for (size_t i = 0; i < nr; i++)
		buf_putc(&text, c);
	buf_puts(&text, after);
	return buf_take(&text);
}

static void length(const char *before, size_t good, size_t bad, const char *after, const char *why)
{
	auto_free char *fits = repeat(before, 'a', good, after);
	auto_free char *too_long = repeat(before, 'a', bad, after);
	auto_reference struct reference ref = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(0, reference_parse(fits, &ref, &err));
	refuses(too_long, ERR_USAGE, why);
}

static void test_lengths_are_bounded(void)
{
	static const char name_too_long[] = "repository name must not be more than 255 characters";

	length("x.io/", 255, 256, "", name_too_long);
	length("x.io:5000/", 255, 256, ":1", name_too_long);
	length("", 247, 248, "", name_too_long); /* library/ counts */
	length("x.io/", 255, 4000, "", name_too_long);
	length("x.io/", 255, 5000, "", "invalid reference format");
	length("a:", 128, 129, "", "invalid reference format");
	length("x.", 259, 260, "/a", "invalid reference format");
}

static void test_default_tag(void)
{
	auto_reference struct reference ref = { 0 }, digested = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, reference_parse("x", &ref, &err));
	reference_default_tag(&ref);
	reference_default_tag(&ref);
	same(reference_familiar(&ref), "x:latest");
	same(reference_familiar_name(&ref), "x");
	same(reference_canonical_name(&ref), "docker.io/library/x");
	CU_ASSERT_EQUAL_FATAL(0, reference_parse("x@" DIGEST, &digested, &err));
	reference_default_tag(&digested);
	CU_ASSERT_PTR_NULL(digested.tag);
	CU_ASSERT_FALSE(reference_equal(&ref, &digested));
}

static void test_with_a_digest_the_store_keeps_no_tag(void)
{
	auto_reference struct reference ref = { 0 }, tagged = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, reference_parse("x:1@" DIGEST, &ref, &err));
	same(reference_key(&ref), "docker.io/library/x@" DIGEST);
	CU_ASSERT_EQUAL_FATAL(0, reference_parse("x:1", &tagged, &err));
	same(reference_key(&tagged), "docker.io/library/x:1");
}

static void test_targets(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "A",
		  "error parsing reference: \"A\" is not a valid repository/tag: invalid reference "
		  "format: repository name (library/A) must be lowercase" },
		{ "a:", "error parsing reference: \"a:\" is not a valid repository/tag: invalid "
			"reference format" },
		{ "a@" DIGEST, "refusing to create a tag with a digest reference" },
		{ "a:1@" DIGEST, "refusing to create a tag with a digest reference" },
		{ "sha256:abc",
		  "refusing to create an ambiguous tag using digest algorithm as name" },
		{ "docker.io/library/sha256",
		  "refusing to create an ambiguous tag using digest algorithm as name" },
	};
	auto_reference struct reference ref = { 0 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, reference_parse_target(bad[i].text, &ref, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(err.text, bad[i].why);
	}
	CU_ASSERT_EQUAL_FATAL(0, reference_parse_target("me/sha256", &ref, &err));
	same(reference_canonical(&ref), "docker.io/me/sha256:latest");
}

static void test_names_in_archives_need_a_tag(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "a", "invalid tag \"a\"" },
		{ "a@" DIGEST, "invalid tag \"a@" DIGEST "\"" },
		{ "", "invalid tag \"\": invalid reference format" },
		{ "sha256:1", "invalid tag \"sha256:1\": refusing to create an ambiguous tag using "
			      "digest algorithm as name" },
	};
	auto_reference struct reference ref = { 0 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, reference_parse_tagged(bad[i].text, &ref, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
		CU_ASSERT_STRING_EQUAL(err.text, bad[i].why);
	}
	CU_ASSERT_EQUAL_FATAL(0, reference_parse_tagged("a:1@" DIGEST, &ref, &err));
	same(reference_canonical(&ref), "docker.io/library/a:1");
}

static void test_filters_match_familiar_forms(void)
{
	static const struct {
		const char *ref, *pattern;
		int matches;
	} cases[] = {
		{ "debian:12", "debian", 1 },
		{ "debian:12", "debian:12", 1 },
		{ "debian:12", "debian:1?", 1 },
		{ "debian:12", "deb*", 1 },
		{ "debian:12", "*:12", 1 },
		{ "debian:12", "*", 1 },
		{ "debian:12", "docker.io/library/debian", 0 },
		{ "debian:12", "library/debian", 0 },
		{ "debian:12", "debian:", 0 },
		{ "me/app:1", "*", 0 },
		{ "me/app:1", "*/*", 1 },
		{ "me/app:1", "me/*", 1 },
		{ "me/app:1", "app", 0 },
		{ "x.io/me/app:1", "*/app", 0 },
		{ "x.io/me/app:1", "*/*/app:1", 1 },
		{ "debian@" DIGEST, "debian", 1 },
		{ "debian@" DIGEST, "debian@sha256:*", 1 },
		{ "debian:12", "[", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_reference struct reference ref = { 0 };
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, reference_parse(cases[i].ref, &ref, &err));
		CU_ASSERT_EQUAL(cases[i].matches, reference_match(&ref, cases[i].pattern, &err));
	}
}

static void test_ids(void)
{
	struct digest id = { 0 };

	CU_ASSERT_TRUE(reference_is_id(HEX, &id));
	CU_ASSERT_STRING_EQUAL(id.text, DIGEST);
	CU_ASSERT_TRUE(reference_is_id(DIGEST, NULL));
	CU_ASSERT_FALSE(reference_is_id("sha256:", NULL));
	CU_ASSERT_FALSE(reference_is_id(HEX "0", NULL));
	CU_ASSERT_FALSE(reference_is_id("sha512:" HEX, NULL));
	CU_ASSERT_FALSE(reference_is_id("x", NULL));
	CU_ASSERT_FALSE(reference_is_id(
		"A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL));
}

static void test_beginnings_of_ids(void)
{
	static const char *const bad[] = {
		"", "sha256:", "abcg", "ABC", "sha256:x", "ab:", HEX "0"
	};
	const char *hex;

	CU_ASSERT_TRUE_FATAL(reference_is_id_prefix("a", &hex));
	CU_ASSERT_STRING_EQUAL(hex, "a");
	CU_ASSERT_TRUE_FATAL(reference_is_id_prefix("sha256:00ff", &hex));
	CU_ASSERT_STRING_EQUAL(hex, "00ff");
	CU_ASSERT_TRUE(reference_is_id_prefix(HEX, &hex));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_FALSE(reference_is_id_prefix(bad[i], &hex));
		CU_ASSERT_PTR_NULL(hex);
	}
}

UNIT_SUITE(reference, { "canonical and familiar forms", test_canonical_and_familiar_forms },
	   { "what breaks the grammar is refused", test_what_breaks_the_grammar_is_refused },
	   { "special refusals have their own text", test_special_refusals_have_their_own_text },
	   { "lengths are bounded", test_lengths_are_bounded },
	   { "latest is the default tag", test_default_tag },
	   { "with a digest the store keeps no tag", test_with_a_digest_the_store_keeps_no_tag },
	   { "a target is no digest and not ambiguous", test_targets },
	   { "names in archives need a tag", test_names_in_archives_need_a_tag },
	   { "filters match familiar forms", test_filters_match_familiar_forms },
	   { "an id is recognised", test_ids },
	   { "the beginning of an id is recognised", test_beginnings_of_ids });
