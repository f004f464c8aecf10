/* SPDX-License-Identifier: Apache-2.0 */
#include "inspection.h"

#include <string.h>

#include "base/cleanup.h"
#include "imagejson.h"
#include "unit.h"

#define ID "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static const char document[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-05-06T07:08:09.120Z\","
	"\"config\":{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"],\"Labels\":{\"b\":\"2\",\"a\":\"<1>\"},"
	"\"Healthcheck\":{\"Test\":[\"NONE\"],\"Interval\":90000000000}},"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]},"
	"\"history\":[{\"created_by\":\"x\",\"comment\":\"made\"}]}";

/* The inspect object of an image with one tag and one digest. Returns new. */
static json_t *sample(void)
{
	static struct image_ref refs[] = {
		{ .repository = (char *)"app", .tag = (char *)"1" },
		{ .repository = (char *)"app", .digest = (char *)D1 },
	};
	const struct imagejson_device device = { "7", "veneer-abcdef01-7", "1024" };
	struct image image = {
		.id = { ID },
		.size_bytes = 42,
		.refs = refs,
		.nr_refs = 2,
	};
	auto_image_config struct image_config config = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(image_config_parse(document, strlen(document), &config, &err), 0);
	return imagejson_new(&image, &config, &device);
}

static int inspect(const char *format, struct buf *ret, struct error *err)
{
	auto_inspection struct inspection *output = NULL;

	if (inspection_open(format, &output, err) < 0 ||
	    inspection_add(output, sample(), &imagejson_type, err) < 0)
		return -1;
	inspection_text(output, ret);
	return 0;
}

static void check(const char *format, const char *expected)
{
	auto_buf struct buf text = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(inspect(format, &text, &err), 0);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
}

static const char indented[] = "[\n"
			       "    {\n"
			       "        \"Id\": \"" ID "\",\n"
			       "        \"RepoTags\": [\n"
			       "            \"app:1\"\n"
			       "        ],\n"
			       "        \"RepoDigests\": [\n"
			       "            \"app@" D1 "\"\n"
			       "        ],\n"
			       "        \"Comment\": \"made\",\n"
			       "        \"Created\": \"2024-05-06T07:08:09.12Z\",\n"
			       "        \"Config\": {\n"
			       "            \"Env\": [\n"
			       "                \"PATH=/bin\"\n"
			       "            ],\n"
			       "            \"Cmd\": [\n"
			       "                \"sh\"\n"
			       "            ],\n"
			       "            \"Labels\": {\n"
			       "                \"a\": \"<1>\",\n"
			       "                \"b\": \"2\"\n"
			       "            },\n"
			       "            \"Healthcheck\": {\n"
			       "                \"Test\": [\n"
			       "                    \"NONE\"\n"
			       "                ],\n"
			       "                \"Interval\": 90000000000\n"
			       "            }\n"
			       "        },\n"
			       "        \"Architecture\": \"amd64\",\n"
			       "        \"Os\": \"linux\",\n"
			       "        \"Size\": 42,\n"
			       "        \"GraphDriver\": {\n"
			       "            \"Data\": {\n"
			       "                \"DeviceId\": \"7\",\n"
			       "                \"DeviceName\": \"veneer-abcdef01-7\",\n"
			       "                \"DeviceSize\": \"1024\"\n"
			       "            },\n"
			       "            \"Name\": \"devicemapper\"\n"
			       "        },\n"
			       "        \"RootFS\": {\n"
			       "            \"Type\": \"layers\",\n"
			       "            \"Layers\": [\n"
			       "                \"" D1 "\"\n"
			       "            ]\n"
			       "        },\n"
			       "        \"Metadata\": {\n"
			       "            \"LastTagTime\": \"0001-01-01T00:00:00Z\"\n"
			       "        }\n"
			       "    }\n"
			       "]\n";

static void test_json_with_keys_in_order(void)
{
	check(NULL, indented);
}

