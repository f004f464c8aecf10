/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/docker_manifest.h"

#include <string.h>

#include "unit.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static int parse(const char *text, struct docker_manifest *ret, struct error *err)
{
	return docker_manifest_parse(text, strlen(text), ret, err);
}

static void test_two_images(void)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0, parse("[{\"Config\":\"a.json\",\"RepoTags\":[\"x:1\",\"y:2\"],"
			 "\"Layers\":[\"l/layer.tar\"],\"Parent\":\"" DIGEST "\"},"
			 "{\"Config\":\"b.json\",\"RepoTags\":null,\"Layers\":null,\"Other\":{}}]",
			 &manifest, &err));
	CU_ASSERT_EQUAL_FATAL(manifest.nr_images, 2);
	CU_ASSERT_STRING_EQUAL(manifest.images[0].config, "a.json");
	CU_ASSERT_STRING_EQUAL(manifest.images[0].repo_tags.items[1], "y:2");
	CU_ASSERT_STRING_EQUAL(manifest.images[0].layers.items[0], "l/layer.tar");
	CU_ASSERT_STRING_EQUAL(manifest.images[0].parent.text, DIGEST);
	CU_ASSERT_EQUAL(manifest.images[1].repo_tags.nr, 0);
	CU_ASSERT_EQUAL(manifest.images[1].layers.nr, 0);
	CU_ASSERT_FALSE(digest_is_set(&manifest.images[1].parent));
}

static void test_an_empty_list_is_fine(void)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(0, parse("[]", &manifest, &err));
	CU_ASSERT_EQUAL(manifest.nr_images, 0);
}

static void test_bad_manifests_are_refused(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "null", "invalid manifest, manifest cannot be null (but can be [])" },
		{ "{}", "invalid manifest, manifest must be a list" },
		{ "", "invalid manifest: invalid JSON: empty" },
		{ "[", "invalid manifest: invalid JSON: line 1" },
		{ "[null]", "invalid manifest, image 0: must be an object" },
		{ "[{\"Config\":\"a\"},{}]",
		  "invalid manifest, image 1: key \"Config\" is missing" },
		{ "[{\"Config\":\"a\",\"Layers\":[1]}]",
		  "invalid manifest, image 0: key \"Layers\": [0] must be a string" },
		{ "[{\"Config\":\"a\",\"Parent\":\"x\"}]",
		  "invalid manifest, image 0: key \"Parent\": invalid checksum digest format" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct docker_manifest manifest;
		struct error err;

		CU_ASSERT_EQUAL(-1, parse(cases[i].text, &manifest, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
		CU_ASSERT_NSTRING_EQUAL(err.text, cases[i].why, strlen(cases[i].why));
		docker_manifest_done(&manifest);
	}
}

static void too_many(const char *before, const char *item, int nr, const char *after)
{
	auto_buf struct buf text = { 0 };
	struct docker_manifest manifest;
	struct error err;

	buf_puts(&text, before);
	for (int i = 0; i < nr; i++)
		buf_printf(&text, "%s%s", i ? "," : "", item);
	buf_puts(&text, after);
	CU_ASSERT_EQUAL(-1, parse(text.data, &manifest, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_lists_are_bounded(void)
{
	too_many("[", "0", 4097, "]");
	too_many("[{\"Config\":\"a\",\"RepoTags\":[", "\"\"", 4097, "]}]");
	too_many("[{\"Config\":\"a\",\"Layers\":[", "\"\"", 1025, "]}]");
}

static void test_sources_of_layers(void)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	auto_descriptor struct descriptor desc = { 0 }, none = { 0 };
	struct digest known, other;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0, parse("[{\"Config\":\"a\",\"LayerSources\":{\"" DIGEST
			 "\":{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"size\":9,\"digest\":\"" DIGEST
			 "\"},"
			 "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
			 "\":\"nonsense\"}}]",
			 &manifest, &err));
	CU_ASSERT_EQUAL_FATAL(0, digest_parse(DIGEST, &known, &err));
	CU_ASSERT_EQUAL(1, docker_manifest_source(&manifest.images[0], &known, &desc));
	CU_ASSERT_EQUAL(desc.size_bytes, 9);
	digest_of("", 0, &other);
	CU_ASSERT_EQUAL(0, docker_manifest_source(&manifest.images[0], &other, &none));
	digest_of("x", 1, &other);
	CU_ASSERT_EQUAL(0, docker_manifest_source(&manifest.images[0], &other, &none));
}

static void test_ours_is_read_again(void)
{
	static const char text[] = "[{\"Config\":\"blobs/sha256/a\",\"LayerSources\":{\"" DIGEST
				   "\":{\"digest\":\"" DIGEST "\",\"size\":9}},\"Layers\":[\"b\"],"
				   "\"Parent\":\"" DIGEST "\",\"RepoTags\":[\"x:1\"]},"
				   "{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":null}]";
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(text, &manifest, &err));
	docker_manifest_write(&manifest, &out);
	CU_ASSERT_STRING_EQUAL(out.data, text);
}

UNIT_SUITE(docker_manifest, { "images, names and layers are read", test_two_images },
	   { "an empty list is fine", test_an_empty_list_is_fine },
	   { "bad manifests are refused", test_bad_manifests_are_refused },
	   { "lists are bounded", test_lists_are_bounded },
	   { "sources of layers are hints", test_sources_of_layers },
	   { "a manifest of ours is read again", test_ours_is_read_again });
