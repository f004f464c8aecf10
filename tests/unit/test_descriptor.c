/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"

#include <string.h>

#include "base/jsonfield.h"
#include "unit.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static json_t *load(const char *text)
{
	struct error err;
	json_t *json;

	CU_ASSERT_EQUAL_FATAL(0, jsonfield_load(text, strlen(text), 10000, &json, &err));
	return json;
}

static int parse(const char *text, struct descriptor *ret, struct error *err)
{
	auto_json json_t *json = load(text);

	memset(ret, 0xa5, sizeof(*ret));
	return descriptor_parse(json, ret, err);
}

static void test_a_full_descriptor(void)
{
	auto_descriptor struct descriptor desc;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0, parse("{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST "\","
			 "\"size\":9223372036854775807,\"platform\":{\"os\":\"linux\","
			 "\"architecture\":\"amd64\"},\"urls\":[\"u\"],\"data\":\"e30=\","
			 "\"annotations\":{\"" ANNOTATION_REF_NAME "\":\"x:1\"},\"foreign\":[]}",
			 &desc, &err));
	CU_ASSERT_STRING_EQUAL(desc.media_type, MEDIA_OCI_MANIFEST);
	CU_ASSERT_STRING_EQUAL(desc.digest.text, DIGEST);
	CU_ASSERT_EQUAL(desc.size_bytes, INT64_MAX);
	CU_ASSERT_TRUE(desc.has_platform);
	CU_ASSERT_STRING_EQUAL(desc.platform.architecture, "amd64");
	CU_ASSERT_EQUAL(desc.urls.nr, 1);
	CU_ASSERT_STRING_EQUAL(descriptor_annotation(&desc, ANNOTATION_REF_NAME), "x:1");
	CU_ASSERT_PTR_NULL(descriptor_annotation(&desc, ANNOTATION_IMAGE_NAME));
	CU_ASSERT_FALSE(descriptor_is_attestation(&desc));
}

static void test_the_least_descriptor(void)
{
	auto_descriptor struct descriptor desc;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{\"digest\":\"" DIGEST "\",\"size\":0}", &desc, &err));
	CU_ASSERT_STRING_EQUAL(desc.media_type, "");
	CU_ASSERT_FALSE(desc.has_platform);
	CU_ASSERT_PTR_NULL(desc.annotations);
	CU_ASSERT_PTR_NULL(descriptor_annotation(&desc, "x"));
}

static void test_bad_descriptors_are_refused(void)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *why;
	} cases[] = {
		{ "null", ERR_CORRUPT, "must be an object" },
		{ "{\"size\":1}", ERR_CORRUPT, "key \"digest\" is missing" },
		{ "{\"digest\":\"\",\"size\":1}", ERR_CORRUPT,
		  "key \"digest\": invalid checksum digest format" },
		{ "{\"digest\":\"" DIGEST "\"}", ERR_CORRUPT, "key \"size\" is missing" },
		{ "{\"digest\":\"" DIGEST "\",\"size\":-1}", ERR_CORRUPT,
		  "key \"size\": must be at least 0" },
		{ "{\"digest\":\"" DIGEST "\",\"size\":1e3}", ERR_CORRUPT,
		  "key \"size\": must be an integer" },
		{ "{\"digest\":\"sha512:" HEX HEX "\",\"size\":1}", ERR_UNSUPPORTED,
		  "key \"digest\": unsupported digest algorithm" },
		{ "{\"digest\":\"" DIGEST "\",\"size\":1,\"annotations\":{\"a\":1}}", ERR_CORRUPT,
		  "key \"annotations\": \"a\" must be a string" },
		{ "{\"digest\":\"" DIGEST "\",\"size\":1,\"platform\":\"linux\"}", ERR_CORRUPT,
		  "key \"platform\": must be an object" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct descriptor desc;
		struct error err;

		CU_ASSERT_EQUAL(-1, parse(cases[i].text, &desc, &err));
		CU_ASSERT_EQUAL(err.kind, cases[i].kind);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].why);
		descriptor_done(&desc);
	}
}

