/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/docker_archive.h"

#include "limits.h"
#include "oci/config.h"
#include "oci/docker_manifest.h"
#include "oci/reference.h"

static int read_names(const struct docker_manifest_image *entry, struct archive_image *image,
		      struct error *err)
{
	for (size_t i = 0; i < entry->repo_tags.nr; i++) {
		auto_reference struct reference ref = { 0 };

		if (reference_parse_tagged(entry->repo_tags.items[i], &ref, err) < 0)
			return -1;
		strlist_take(&image->names, reference_key(&ref));
	}
	return 0;
}

/* The sizes of manifest and config must agree before any layer is unpacked. */
static int check_layers(const struct docker_manifest_image *entry,
			const struct image_config *config, struct error *err)
{
	if (entry->layers.nr != config->nr_layers)
		return err_set(err, ERR_CORRUPT,
			       "invalid manifest, layers length mismatch: expected %zu, got %zu",
			       entry->layers.nr, config->nr_layers);
	return 0;
}

static int read_image(struct bundle *bundle, const struct docker_manifest_image *entry,
		      struct archive_image *image, struct error *err)
{
	static const struct digest unknown;
	auto_image_config struct image_config config = { 0 };

	if (bundle_read(bundle, entry->config, LIMIT_JSON_BYTES, &image->config, err) < 0)
		return err_add(err, "image config");
	digest_of(image->config.data, image->config.len, &image->id);
	image->parent = entry->parent;
	if (image_config_parse(image->config.data, image->config.len, &config, err) < 0 ||
	    image_config_check_os(&config, err) < 0 || check_layers(entry, &config, err) < 0 ||
	    read_names(entry, image, err) < 0)
		return -1;
	for (size_t i = 0; i < entry->layers.nr; i++)
		archive_image_add_layer(image, xstrdup(entry->layers.items[i]), &unknown);
	return 0;
}

int docker_archive_read(struct bundle *bundle, struct archive_images *ret, struct error *err)
{
	auto_docker_manifest struct docker_manifest manifest = { 0 };
	auto_buf struct buf bytes = { 0 };

	if (bundle_read(bundle, "manifest.json", LIMIT_JSON_BYTES, &bytes, err) < 0 ||
	    docker_manifest_parse(bytes.data, bytes.len, &manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest.nr_images; i++) {
		if (read_image(bundle, &manifest.images[i], archive_images_add(ret), err) < 0 ||
		    archive_images_check_size(ret, err) < 0)
			return -1;
	}
	return 0;
}
