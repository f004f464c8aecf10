/* SPDX-License-Identifier: Apache-2.0 */
#include "cacherows.h"

#include "base/cleanup.h"
#include "unit.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check(const struct build_cache_list *list, const char *format, const char *expected)
{
	auto_listing struct listing *output = NULL;
	auto_buf struct buf text = { 0 };
	json_auto_t *rows = cache_rows_json(list, false);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(listing_open(&cache_listing, format, false, &output, &err), 0);
	for (size_t i = 0; i < json_array_size(rows); i++)
		CU_ASSERT_EQUAL_FATAL(
			listing_row(output, json_incref(json_array_get(rows, i)), &err), 0);
	listing_text(output, &text);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
}

static void test_rows_are_dockers(void)
{
	char made[] = "RUN make", odd[] = "COPY caf\xe9 /";
	struct build_cache_entry entries[] = {
		{ .what = made, .held = true, .content_bytes = 1500000, .uses = 2 },
		{ .what = odd, .content_bytes = 10 },
	};
	const struct build_cache_list list = { .items = entries, .nr = 2 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(digest_parse("sha256:" HEX, &entries[0].chain_id, &err), 0);
	CU_ASSERT_EQUAL_FATAL(digest_parse("sha256:" HEX, &entries[1].chain_id, &err), 0);
	check(&list,
	      "{{.ID}} {{.CacheType}} {{.Size}} {{.UsageCount}} {{.Shared}} {{.Description}}",
	      "0123456789ab regular 1.5MB 2 false RUN make\n"
	      "0123456789ab regular 10B 0 true COPY caf? /\n");
	CU_ASSERT_EQUAL(cache_own_bytes(&list), 1500000);
}

static void test_no_rows_are_a_header(void)
{
	check(&(struct build_cache_list){ 0 }, NULL,
	      "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n");
}

UNIT_SUITE(cacherows, { "rows are Docker's", test_rows_are_dockers },
	   { "no rows are a header", test_no_rows_are_a_header });