static void test_both_spellings_of_a_field(void)
{
	check("{{.ID}}", ID "\n");
	check("{{.Id}}", ID "\n");
	check("{{.RepoTags}} {{.Config.Cmd}} {{index .Config.Labels \"a\"}}", "[app:1] [sh] <1>\n");
	check("{{.Author}}|{{.Config.User}}", "|\n");
	check("{{json .Config.Env}}", "[\"PATH=/bin\"]\n");
}

static void test_times_and_durations_are_words_in_a_text(void)
{
	check("{{.Metadata.LastTagTime}} {{.Metadata}}",
	      "0001-01-01 00:00:00 +0000 UTC {0001-01-01 00:00:00 +0000 UTC}\n");
	check("{{json .Metadata}}", "{\"LastTagTime\":\"0001-01-01T00:00:00Z\"}\n");
	check("{{.Config.Healthcheck.Interval}} {{.Config.Healthcheck}}",
	      "1m30s {[NONE] 1m30s 0s 0s 0s 0}\n");
	check("{{with .Config.Healthcheck.Interval}}{{json .}} {{printf \"%s|%7v|%d|%T\" . . . .}}"
	      "{{end}}",
	      "90000000000 1m30s|  1m30s|90000000000|time.Duration\n");
}

static void test_nothing_found(void)
{
	auto_inspection struct inspection *json = NULL, *tmpl = NULL;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(inspection_open(NULL, &json, &err), 0);
	inspection_text(json, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "[]\n");
	CU_ASSERT_EQUAL_FATAL(inspection_open("{{.Id}}", &tmpl, &err), 0);
	buf_reset(&text);
	inspection_text(tmpl, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "\n");
}

static void test_compact_json(void)
{
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(inspect("json", &text, &err), 0);
	CU_ASSERT_EQUAL(strncmp(text.data, "[{\"Id\":\"" ID "\",\"RepoTags\":[\"app:1\"],",
				strlen("[{\"Id\":\"" ID "\",\"RepoTags\":[\"app:1\"],")),
			0);
	CU_ASSERT_EQUAL(text.data[text.len - 1], '\n');
}

static void test_json_escapes_as_go_does(void)
{
	auto_inspection struct inspection *output = NULL;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(inspection_open("json", &output, &err), 0);
	CU_ASSERT_EQUAL_FATAL(
		inspection_add(output,
			       json_pack("{s:s, s:[s]}", "Id", "<&>\x01\xe2\x80\xa8\"", "RepoTags",
					 "\xc3\xa4/"),
			       &imagejson_type, &err),
		0);
	inspection_text(output, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "[{\"Id\":\"<&>\\u0001\\u2028\\\"\",\"RepoTags\":"
					  "[\"\xc3\xa4/\"]}]\n");
}

static void test_only_a_template_that_does_not_parse_is_a_template_error(void)
{
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(inspect("{{", &text, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_TEMPLATE);
	CU_ASSERT_EQUAL(strncmp(err.text, "template parsing error: template: :1: ", 38), 0);
	CU_ASSERT_EQUAL_FATAL(inspect("{{.Nope}}", &text, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
	CU_ASSERT_STRING_EQUAL(err.text, "template parsing error: template: :1:2: executing \"\" "
					 "at <.Nope>: map has no entry for key \"Nope\"");
}

UNIT_SUITE(inspection, { "JSON has its keys in Docker's order", test_json_with_keys_in_order },
	   { "a template takes both spellings of a field", test_both_spellings_of_a_field },
	   { "times and durations are words in a text",
	     test_times_and_durations_are_words_in_a_text },
	   { "nothing found is an empty array or an empty line", test_nothing_found },
	   { "json is compact", test_compact_json },
	   { "JSON escapes what Go escapes", test_json_escapes_as_go_does },
	   { "only what does not parse is a template error",
	     test_only_a_template_that_does_not_parse_is_a_template_error });
