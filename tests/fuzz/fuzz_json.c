/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json - every document parser on the same input
 *
 * Seeds: tests/spec/manifest, manifest_index, docker_manifest and image_config.
 *
 * Beyond "no crash": what our writers make of a document is read again, and
 * written again it is the same.
 */
#include <string.h>

#include "base/jsonfield.h"
#include "fuzz.h"
#include "oci/config.h"
#include "oci/docker_manifest.h"
#include "oci/manifest.h"
#include "registry/refusal.h"
#include "registry/search.h"
#include "registry/transport.h"

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void check_manifest(const void *data, size_t len)
{
	auto_manifest struct manifest first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	enum manifest_kind kind;
	struct error err;

	if (manifest_parse(data, len, &first, &err) < 0)
		return;
	must(manifest_kind(data, len, "", &kind, &err) == 0 && kind == MANIFEST_IMAGE,
	     "an image manifest is one");
	manifest_write(&first, &text);
	must(manifest_parse(text.data, text.len, &second, &err) == 0, "our manifest is read");
	manifest_write(&second, &again);
	must(same(&text, &again), "our manifest is stable");
}

static void check_choice(const struct manifest_index *index)
{
	const struct descriptor *desc;
	struct platform host;
	struct error err;

	platform_host(&host);
	if (manifest_index_choose(index, &host, &desc, &err) == 0)
		must(desc >= index->entries && desc < index->entries + index->nr_entries,
		     "the choice is an entry");
}

static void check_index(const void *data, size_t len)
{
	auto_manifest_index struct manifest_index first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct error err;

	if (manifest_index_parse(data, len, &first, &err) < 0)
		return;
	check_choice(&first);
	manifest_index_write(&first, &text);
	must(manifest_index_parse(text.data, text.len, &second, &err) == 0, "our index is read");
	manifest_index_write(&second, &again);
	must(same(&text, &again), "our index is stable");
}

static void check_docker_manifest(const void *data, size_t len)
{
	auto_docker_manifest struct docker_manifest first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct error err;

	if (docker_manifest_parse(data, len, &first, &err) < 0)
		return;
	for (size_t i = 0; i < first.nr_images; i++) {
		auto_descriptor struct descriptor desc = { 0 };
		struct digest diff_id;

		digest_of("", 0, &diff_id);
		docker_manifest_source(&first.images[i], &diff_id, &desc);
	}
	docker_manifest_write(&first, &text);
	must(docker_manifest_parse(text.data, text.len, &second, &err) == 0, "ours is read");
	docker_manifest_write(&second, &again);
	must(same(&text, &again), "ours is stable");
}

static void check_config(const void *data, size_t len)
{
	auto_image_config struct image_config first = { 0 }, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct platform platform;
	struct digest chain;
	struct error err;

	if (image_config_parse(data, len, &first, &err) < 0)
		return;
	must(first.os && first.architecture, "os and architecture are never NULL");
	image_config_platform(&first, &platform);
	image_config_label(&first, "a");
	image_config_chain_id(&first, first.nr_layers, &chain);
	must(digest_is_set(&chain) == (first.nr_layers > 0), "layers have a chain id");
	must(!image_config_layer_history(&first, first.nr_layers), "no history beyond the layers");
	image_config_write(&first, &text);
	must(image_config_parse(text.data, text.len, &second, &err) == 0, "our config is read");
	image_config_write(&second, &again);
	must(same(&text, &again), "our config is stable");
}

/* What a registry answers in the place of a document, and what we know of it. */
static void check_registry(const void *data, size_t len)
{
	const struct http_head head = { .status = 403 };
	struct registry_table table = { 0 };
	struct search_results results;
	json_auto_t *json = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
	auto_buf struct buf body = { 0 };
	struct error err = { 0 };

	buf_append(&body, data, len);
	refusal_read(&head, &body, &err);
	must(*err.text, "a refusal has a text");
	if (json)
		registry_table_read(json, &table, &err);
	registry_table_done(&table);
	search_parse(data, len, &results, &err);
	for (size_t i = 0; i < results.nr; i++)
		for (const char *at = results.items[i].description; *at; at++)
			must((unsigned char)*at >= 0x20 && *at != 0x7f,
			     "a description is one line");
	search_results_done(&results);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_registry(data, len);
	check_manifest(data, len);
	check_index(data, len);
	check_docker_manifest(data, len);
	check_config(data, len);
	return 0;
}
