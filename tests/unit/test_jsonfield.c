/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonfield.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct thing {
	char *name;
	int64_t size_bytes;
	bool on;
	struct digest digest;
	struct strlist list;
	json_t *map;
	json_t *object;
	json_t *array;
};

#define AT(member) offsetof(struct thing, member)

static const struct jsonfield fields[] = {
	{ "name", JSONFIELD_STRING, AT(name), true },
	{ "size", JSONFIELD_INT64, AT(size_bytes), .max = 1000 },
	{ "on", JSONFIELD_BOOL, AT(on) },
	{ "digest", JSONFIELD_DIGEST, AT(digest) },
	{ "list", JSONFIELD_STRLIST, AT(list) },
	{ "map", JSONFIELD_STRMAP, AT(map) },
	{ "object", JSONFIELD_OBJECT, AT(object) },
	{ "array", JSONFIELD_ARRAY, AT(array) },
	{ 0 },
};

static int load(const char *text, json_t **ret, struct error *err)
{
	return jsonfield_load(text, strlen(text), 4096, ret, err);
}

static int decode(const char *text, enum jsonfield_mode mode, struct thing *ret, struct error *err)
{
	auto_json json_t *json = NULL;

	memset(ret, 0xa5, sizeof(*ret)); /* what was there before is not looked at */
	CU_ASSERT_EQUAL_FATAL(0, load(text, &json, err));
	return jsonfield_decode(json, fields, mode, ret, err);
}

static void refuses(const char *text, enum jsonfield_mode mode, const char *why)
{
	struct thing thing;
	struct error err;

	CU_ASSERT_EQUAL(-1, decode(text, mode, &thing, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_STRING_EQUAL(err.text, why);
	CU_ASSERT_PTR_NULL(thing.name);
	CU_ASSERT_PTR_NULL(thing.map);
	CU_ASSERT_EQUAL(thing.list.nr, 0);
}

static void test_every_kind_is_read(void)
{
	struct thing thing;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0, decode("{\"name\":\"n\",\"size\":1000,\"on\":true,\"digest\":\"sha256:" HEX
			  "\",\"list\":[\"a\",null,\"b\"],\"map\":{\"k\":\"v\",\"z\":null},"
			  "\"object\":{\"x\":1},\"array\":[1],\"other\":1}",
			  JSONFIELD_TOLERANT, &thing, &err));
	CU_ASSERT_STRING_EQUAL(thing.name, "n");
	CU_ASSERT_EQUAL(thing.size_bytes, 1000);
	CU_ASSERT_TRUE(thing.on);
	CU_ASSERT_STRING_EQUAL(digest_hex(&thing.digest), HEX);
	CU_ASSERT_EQUAL_FATAL(thing.list.nr, 3);
	CU_ASSERT_STRING_EQUAL(thing.list.items[1], "");
	CU_ASSERT_STRING_EQUAL(thing.list.items[2], "b");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(thing.map, "k")), "v");
	CU_ASSERT_EQUAL(json_object_size(thing.object), 1);
	CU_ASSERT_EQUAL(json_array_size(thing.array), 1);
	jsonfield_done(fields, &thing);
	CU_ASSERT_PTR_NULL(thing.name);
	CU_ASSERT_PTR_NULL(thing.array);
	jsonfield_done(fields, &thing);
}

static void test_null_is_absent(void)
{
	struct thing thing;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0, decode("{\"name\":\"\",\"size\":null,\"on\":null,\"digest\":null,\"list\":null,"
			  "\"map\":null,\"object\":null,\"array\":null}",
			  JSONFIELD_STRICT, &thing, &err));
	CU_ASSERT_STRING_EQUAL(thing.name, "");
	CU_ASSERT_EQUAL(thing.size_bytes, 0);
	CU_ASSERT_FALSE(thing.on);
	CU_ASSERT_FALSE(digest_is_set(&thing.digest));
	CU_ASSERT_EQUAL(thing.list.nr, 0);
	CU_ASSERT_PTR_NULL(thing.map);
	CU_ASSERT_PTR_NULL(thing.object);
	CU_ASSERT_PTR_NULL(thing.array);
	jsonfield_done(fields, &thing);
}

static void test_a_wrong_type_is_named(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "[]", "must be an object" },
		{ "{}", "key \"name\" is missing" },
		{ "{\"name\":null}", "key \"name\" is missing" },
		{ "{\"Name\":\"n\"}", "key \"name\" is missing" },
		{ "{\"name\":1}", "key \"name\": must be a string" },
		{ "{\"name\":\"n\",\"size\":\"1\"}", "key \"size\": must be an integer" },
		{ "{\"name\":\"n\",\"size\":1.0}", "key \"size\": must be an integer" },
		{ "{\"name\":\"n\",\"size\":-1}", "key \"size\": must be at least 0" },
		{ "{\"name\":\"n\",\"size\":1001}", "key \"size\": must be at most 1000" },
		{ "{\"name\":\"n\",\"on\":1}", "key \"on\": must be true or false" },
		{ "{\"name\":\"n\",\"digest\":{}}", "key \"digest\": must be a digest" },
		{ "{\"name\":\"n\",\"digest\":\"sha256:12\"}",
		  "key \"digest\": invalid checksum digest length" },
		{ "{\"name\":\"n\",\"list\":\"a\"}", "key \"list\": must be a list of strings" },
		{ "{\"name\":\"n\",\"list\":[\"a\",2]}", "key \"list\": [1] must be a string" },
		{ "{\"name\":\"n\",\"map\":[]}", "key \"map\": must be an object of strings" },
		{ "{\"name\":\"n\",\"map\":{\"a\":{}}}", "key \"map\": \"a\" must be a string" },
		{ "{\"name\":\"n\",\"object\":[]}", "key \"object\": must be an object" },
		{ "{\"name\":\"n\",\"array\":{}}", "key \"array\": must be a list" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refuses(cases[i].text, JSONFIELD_TOLERANT, cases[i].why);
}

