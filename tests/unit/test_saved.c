/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/saved.h"

#include <stdlib.h>
#include <string.h>

#include "archive/docker_archive.h"
#include "archive/oci_archive.h"
#include "base/cleanup.h"
#include "oci/manifest.h"
#include "unit.h"

#define HEX "0123456789012345678901234567890123456789012345678901234567890123"
#define A   "aaaa" HEX
#define B   "bbbb" HEX

static struct digest named(const char *letters)
{
	struct digest ret;
	struct error err;
	auto_free char *text = xasprintf("sha256:%.64s", letters);

	CU_ASSERT_EQUAL_FATAL(digest_parse(text, &ret, &err), 0);
	return ret;
}

/* @nr_layers: with as many entries of history, all alike */
static struct saved_image make(const char *id, size_t nr_layers)
{
	struct saved_image image = { .id = named(id) };

	buf_puts(&image.document, "{ ... }");
	image.config.nr_layers = nr_layers;
	image.config.nr_history = nr_layers;
	image.config.history = xcalloc(nr_layers, sizeof(*image.config.history));
	image.layers = xcalloc(nr_layers, sizeof(*image.layers));
	for (size_t i = 0; i < nr_layers; i++) {
		image.config.history[i].created_by = xstrdup("RUN make");
		image.layers[i].diff_id = image.layers[i].blob = named(i ? "2222" HEX : "1111" HEX);
		image.layers[i].blob_bytes = 1024 * (i + 1);
		image.layers[i].media_type = MEDIA_OCI_LAYER;
	}
	oci_archive_write_manifest(&image);
	return image;
}

static const char *text_of(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

static void test_manifest_json(void)
{
	struct saved_image images[] = { make(A, 2), make(B, 0) };
	auto_buf struct buf out = { 0 };
	auto_free char *expected = NULL;

	strlist_add(&images[0].names, "docker.io/library/x:1");
	strlist_add(&images[0].names, "example.org:5000/team/x:2");
	docker_archive_write_manifest(images, 2, &out);
	expected = xasprintf(
		"[{\"Config\":\"blobs/sha256/%.64s\",\"LayerSources\":{"
		"\"sha256:%.64s\":{\"digest\":\"sha256:%.64s\",\"mediaType\":\"%s\",\"size\":1024},"
		"\"sha256:%.64s\":{\"digest\":\"sha256:%.64s\",\"mediaType\":\"%s\",\"size\":2048}},"
		"\"Layers\":[\"blobs/sha256/%.64s\",\"blobs/sha256/%.64s\"],"
		"\"RepoTags\":[\"x:1\",\"example.org:5000/team/x:2\"]},"
		"{\"Config\":\"blobs/sha256/%.64s\",\"Layers\":[],\"RepoTags\":null}]",
		A, "1111" HEX, "1111" HEX, MEDIA_OCI_LAYER, "2222" HEX, "2222" HEX, MEDIA_OCI_LAYER,
		"1111" HEX, "2222" HEX, B);
	CU_ASSERT_STRING_EQUAL(text_of(&out), expected);
	saved_image_done(&images[0]);
	saved_image_done(&images[1]);
}

/* Is the second one's parent, the first, told? */
static bool tells_parent(const struct saved_image *images, size_t nr)
{
	auto_buf struct buf out = { 0 };

	docker_archive_write_manifest(images, nr, &out);
	return strstr(out.data, "\"Parent\":") != NULL;
}

static void test_parents(void)
{
	struct saved_image images[] = { make(A, 1), make(B, 2) };

	CU_ASSERT_FALSE(tells_parent(images, 2));
	images[1].parent = images[0].id;
	CU_ASSERT_TRUE(tells_parent(images, 2));
	/* without it in the archive `docker load` fails */
	CU_ASSERT_FALSE(tells_parent(&images[1], 1));
	/* and so it does where the history is another one */
	images[0].config.history[0].empty_layer = true;
	CU_ASSERT_FALSE(tells_parent(images, 2));
	images[0].config.history[0].empty_layer = false;
	images[1].config.history[0].created_by[0] = 'X';
	CU_ASSERT_FALSE(tells_parent(images, 2));
	images[1].config.history[0].created_by[0] = 'R';
	CU_ASSERT_TRUE(tells_parent(images, 2));
	saved_image_done(&images[1]);
	images[1] = make(B, 3);
	images[1].parent = images[0].id;
	CU_ASSERT_FALSE(tells_parent(images, 2));
	images[1].parent = images[1].id;
	CU_ASSERT_FALSE(tells_parent(images, 2));
	saved_image_done(&images[1]);
	images[1] = make(B, 0);
	images[1].parent = images[1].id;
	CU_ASSERT_FALSE(tells_parent(images, 2));
	saved_image_done(&images[0]);
	saved_image_done(&images[1]);
}

static void test_repositories(void)
{
	struct saved_image images[] = { make(A, 2), make(B, 0) };
	auto_buf struct buf none = { 0 }, out = { 0 };
	auto_free char *expected =
		xasprintf("{\"x\":{\"1\":\"%.64s\",\"2\":\"%.64s\"},\"y/z\":{\"1\":\"%.64s\"}}",
			  "2222" HEX, "2222" HEX, "2222" HEX);

	strlist_add(&images[1].names, "docker.io/library/empty:1");
	docker_archive_write_repositories(images, 2, &none);
	CU_ASSERT_EQUAL(none.len, 0);
	strlist_add(&images[0].names, "docker.io/y/z:1");
	strlist_add(&images[0].names, "docker.io/library/x:2");
	strlist_add(&images[0].names, "docker.io/library/x:1");
	docker_archive_write_repositories(images, 2, &out);
	CU_ASSERT_STRING_EQUAL(text_of(&out), expected);
	saved_image_done(&images[0]);
	saved_image_done(&images[1]);
}

static void test_manifest(void)
{
	struct saved_image image = make(A, 2);
	auto_manifest struct manifest manifest = { 0 };
	struct digest digest;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		manifest_parse(image.manifest.data, image.manifest.len, &manifest, &err), 0);
	CU_ASSERT_STRING_EQUAL(manifest.media_type, MEDIA_OCI_MANIFEST);
	CU_ASSERT_STRING_EQUAL(manifest.config.media_type, MEDIA_OCI_CONFIG);
	CU_ASSERT_TRUE(digest_equal(&manifest.config.digest, &image.id));
	CU_ASSERT_EQUAL(manifest.config.size_bytes, 7);
	CU_ASSERT_EQUAL_FATAL(manifest.nr_layers, 2);
	CU_ASSERT_STRING_EQUAL(manifest.layers[1].media_type, MEDIA_OCI_LAYER);
	CU_ASSERT_TRUE(digest_equal(&manifest.layers[1].digest, &image.layers[1].blob));
	CU_ASSERT_EQUAL(manifest.layers[1].size_bytes, 2048);
	digest_of(image.manifest.data, image.manifest.len, &digest);
	CU_ASSERT_TRUE(digest_equal(&digest, &image.manifest_digest));
	saved_image_done(&image);
}

