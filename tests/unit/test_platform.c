/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include <string.h>

#include "base/jsonfield.h"
#include "unit.h"

static void test_names_are_brought_to_one_form(void)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },
		{ "linux/x86_64", "linux/amd64" },
		{ "Linux/X86-64", "linux/amd64" },
		{ "linux/amd64/v1", "linux/amd64" },
		{ "linux/amd64/v3", "linux/amd64/v3" },
		{ "linux/aarch64", "linux/arm64" },
		{ "linux/arm64/v8", "linux/arm64/v8" },
		{ "linux/arm64/8", "linux/arm64/v8" },
		{ "linux/arm64/v9", "linux/arm64/v9" },
		{ "linux/arm", "linux/arm/v7" },
		{ "linux/arm/6", "linux/arm/v6" },
		{ "linux/armhf", "linux/arm/v7" },
		{ "linux/armel", "linux/arm/v6" },
		{ "linux/i386", "linux/386" },
		{ "macos/arm64", "darwin/arm64" },
		{ "plan10/vax", "plan10/vax" },
		{ "arm64", "linux/arm64" },
		{ "armhf", "linux/arm/v7" },
		{ "riscv64", "linux/riscv64" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[PLATFORM_TEXT_SIZE];
		struct platform platform;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, platform_parse(cases[i].text, &platform, &err));
		CU_ASSERT_STRING_EQUAL(platform_text(&platform, text), cases[i].expected);
	}
}

static void test_the_host_is_the_default(void)
{
	struct platform host, platform;
	struct error err;

	platform_host(&host);
	CU_ASSERT_STRING_EQUAL(host.os, "linux");
	CU_ASSERT_TRUE(host.architecture[0] != '\0');
	CU_ASSERT_EQUAL_FATAL(0, platform_parse(NULL, &platform, &err));
	CU_ASSERT_EQUAL(0, memcmp(&host, &platform, sizeof(host)));
	CU_ASSERT_EQUAL_FATAL(0, platform_parse("", &platform, &err));
	CU_ASSERT_EQUAL(0, platform_rank(&host, &platform));
	CU_ASSERT_EQUAL_FATAL(0, platform_parse("windows", &platform, &err));
	CU_ASSERT_STRING_EQUAL(platform.os, "windows");
	CU_ASSERT_STRING_EQUAL(platform.architecture, host.architecture);
}

static void test_what_is_no_platform_is_refused(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "vax", "\"vax\": unknown operating system or architecture: invalid argument" },
		{ "a/b/c/d", "\"a/b/c/d\": cannot parse platform specifier: invalid argument" },
		{ "linux/",
		  "\"\" is an invalid component of \"linux/\": platform specifier component "
		  "must match \"^[A-Za-z0-9_.-]+$\": invalid argument" },
		{ "linux/a*", "\"a*\" is an invalid component of \"linux/a*\": platform specifier "
			      "component must match \"^[A-Za-z0-9_.-]+$\": invalid argument" },
	};
	struct platform platform;
	struct error err;
	char text[100];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CU_ASSERT_EQUAL(-1, platform_parse(cases[i].text, &platform, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].why);
	}
	memset(text, 'a', 80);
	memcpy(text + 80, "/b", 3);
	CU_ASSERT_EQUAL(-1, platform_parse(text, &platform, &err));
}

static int rank_of(const char *want, const char *have)
{
	struct platform wanted, had;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, platform_parse(want, &wanted, &err));
	CU_ASSERT_EQUAL_FATAL(0, platform_parse(have, &had, &err));
	return platform_rank(&wanted, &had);
}

static void test_what_runs_is_ranked(void)
{
	CU_ASSERT_EQUAL(0, rank_of("linux/amd64", "linux/amd64"));
	CU_ASSERT_EQUAL(0, rank_of("linux/arm64/v8", "linux/arm64"));
	CU_ASSERT_EQUAL(0, rank_of("linux/arm64", "linux/arm64/v8"));
	CU_ASSERT_EQUAL(1, rank_of("linux/amd64/v3", "linux/amd64/v2"));
	CU_ASSERT_EQUAL(2, rank_of("linux/amd64/v3", "linux/amd64"));
	CU_ASSERT_TRUE(rank_of("linux/amd64/v4", "linux/386") >
		       rank_of("linux/amd64/v4", "linux/amd64"));
	CU_ASSERT_EQUAL(1, rank_of("linux/arm/v7", "linux/arm/v6"));
	CU_ASSERT_EQUAL(2, rank_of("linux/arm/v7", "linux/arm/v5"));
	CU_ASSERT_EQUAL(1, rank_of("linux/arm64/v9", "linux/arm64"));
	CU_ASSERT_EQUAL(0, rank_of("linux/arm64/v9.2", "linux/arm64/v9.2"));
	CU_ASSERT_TRUE(rank_of("linux/arm64", "linux/arm/v7") > 0);
	CU_ASSERT_EQUAL(0, rank_of("linux/s390x", "linux/s390x"));
}

static void test_what_does_not_run_has_no_rank(void)
{
	static const char *const pairs[][2] = {
		{ "linux/amd64", "windows/amd64" },	 { "linux/amd64", "linux/arm64" },
		{ "linux/amd64", "linux/amd64/v2" },	 { "linux/amd64/v2", "linux/amd64/v3" },
		{ "linux/386", "linux/amd64" },		 { "linux/arm/v6", "linux/arm/v7" },
		{ "linux/arm/v7", "linux/arm/v4" },	 { "linux/arm", "linux/arm64" },
		{ "linux/arm64", "linux/arm64/v9" },	 { "linux/arm64/v9", "linux/arm64/v9.2" },
		{ "linux/amd64", "linux/amd64/v4" },	 { "linux/amd64", "linux/amd64/strange" },
		{ "linux/amd64/v3", "linux/amd64/v2x" }, { "linux/ppc64le", "linux/ppc64le/x" },
		{ "linux/amd64", "unknown/unknown" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		CU_ASSERT_EQUAL(-1, rank_of(pairs[i][0], pairs[i][1]));
}

static bool from_json(const char *text, struct platform *ret)
{
	auto_json json_t *json = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, jsonfield_load(text, strlen(text), 1000, &json, &err));
	return platform_from_json(json, ret);
}

static void test_platform_objects(void)
{
	struct platform platform;

	CU_ASSERT_TRUE(
		from_json("{\"os\":\"linux\",\"architecture\":\"aarch64\",\"variant\":\"v8\","
			  "\"os.features\":[\"x\"]}",
			  &platform));
	CU_ASSERT_STRING_EQUAL(platform.architecture, "arm64");
	CU_ASSERT_STRING_EQUAL(platform.variant, "");
	CU_ASSERT_FALSE(from_json("{\"os\":\"linux\"}", &platform));
	CU_ASSERT_STRING_EQUAL(platform.os, "");
	CU_ASSERT_FALSE(from_json("{\"os\":1,\"architecture\":[]}", &platform));
	CU_ASSERT_FALSE(from_json("{}", &platform));
	CU_ASSERT_FALSE(from_json(
		"{\"os\":\"linux\",\"architecture\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
		&platform));
}

UNIT_SUITE(platform, { "names are brought to one form", test_names_are_brought_to_one_form },
	   { "the host is the default", test_the_host_is_the_default },
	   { "what is no platform is refused", test_what_is_no_platform_is_refused },
	   { "what runs is ranked", test_what_runs_is_ranked },
	   { "what does not run has no rank", test_what_does_not_run_has_no_rank },
	   { "platform objects are read", test_platform_objects });