static void test_strict_names_the_unknown_key(void)
{
	refuses("{\"name\":\"n\",\"nmae\":1}", JSONFIELD_STRICT, "unknown key \"nmae\"");
}

static void cannot_load(const char *data, size_t len, enum err_kind kind, const char *why)
{
	auto_json json_t *json = NULL;
	struct error err;

	CU_ASSERT_EQUAL(-1, jsonfield_load(data, len, 4096, &json, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	if (strncmp(err.text, why, strlen(why)) != 0)
		CU_FAIL("another reason");
}

static void test_what_is_not_json_is_refused(void)
{
	static const char nul[] = "{\"a\":\"b\0c\"}";

	cannot_load("", 0, ERR_CORRUPT, "invalid JSON: empty");
	cannot_load("{\"a\":1,\n\"b\"}", 12, ERR_CORRUPT, "invalid JSON: line 2, column 4: ");
	cannot_load("{}x", 3, ERR_CORRUPT, "invalid JSON: line 1, column 3: end of file expected");
	cannot_load("{\"a\":1,\"a\":2}", 13, ERR_CORRUPT, "invalid JSON: line 1, column 10: dup");
	cannot_load("{\"a\":\"\\u0000\"}", 14, ERR_CORRUPT,
		    "invalid JSON: line 1, column 13: \\u0000");
	cannot_load(nul, sizeof(nul) - 1, ERR_CORRUPT, "invalid JSON: line 1");
	cannot_load("[\"\xff\"]", 5, ERR_CORRUPT, "invalid JSON: line 1");
	cannot_load("[99999999999999999999]", 22, ERR_CORRUPT,
		    "invalid JSON: line 1, column 21: too");
	cannot_load("[1e999]", 7, ERR_CORRUPT, "invalid JSON: line 1, column 6: real");
	cannot_load("\"\\", 2, ERR_CORRUPT, "invalid JSON: line 1");
}

static void test_size_depth_and_number_are_bounded(void)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *json = NULL;
	struct error err;

	for (int i = 0; i < JSONFIELD_DEPTH_MAX; i++)
		buf_putc(&text, '[');
	for (int i = 0; i < JSONFIELD_DEPTH_MAX; i++)
		buf_putc(&text, ']');
	CU_ASSERT_EQUAL(0, load(text.data, &json, &err));
	cannot_load(text.data, 4097, ERR_LIMIT, "JSON of 4097 bytes is larger than 4096");
	buf_reset(&text);
	for (int i = 0; i <= JSONFIELD_DEPTH_MAX; i++)
		buf_puts(&text, "{\"a\":");
	cannot_load(text.data, text.len, ERR_LIMIT, "JSON is nested deeper than 128 levels");
	buf_reset(&text);
	buf_puts(&text, "[0");
	for (int i = 2; i < JSONFIELD_VALUES_MAX; i++)
		buf_puts(&text, ",0");
	buf_puts(&text, "]");
	json_decref(take_ptr(json));
	CU_ASSERT_EQUAL(0, jsonfield_load(text.data, text.len, text.len, &json, &err));
	text.data[text.len - 1] = ',';
	buf_puts(&text, "0]");
	json_decref(take_ptr(json));
	CU_ASSERT_EQUAL(-1, jsonfield_load(text.data, text.len, text.len, &json, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_brackets_in_strings_do_not_count(void)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *json = NULL;
	struct error err;

	buf_puts(&text, "[\"\\\"");
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "[{,");
	buf_puts(&text, "\\\\\"]");
	CU_ASSERT_EQUAL(0, load(text.data, &json, &err));
}

static void test_a_lone_value_is_a_document(void)
{
	auto_json json_t *json = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, load(" null\n", &json, &err));
	CU_ASSERT_TRUE(json_is_null(json));
}

static void test_writing_does_not_depend_on_the_order(void)
{
	auto_json json_t *json = NULL;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, load("{ \"b\": [1, \"\xc3\xa9/<\"], \"a\": null }", &json, &err));
	jsonfield_write(json, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "{\"a\":null,\"b\":[1,\"\xc3\xa9/<\"]}");
}

UNIT_SUITE(jsonfield, { "every kind of field is read", test_every_kind_is_read },
	   { "null and absent are the same", test_null_is_absent },
	   { "a wrong type names its key", test_a_wrong_type_is_named },
	   { "strict names the unknown key", test_strict_names_the_unknown_key },
	   { "what is not JSON is refused with its place", test_what_is_not_json_is_refused },
	   { "size, depth and number of values are bounded",
	     test_size_depth_and_number_are_bounded },
	   { "brackets in strings do not count", test_brackets_in_strings_do_not_count },
	   { "a lone value is a document", test_a_lone_value_is_a_document },
	   { "equal content is written as equal bytes",
	     test_writing_does_not_depend_on_the_order });
