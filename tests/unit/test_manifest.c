/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

#define HEX	   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST	   "sha256:" HEX
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"" DIGEST "\",\"size\":7}"

static const char docker_image[] =
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\","
	"\"config\":" DESC(MEDIA_DOCKER_CONFIG) ",\"layers\":[" DESC(MEDIA_DOCKER_LAYER) "]}";

static const char oci_image[] =
	"{\"annotations\":{\"a\":\"b\"},\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[" DESC(
		MEDIA_OCI_LAYER_GZIP) "," DESC(MEDIA_OCI_LAYER_ZSTD) "],\"schemaVersion\":2}";

static int parse(const char *text, struct manifest *ret, struct error *err)
{
	return manifest_parse(text, strlen(text), ret, err);
}

static int parse_index(const char *text, struct manifest_index *ret, struct error *err)
{
	return manifest_index_parse(text, strlen(text), ret, err);
}

static void test_image_manifests(void)
{
	auto_manifest struct manifest docker = { 0 }, oci = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(docker_image, &docker, &err));
	CU_ASSERT_STRING_EQUAL(docker.media_type, MEDIA_DOCKER_MANIFEST);
	CU_ASSERT_STRING_EQUAL(docker.config.media_type, MEDIA_DOCKER_CONFIG);
	CU_ASSERT_EQUAL(docker.nr_layers, 1);
	CU_ASSERT_EQUAL_FATAL(0, parse(oci_image, &oci, &err));
	CU_ASSERT_PTR_NULL(oci.media_type);
	CU_ASSERT_EQUAL_FATAL(oci.nr_layers, 2);
	CU_ASSERT_STRING_EQUAL(oci.layers[1].media_type, MEDIA_OCI_LAYER_ZSTD);
	CU_ASSERT_EQUAL(json_object_size(oci.annotations), 1);
}

static void test_an_image_without_layers(void)
{
	auto_manifest struct manifest none = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{\"schemaVersion\":2,\"config\":" DESC(
					       MEDIA_OCI_CONFIG) ",\"layers\":null}",
				       &none, &err));
	CU_ASSERT_EQUAL(none.nr_layers, 0);
}

static void test_the_document_tells_its_kind(void)
{
	static const struct {
		const char *text, *content_type;
		enum manifest_kind kind;
	} cases[] = {
		{ docker_image, NULL, MANIFEST_IMAGE },
		{ oci_image, "", MANIFEST_IMAGE },
		{ oci_image, MEDIA_OCI_INDEX, MANIFEST_IMAGE },
		{ docker_image, MEDIA_OCI_MANIFEST, MANIFEST_IMAGE },
		{ "{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_OCI_MANIFEST, MANIFEST_INDEX },
		{ "{\"manifests\":[]}", NULL, MANIFEST_INDEX },
		{ "{\"manifests\":null,\"mediaType\":\"" MEDIA_OCI_INDEX "\"}", NULL,
		  MANIFEST_INDEX },
		{ "{\"manifests\":null}", MEDIA_DOCKER_LIST, MANIFEST_INDEX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum manifest_kind kind = 99;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, manifest_kind(cases[i].text, strlen(cases[i].text),
						       cases[i].content_type, &kind, &err));
		CU_ASSERT_EQUAL(kind, cases[i].kind);
	}
}

static void test_documents_of_no_clear_kind_are_refused(void)
{
	static const char schema1[] = "Docker Image Format v1 and Docker Image manifest version 2, "
				      "schema 1 support has been removed. ";
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *why;
	} cases[] = {
		{ "{\"config\":{},\"manifests\":[]}", ERR_CORRUPT,
		  "manifest is both an image and an index" },
		{ "{\"layers\":[],\"manifests\":[]}", ERR_CORRUPT,
		  "manifest is both an image and an index" },
		{ "{\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"config\":{}}", ERR_CORRUPT,
		  "manifest contradicts its own media type " MEDIA_OCI_INDEX },
		{ "{\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\",\"manifests\":[]}", ERR_CORRUPT,
		  "manifest contradicts its own media type " MEDIA_DOCKER_MANIFEST },
		{ "{}", ERR_CORRUPT, "manifest has neither \"config\" nor \"manifests\"" },
		{ "{\"mediaType\":\"text/html\",\"config\":{}}", ERR_UNSUPPORTED,
		  "unsupported media type text/html" },
		{ "{\"schemaVersion\":1}", ERR_UNSUPPORTED, schema1 },
		{ "{\"fsLayers\":[]}", ERR_UNSUPPORTED, schema1 },
		{ "{\"mediaType\":\"" MEDIA_DOCKER_SIGNED1 "\"}", ERR_UNSUPPORTED, schema1 },
		{ "{\"schemaVersion\":3,\"manifests\":[]}", ERR_UNSUPPORTED,
		  "unsupported manifest schema version 3" },
		{ "[]", ERR_CORRUPT, "invalid manifest: must be an object" },
		{ "null", ERR_CORRUPT, "invalid manifest: must be an object" },
		{ "<html>", ERR_CORRUPT, "invalid manifest: invalid JSON: line 1" },
		{ "{\"layers\":{}}", ERR_CORRUPT,
		  "invalid manifest: key \"layers\": must be a list" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum manifest_kind kind;
		struct error err;

		CU_ASSERT_EQUAL(
			-1, manifest_kind(cases[i].text, strlen(cases[i].text), NULL, &kind, &err));
		CU_ASSERT_EQUAL(err.kind, cases[i].kind);
		CU_ASSERT_NSTRING_EQUAL(err.text, cases[i].why, strlen(cases[i].why));
	}
}

static void test_bad_images_are_refused(void)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *why;
	} cases[] = {
		{ "{\"layers\":[]}", ERR_CORRUPT, "invalid manifest: key \"config\" is missing" },
		{ "{\"manifests\":[]}", ERR_CORRUPT, "manifest is an index, not an image" },
		{ "{\"config\":{}}", ERR_CORRUPT,
		  "invalid manifest: config: key \"digest\" is missing" },
		{ "{\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[null]}", ERR_CORRUPT,
		  "invalid manifest: layers: [0]: must be an object" },
		{ "{\"config\":" DESC("application/vnd.cncf.helm.config.v1+json") "}",
		  ERR_UNSUPPORTED,
		  "unsupported media type application/vnd.cncf.helm.config.v1+json" },
		{ "{\"config\":" DESC("application/vnd.docker.plugin.v1+json") "}", ERR_UNSUPPORTED,
		  "unsupported media type application/vnd.docker.plugin.v1+json" },
		{ "{\"config\":" DESC(MEDIA_OCI_EMPTY) "}", ERR_UNSUPPORTED,
		  "unsupported media type " MEDIA_OCI_EMPTY },
		{ "{\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[" DESC(
			  "application/vnd.in-toto+json") "]}",
		  ERR_UNSUPPORTED, "unsupported media type application/vnd.in-toto+json" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct manifest manifest;
		struct error err;

		CU_ASSERT_EQUAL(-1, parse(cases[i].text, &manifest, &err));
		CU_ASSERT_EQUAL(err.kind, cases[i].kind);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].why);
		manifest_done(&manifest);
	}
}

