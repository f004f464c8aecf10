/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents as other tools write them, and documents made to harm: each case is a
 * folder tests/spec/PARSER/CASE with `input` and `expected`. UPDATE_SPEC=1 writes
 * `expected` anew; read it before it is committed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "oci/config.h"
#include "oci/docker_manifest.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "unit.h"

#define SPEC_DIR "tests/spec"

static void put_list(struct buf *out, const char *what, const struct strlist *list)
{
	for (size_t i = 0; i < list->nr; i++)
		buf_printf(out, "%s %s\n", what, list->items[i]);
}

static void put_text(struct buf *out, const char *what, const char *text)
{
	if (text)
		buf_printf(out, "%s %s\n", what, text);
}

static void put_descriptor(struct buf *out, const char *what, const struct descriptor *desc)
{
	char text[PLATFORM_TEXT_SIZE];

	buf_printf(out, "%s %s %" PRId64 " %s", what, desc->digest.text, desc->size_bytes,
		   desc->media_type);
	if (desc->has_platform)
		buf_printf(out, " %s", platform_text(&desc->platform, text));
	if (descriptor_is_attestation(desc))
		buf_puts(out, " attestation");
	if (descriptor_annotation(desc, ANNOTATION_REF_NAME))
		buf_printf(out, " %s", descriptor_annotation(desc, ANNOTATION_REF_NAME));
	buf_putc(out, '\n');
}

static int show_manifest(const struct buf *in, struct buf *out, struct error *err)
{
	auto_manifest struct manifest manifest = { 0 };

	if (manifest_parse(in->data, in->len, &manifest, err) < 0)
		return -1;
	put_text(out, "type", manifest.media_type);
	put_descriptor(out, "config", &manifest.config);
	for (size_t i = 0; i < manifest.nr_layers; i++)
		put_descriptor(out, "layer", &manifest.layers[i]);
	return 0;
}

static void show_choice(struct buf *out, const struct manifest_index *index, const char *text)
{
	const struct descriptor *desc;
	struct platform platform;
	struct error err;

	if (platform_parse(text, &platform, &err) == 0 &&
	    manifest_index_choose(index, &platform, &desc, &err) == 0)
		buf_printf(out, "for %s: %s\n", text, desc->digest.text);
	else
		buf_printf(out, "for %s: %s\n", text, err.text);
}

static int show_index(const struct buf *in, struct buf *out, struct error *err)
{
	auto_manifest_index struct manifest_index index = { 0 };

	if (manifest_index_parse(in->data, in->len, &index, err) < 0)
		return -1;
	put_text(out, "type", index.media_type);
	for (size_t i = 0; i < index.nr_entries; i++)
		put_descriptor(out, "entry", &index.entries[i]);
	show_choice(out, &index, "linux/amd64");
	show_choice(out, &index, "linux/arm64/v8");
	return 0;
}

static int show_docker_manifest(const struct buf *in, struct buf *out, struct error *err)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };

	if (docker_manifest_parse(in->data, in->len, &manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest.nr_images; i++) {
		const struct docker_manifest_image *image = &manifest.images[i];

		put_text(out, "config", image->config);
		put_list(out, "tag", &image->repo_tags);
		put_list(out, "layer", &image->layers);
		if (digest_is_set(&image->parent))
			put_text(out, "parent", image->parent.text);
		buf_printf(out, "sources %zu\n", json_object_size(image->layer_sources));
	}
	return 0;
}

static void show_settings(struct buf *out, const struct image_settings *settings)
{
	const char *key;
	json_t *value;

	put_text(out, "user", settings->user);
	put_text(out, "workdir", settings->working_dir);
	put_text(out, "signal", settings->stop_signal);
	put_list(out, "env", &settings->env);
	put_list(out, "entrypoint", &settings->entrypoint);
	put_list(out, "cmd", &settings->cmd);
	put_list(out, "onbuild", &settings->on_build);
	put_list(out, "shell", &settings->shell);
	json_object_foreach(settings->labels, key, value)
		buf_printf(out, "label %s=%s\n", key, json_string_value(value));
	json_object_foreach(settings->exposed_ports, key, value) put_text(out, "port", key);
	json_object_foreach(settings->volumes, key, value) put_text(out, "volume", key);
	if (settings->healthcheck)
		buf_puts(out, "healthcheck\n");
}

