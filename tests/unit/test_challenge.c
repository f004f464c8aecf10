/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include "base/buf.h"
#include "unit.h"

static void check_text(const char *got, const char *want)
{
	if (!want)
		CU_ASSERT_PTR_NULL(got)
	else {
		CU_ASSERT_PTR_NOT_NULL_FATAL(got);
		CU_ASSERT_STRING_EQUAL(got, want);
	}
}

static void check(const char *header, enum challenge_scheme scheme, const char *realm,
		  const char *service, const char *scope)
{
	auto_challenge_list struct challenge_list list = { 0 };
	const struct challenge *found;

	challenge_parse(header, &list);
	found = challenge_find(&list, scheme);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	check_text(found->realm, realm);
	check_text(found->service, service);
	check_text(found->scope, scope);
}

static void test_forms(void)
{
	check("Bearer realm=\"https://a/t\",service=\"a\",scope=\"repository:x:pull,push\"",
	      CHALLENGE_BEARER, "https://a/t", "a", "repository:x:pull,push");
	check("bearer scope=\"s\" , SERVICE=v ,, realm = \"r\"", CHALLENGE_BEARER, "r", "v", "s");
	check("BASIC realm=\"with \\\"quotes\\\", and commas\"", CHALLENGE_BASIC,
	      "with \"quotes\", and commas", NULL, NULL);
	check("Basic realm=\"x\", Bearer realm=\"y\"", CHALLENGE_BEARER, "y", NULL, NULL);
	check("Basic realm=\"x\", Bearer realm=\"y\"", CHALLENGE_BASIC, "x", NULL, NULL);
	check("Negotiate, Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL);
	check("Negotiate YWJj==, Basic realm=x", CHALLENGE_BASIC, "x", NULL, NULL);
	check("Basic", CHALLENGE_BASIC, NULL, NULL, NULL);
	check("Bearer realm=https://a/t?x=y,service=\"\"", CHALLENGE_BEARER, "https://a/t?x=y", "",
	      NULL);
	check("Bearer realm=\"first\",realm=\"second\"", CHALLENGE_BEARER, "first", NULL, NULL);
}

static void test_error(void)
{
	auto_challenge_list struct challenge_list list = { 0 };

	challenge_parse("Bearer realm=\"x\",error=\"insufficient_scope\"", &list);
	check_text(challenge_find(&list, CHALLENGE_BEARER)->error, "insufficient_scope");
	CU_ASSERT_PTR_NULL(challenge_find(&list, CHALLENGE_BASIC));
}

static void test_nonsense(void)
{
	static const char *const headers[] = {
		"", ",,", "\"", "=", "()", "Bearer realm=\"x", "Bearer ==,=", "a b c d"
	};
	auto_buf struct buf many = { 0 };

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		auto_challenge_list struct challenge_list list = { 0 };

		challenge_parse(headers[i], &list);
		for (size_t n = 0; n < list.nr; n++)
			CU_ASSERT_PTR_NULL(list.items[n].realm);
	}
	for (int i = 0; i < 10000; i++)
		buf_puts(&many, "Basic realm=x,");
	auto_challenge_list struct challenge_list list = { 0 };

	challenge_parse(many.data, &list);
	CU_ASSERT(list.nr > 0 && list.nr <= 16);
}

UNIT_SUITE(challenge, { "schemes and parameters in every form", test_forms },
	   { "what a token lacked", test_error },
	   { "what makes no sense is passed over", test_nonsense });