static void test_odd_config_types_of_old_registries_pass(void)
{
	static const char *const texts[] = {
		"{\"config\":" DESC("") "}",
		"{\"config\":" DESC("application/octet-stream") "}",
		"{\"config\":" DESC("text/html") "}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		auto_manifest struct manifest manifest = { 0 };
		struct error err;

		CU_ASSERT_EQUAL(0, parse(texts[i], &manifest, &err));
	}
}

static void test_layers_are_bounded(void)
{
	auto_buf struct buf text = { 0 };
	struct manifest manifest;
	struct error err;

	buf_puts(&text, "{\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[0");
	for (int i = 0; i < 1024; i++)
		buf_puts(&text, ",0");
	buf_puts(&text, "]}");
	CU_ASSERT_EQUAL(-1, parse(text.data, &manifest, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static int64_t choose(const char *text, const char *platform, struct error *err)
{
	auto_manifest_index struct manifest_index index = { 0 };
	const struct descriptor *desc;
	struct platform wanted;

	CU_ASSERT_EQUAL_FATAL(0, parse_index(text, &index, err));
	CU_ASSERT_EQUAL_FATAL(0, platform_parse(platform, &wanted, err));
	return manifest_index_choose(&index, &wanted, &desc, err) < 0 ? -1 : desc->size_bytes;
}

/* The size of each entry is its number, from 1 on. Returns new. */
static char *many(void)
{
	static const char *const entries[][3] = {
		{ "application/vnd.example+json", "linux", "amd64" },
		{ MEDIA_OCI_MANIFEST, "unknown", "unknown" },
		{ MEDIA_OCI_MANIFEST, "linux", "386" },
		{ MEDIA_DOCKER_MANIFEST, "linux", "x86_64" },
		{ MEDIA_OCI_MANIFEST, "linux", "amd64" },
		{ MEDIA_OCI_INDEX, "windows", "amd64" },
		{ MEDIA_OCI_MANIFEST, "linux", "arm" },
	};
	auto_buf struct buf text = { 0 };

	buf_puts(&text, "{\"manifests\":[");
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
		buf_printf(&text,
			   "{\"mediaType\":\"%s\",\"digest\":\"" DIGEST "\",\"size\":%zu,"
			   "\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"}},",
			   entries[i][0], i + 1, entries[i][1], entries[i][2]);
	buf_puts(&text, "{\"digest\":\"sha512:" HEX HEX "\",\"size\":8}]}");
	return buf_take(&text);
}

static void test_the_best_entry_is_chosen(void)
{
	auto_free char *text = many();
	struct error err;

	CU_ASSERT_EQUAL(4, choose(text, "linux/amd64", &err));
	CU_ASSERT_EQUAL(4, choose(text, "linux/amd64/v3", &err));
	CU_ASSERT_EQUAL(3, choose(text, "linux/386", &err));
	CU_ASSERT_EQUAL(6, choose(text, "windows/amd64", &err));
	CU_ASSERT_EQUAL(7, choose(text, "linux/arm64", &err));
	CU_ASSERT_EQUAL(-1, choose(text, "linux/s390x", &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(err.text,
			       "no matching manifest for linux/s390x in the manifest list entries");
	CU_ASSERT_EQUAL(-1, choose("{\"manifests\":[]}", "linux/arm64/v8", &err));
	CU_ASSERT_STRING_EQUAL(
		err.text, "no matching manifest for linux/arm64/v8 in the manifest list entries");
}

static void test_an_entry_without_platform_is_the_last_resort(void)
{
	static const char both[] = "{\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1},"
				   "{\"digest\":\"" DIGEST "\",\"size\":2,\"platform\":"
				   "{\"os\":\"linux\",\"architecture\":\"386\"}}]}";
	struct error err;

	CU_ASSERT_EQUAL(2, choose(both, "linux/amd64", &err));
	CU_ASSERT_EQUAL(1, choose(both, "linux/arm64", &err));
}

static void test_an_attestation_is_never_chosen(void)
{
	static const char text[] = "{\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1,"
				   "\"annotations\":{\"vnd.docker.reference.type\":\"x\"}}]}";
	struct error err;

	CU_ASSERT_EQUAL(-1, choose(text, "linux/amd64", &err));
}

static void test_our_manifest_is_read_again(void)
{
	auto_manifest struct manifest first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(oci_image, &first, &err));
	manifest_write(&first, &text);
	CU_ASSERT_STRING_EQUAL(
		text.data,
		"{\"annotations\":{\"a\":\"b\"},\"config\":{\"digest\":\"" DIGEST
		"\",\"mediaType\":\"" MEDIA_OCI_CONFIG
		"\",\"size\":7},\"layers\":[{\"digest\":\"" DIGEST
		"\",\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP "\",\"size\":7},{\"digest\":\"" DIGEST
		"\",\"mediaType\":\"" MEDIA_OCI_LAYER_ZSTD
		"\",\"size\":7}],\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"schemaVersion\":2}");
	CU_ASSERT_EQUAL_FATAL(0, manifest_parse(text.data, text.len, &second, &err));
	manifest_write(&second, &again);
	CU_ASSERT_STRING_EQUAL(text.data, again.data);
}

static void test_our_docker_manifest_stays_docker(void)
{
	auto_manifest struct manifest manifest = { 0 };
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(docker_image, &manifest, &err));
	manifest_write(&manifest, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\""));
}

