/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "unit.h"

static void test_known_sum(void)
{
	struct digest digest;

	digest_of("abc", 3, &digest); /* FIPS 180-4, example */
	CU_ASSERT_STRING_EQUAL(
		digest.text,
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_malformed_text_is_refused(void)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} bad[] = {
		{ "", ERR_CORRUPT },
		{ "sha256:", ERR_CORRUPT },
		{ "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		  ERR_CORRUPT },
		{ "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
		  ERR_CORRUPT },
		{ "md5:d41d8cd98f00b204e9800998ecf8427e", ERR_UNSUPPORTED },
	};
	struct digest digest;
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, digest_parse(bad[i].text, &digest, &err));
		CU_ASSERT_EQUAL(err.kind, bad[i].kind);
	}
}

UNIT_SUITE(digest, { "the sum of a known text", test_known_sum },
	   { "malformed text is refused", test_malformed_text_is_refused });
