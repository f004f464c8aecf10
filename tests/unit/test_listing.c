/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static const struct gotmpl_type pet_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*pets.petContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Name", &gotmpl_string },
			{ "Legs", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

static const struct listing_kind pets = {
	.type = &pet_type,
	.headers =
		(const struct listing_header[]){
			{ "Legs", "LEGS" },
			{ "Name", "PET NAME" },
			{ 0 },
		},
	.table = "{{.Name}}\t{{.Legs}}",
	.quiet = "{{.Name}}",
	.raw = "name: {{.Name}}\nlegs: {{.Legs}}\n",
	.quiet_raw = "name: {{.Name}}",
};

/* Lists a cat and a <bird>. */
static int list_pets(const char *format, bool quiet, struct buf *ret, struct error *err)
{
	auto_listing struct listing *list = NULL;

	if (listing_open(&pets, format, quiet, &list, err) < 0 ||
	    listing_row(list, json_pack("{s:s, s:s}", "Name", "cat", "Legs", "4"), err) < 0 ||
	    listing_row(list, json_pack("{s:s, s:s}", "Name", "<bird>", "Legs", "2"), err) < 0)
		return -1;
	listing_text(list, ret);
	return 0;
}

static void check(const char *format, bool quiet, const char *expected)
{
	auto_buf struct buf text = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(list_pets(format, quiet, &text, &err), 0);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
}

#define TABLE "PET NAME   LEGS\ncat        4\n<bird>     2\n"

static void test_table_is_the_default(void)
{
	check(NULL, false, TABLE);
	check("", false, TABLE);
	check(" table ", false, TABLE);
}

static void test_headers_of_a_table_template(void)
{
	check("table {{.Legs}}\\t{{upper .Name}}", false,
	      "LEGS      PET NAME\n4         CAT\n2         <BIRD>\n");
}

static void test_json_is_one_escaped_object_per_row(void)
{
	check("json", false,
	      "{\"Legs\":\"4\",\"Name\":\"cat\"}\n"
	      "{\"Legs\":\"2\",\"Name\":\"\\u003cbird\\u003e\"}\n");
}

static void test_a_template_is_filled_in_per_row(void)
{
	check(" {{.Name}}\\t{{json .Name}} ", false, "cat\t\"cat\"\n<bird>\t\"<bird>\"\n");
}

static void test_quiet_counts_for_table_and_raw_only(void)
{
	check(NULL, true, "cat\n<bird>\n");
	check("table", true, "cat\n<bird>\n");
	check("raw", true, "name: cat\nname: <bird>\n");
	check("{{.Legs}}", true, "4\n2\n");
	check("raw", false, "name: cat\nlegs: 4\n\nname: <bird>\nlegs: 2\n\n");
}

static void test_the_header_stands_without_rows(void)
{
	auto_listing struct listing *list = NULL;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(listing_open(&pets, NULL, false, &list, &err), 0);
	listing_text(list, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "PET NAME   LEGS\n");
}

static void test_wrong_templates(void)
{
	static const struct {
		const char *format, *text;
	} cases[] = {
		{ "{{.Nome}}", "template parsing error: template: :1:2: executing \"\" at <.Nome>: "
			       "can't evaluate field Nome in type *pets.petContext" },
		{ "{{nope}}",
		  "template parsing error: template: :1: function \"nope\" not defined" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_buf struct buf text = { 0 };
		struct error err;

		CU_ASSERT_EQUAL_FATAL(list_pets(cases[i].format, false, &text, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].text);
		CU_ASSERT_EQUAL(text.len, 0);
	}
}

/* Functions leave a column's name alone, so that what needs their result fails there only. */
static void test_a_header_that_fails_ends_there(void)
{
	check("table {{.Name}}|{{range split .Legs \"\"}}x{{end}}|", false,
	      "PET NAME|\ncat|x|\n<bird>|x|\n");
}

static void test_the_header_of_an_unknown_field(void)
{
	auto_listing struct listing *list = NULL;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(listing_open(&pets, "table {{.Nome}} {{.Name}}", false, &list, &err),
			      0);
	listing_text(list, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "<no value> PET NAME\n");
}

UNIT_SUITE(listing, { "a table is the default", test_table_is_the_default },
	   { "a table's header follows its template", test_headers_of_a_table_template },
	   { "json is one escaped object per row", test_json_is_one_escaped_object_per_row },
	   { "a template is filled in for each row", test_a_template_is_filled_in_per_row },
	   { "quiet counts for table and raw only", test_quiet_counts_for_table_and_raw_only },
	   { "the header stands without rows", test_the_header_stands_without_rows },
	   { "a header that fails ends there", test_a_header_that_fails_ends_there },
	   { "an unknown field has no column name", test_the_header_of_an_unknown_field },
	   { "a wrong template prints its error alone", test_wrong_templates });