static void test_our_index_is_read_again(void)
{
	auto_manifest_index struct manifest_index first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		0,
		parse_index(
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			"\",\"digest\":\"" DIGEST "\",\"size\":7,\"urls\":[\"u\"],"
			"\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\"},"
			"\"annotations\":{\"" ANNOTATION_IMAGE_NAME
			"\":\"docker.io/library/x:1\"}}]}",
			&first, &err));
	manifest_index_write(&first, &text);
	CU_ASSERT_STRING_EQUAL(text.data,
			       "{\"manifests\":[{\"annotations\":{\"" ANNOTATION_IMAGE_NAME
			       "\":\"docker.io/library/x:1\"},\"digest\":\"" DIGEST
			       "\",\"mediaType\":\"" MEDIA_OCI_MANIFEST
			       "\",\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\","
			       "\"variant\":\"v7\"},\"size\":7,\"urls\":[\"u\"]}],"
			       "\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"schemaVersion\":2}");
	CU_ASSERT_EQUAL_FATAL(0, manifest_index_parse(text.data, text.len, &second, &err));
	manifest_index_write(&second, &again);
	CU_ASSERT_STRING_EQUAL(text.data, again.data);
}

static void test_an_image_is_no_index(void)
{
	struct manifest_index index;
	struct error err;

	CU_ASSERT_EQUAL(-1, parse_index(oci_image, &index, &err));
	CU_ASSERT_STRING_EQUAL(err.text, "manifest is an image, not an index");
	manifest_index_done(&index);
}

UNIT_SUITE(
	manifest, { "Docker's and OCI's images are read", test_image_manifests },
	{ "an image without layers is one", test_an_image_without_layers },
	{ "the document tells its kind", test_the_document_tells_its_kind },
	{ "documents of no clear kind are refused", test_documents_of_no_clear_kind_are_refused },
	{ "bad images are refused", test_bad_images_are_refused },
	{ "odd config types of old registries pass", test_odd_config_types_of_old_registries_pass },
	{ "the number of layers is bounded", test_layers_are_bounded },
	{ "the best entry of an index is chosen", test_the_best_entry_is_chosen },
	{ "an entry without platform is the last resort",
	  test_an_entry_without_platform_is_the_last_resort },
	{ "an attestation is never chosen", test_an_attestation_is_never_chosen },
	{ "a manifest of ours is read again", test_our_manifest_is_read_again },
	{ "a manifest with Docker's config stays Docker's", test_our_docker_manifest_stays_docker },
	{ "an index of ours is read again", test_our_index_is_read_again },
	{ "an image is no index", test_an_image_is_no_index });