static void test_urls_are_bounded(void)
{
	auto_buf struct buf text = { 0 };
	struct descriptor desc;
	struct error err;

	buf_puts(&text, "{\"digest\":\"" DIGEST "\",\"size\":1,\"urls\":[\"\"");
	for (int i = 0; i < 64; i++)
		buf_puts(&text, ",\"\"");
	buf_puts(&text, "]}");
	CU_ASSERT_EQUAL(-1, parse(text.data, &desc, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_lists(void)
{
	auto_json json_t *json = load("[{\"digest\":\"" DIGEST "\",\"size\":1},"
				      "{\"digest\":\"sha512:" HEX HEX "\",\"size\":2},"
				      "{\"digest\":\"" DIGEST "\",\"size\":3}]");
	struct descriptor *list;
	struct error err;
	size_t nr;

	CU_ASSERT_EQUAL(-1, descriptor_parse_list(json, 3, false, &list, &nr, &err));
	CU_ASSERT_STRING_EQUAL(err.text, "[1]: key \"digest\": unsupported digest algorithm");
	CU_ASSERT_EQUAL(nr, 0);
	CU_ASSERT_EQUAL(-1, descriptor_parse_list(json, 2, true, &list, &nr, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL_FATAL(0, descriptor_parse_list(json, 3, true, &list, &nr, &err));
	CU_ASSERT_EQUAL_FATAL(nr, 2);
	CU_ASSERT_EQUAL(list[1].size_bytes, 3);
	descriptor_free_list(list, nr);
	CU_ASSERT_EQUAL_FATAL(0, descriptor_parse_list(NULL, 3, true, &list, &nr, &err));
	CU_ASSERT_EQUAL(nr, 0);
	descriptor_free_list(list, nr);
}

static void test_media_types(void)
{
	static const struct {
		const char *type;
		enum media_kind kind;
	} cases[] = {
		{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST },
		{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST },
		{ MEDIA_OCI_INDEX "; charset=utf-8", MEDIA_INDEX },
		{ "Application/Vnd.Docker.Distribution.Manifest.List.V2+JSON", MEDIA_INDEX },
		{ MEDIA_DOCKER_SIGNED1, MEDIA_SCHEMA1 },
		{ MEDIA_OCI_CONFIG, MEDIA_CONFIG },
		{ MEDIA_DOCKER_CONFIG, MEDIA_CONFIG },
		{ MEDIA_DOCKER_LAYER, MEDIA_LAYER },
		{ MEDIA_DOCKER_TAR ".zstd", MEDIA_LAYER },
		{ MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		  MEDIA_FOREIGN_LAYER },
		{ MEDIA_OCI_LAYER_GZIP "+encrypted", MEDIA_UNKNOWN },
		{ MEDIA_OCI_EMPTY, MEDIA_UNKNOWN },
		{ "application/json", MEDIA_UNKNOWN },
		{ "", MEDIA_UNKNOWN },
		{ NULL, MEDIA_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CU_ASSERT_EQUAL(media_kind(cases[i].type), cases[i].kind);
}

static void test_attestations(void)
{
	struct descriptor desc;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{\"digest\":\"" DIGEST "\",\"size\":0,\"platform\":{\"os\":"
				       "\"unknown\",\"architecture\":\"unknown\"}}",
				       &desc, &err));
	CU_ASSERT_TRUE(descriptor_is_attestation(&desc));
	descriptor_done(&desc);
	CU_ASSERT_EQUAL_FATAL(0, parse("{\"digest\":\"" DIGEST "\",\"size\":0,\"annotations\":{"
				       "\"vnd.docker.reference.type\":\"attestation-manifest\"}}",
				       &desc, &err));
	CU_ASSERT_TRUE(descriptor_is_attestation(&desc));
	descriptor_done(&desc);
}

UNIT_SUITE(descriptor, { "a full descriptor is read", test_a_full_descriptor },
	   { "digest and size are enough", test_the_least_descriptor },
	   { "bad descriptors are refused", test_bad_descriptors_are_refused },
	   { "the number of urls is bounded", test_urls_are_bounded },
	   { "lists may skip other digest algorithms", test_lists },
	   { "media types are told apart", test_media_types },
	   { "attestations are recognised", test_attestations });