static int show_config(const struct buf *in, struct buf *out, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	char text[PLATFORM_TEXT_SIZE];
	struct platform platform;
	struct digest chain;

	if (image_config_parse(in->data, in->len, &config, err) < 0)
		return -1;
	image_config_platform(&config, &platform);
	buf_printf(out, "for %s\n", platform_text(&platform, text));
	if (image_config_check_os(&config, err) < 0)
		put_text(out, "but", err->text);
	if (config.has_created)
		buf_printf(out, "created %" PRId64 "\n", config.created_ns);
	put_text(out, "author", config.author);
	show_settings(out, &config.settings);
	for (size_t i = 0; i < config.nr_history; i++)
		buf_printf(out, "history %" PRId64 " %s%s%s%s\n", config.history[i].created_ns,
			   config.history[i].created_by,
			   config.history[i].empty_layer ? " (empty)" : "",
			   *config.history[i].step_key.text ? " key " : "",
			   config.history[i].step_key.text);
	for (size_t i = 1; i <= config.nr_layers; i++) {
		image_config_chain_id(&config, i, &chain);
		put_text(out, "layer", chain.text);
	}
	return 0;
}

/* A name, and on the second line a pattern that may match it. */
static int show_reference(const struct buf *in, struct buf *out, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *text = xstrdup(in->data), *canonical = NULL, *familiar = NULL, *key = NULL;
	char *pattern = strchr(text, '\n');
	int matches;

	CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
	*pattern++ = '\0';
	pattern[strcspn(pattern, "\n")] = '\0';
	if (reference_parse(text, &ref, err) < 0)
		return -1;
	canonical = reference_canonical(&ref);
	familiar = reference_familiar(&ref);
	key = reference_key(&ref);
	put_text(out, "canonical", canonical);
	put_text(out, "familiar", familiar);
	put_text(out, "key", key);
	matches = reference_match(&ref, pattern, err);
	if (matches >= 0)
		put_text(out, matches ? "like" : "unlike", pattern);
	return matches < 0 ? -1 : 0;
}

typedef int show_fn(const struct buf *in, struct buf *out, struct error *err);

static void check_case(const char *folder, show_fn *show)
{
	auto_free char *input = xasprintf("%s/input", folder);
	auto_free char *expected = xasprintf("%s/expected", folder);
	auto_buf struct buf in = { 0 }, out = { 0 }, want = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, input, 1 << 20, &in, &err));
	if (show(&in, &out, &err) < 0)
		buf_printf(&out, "error %d: %s\n", err.kind, err.text);
	if (getenv("UPDATE_SPEC"))
		CU_ASSERT_EQUAL_FATAL(
			0, io_replace_file(AT_FDCWD, expected, out.data, out.len, 0644, &err));
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, expected, 1 << 20, &want, &err));
	if (strcmp(out.data, want.data) != 0) {
		fprintf(stderr, "\n%s gives\n%s", folder, out.data);
		CU_FAIL("another result than expected");
	}
}

static void check_all(const char *parser, show_fn *show)
{
	auto_free char *folder = xasprintf(SPEC_DIR "/%s", parser);
	auto_dir DIR *dir = opendir(folder);
	struct dirent *entry;
	int nr = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		auto_free char *path = xasprintf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		check_case(path, show);
		nr++;
	}
	CU_ASSERT_TRUE(nr > 0);
}

static void test_references(void)
{
	check_all("reference", show_reference);
}

static void test_manifests(void)
{
	check_all("manifest", show_manifest);
}

static void test_indexes(void)
{
	check_all("manifest_index", show_index);
}

static void test_docker_manifests(void)
{
	check_all("docker_manifest", show_docker_manifest);
}

static void test_configs(void)
{
	check_all("image_config", show_config);
}

UNIT_SUITE(oci_spec, { "names and patterns", test_references },
	   { "manifests of other tools", test_manifests },
	   { "indexes of other tools", test_indexes },
	   { "manifest.json of other tools", test_docker_manifests },
	   { "configs of other tools", test_configs });