static void check_entry(const struct descriptor *entry, const struct saved_image *image,
			const char *name, const char *tag)
{
	const char *is_name = descriptor_annotation(entry, ANNOTATION_IMAGE_NAME);
	const char *is_tag = descriptor_annotation(entry, ANNOTATION_REF_NAME);

	CU_ASSERT_TRUE(digest_equal(&entry->digest, &image->manifest_digest));
	CU_ASSERT_EQUAL(entry->size_bytes, (int64_t)image->manifest.len);
	if (name) {
		CU_ASSERT_STRING_EQUAL(is_name, name);
		CU_ASSERT_STRING_EQUAL(is_tag, tag);
	} else {
		CU_ASSERT_PTR_NULL(entry->annotations);
	}
}

static void test_index(void)
{
	struct saved_image images[] = { make(A, 1), make(B, 2), make(HEX, 0) };
	auto_manifest_index struct manifest_index index = { 0 };
	auto_buf struct buf out = { 0 };
	struct error err;

	strlist_add(&images[1].names, "docker.io/library/x:1");
	strlist_add(&images[1].names, "example.org/x:latest");
	oci_archive_write_index(images, 3, &out);
	CU_ASSERT_EQUAL_FATAL(manifest_index_parse(out.data, out.len, &index, &err), 0);
	CU_ASSERT_EQUAL_FATAL(index.nr_entries, 4);
	check_entry(&index.entries[0], &images[0], NULL, NULL);
	check_entry(&index.entries[1], &images[1], "docker.io/library/x:1", "1");
	check_entry(&index.entries[2], &images[1], "example.org/x:latest", "latest");
	check_entry(&index.entries[3], &images[2], NULL, NULL);
	for (size_t i = 0; i < 3; i++)
		saved_image_done(&images[i]);
}

UNIT_SUITE(saved, { "manifest.json, byte for byte", test_manifest_json },
	   { "a parent only where docker load takes it", test_parents },
	   { "repositories", test_repositories }, { "the manifest of an image", test_manifest },
	   { "an index has every name, and images without", test_index });
