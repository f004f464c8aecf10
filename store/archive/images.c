/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/images.h"

#include <stdlib.h>

#include "limits.h"
#include "oci/config.h"

void archive_images_done(struct archive_images *images)
{
	for (size_t i = 0; i < images->nr; i++) {
		struct archive_image *image = &images->items[i];

		for (size_t n = 0; n < image->nr_layers; n++)
			free(image->layers[n].member);
		free(image->layers);
		strlist_done(&image->names);
		buf_done(&image->config);
		buf_done(&image->manifest);
	}
	free(images->items);
	*images = (struct archive_images){ 0 };
}

struct archive_image *archive_images_add(struct archive_images *images)
{
	struct archive_image *image;

	images->items = xrealloc(images->items, (images->nr + 1) * sizeof(*images->items));
	image = &images->items[images->nr++];
	*image = (struct archive_image){ 0 };
	return image;
}

int archive_images_check_size(const struct archive_images *images, struct error *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < images->nr; i++)
		bytes += images->items[i].config.len + images->items[i].manifest.len;
	if (bytes <= LIMIT_ARCHIVE_CONFIG_BYTES)
		return 0;
	return err_set(err, ERR_LIMIT, "the documents of the images are larger than %u bytes",
		       LIMIT_ARCHIVE_CONFIG_BYTES);
}

static int check_platform(const struct archive_image *image, const struct platform *wanted,
			  struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	char is[PLATFORM_TEXT_SIZE], want[PLATFORM_TEXT_SIZE];
	struct platform platform;

	if (image_config_parse(image->config.data, image->config.len, &config, err) < 0)
		return -1;
	platform_set(&platform, config.os, config.architecture, config.variant);
	if (platform_rank(wanted, &platform) >= 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "image %s is for %s, not for %s",
		       image->names.nr ? image->names.items[0] : image->id.text,
		       platform_text(&platform, is), platform_text(wanted, want));
}

int archive_images_check_platform(const struct archive_images *images,
				  const struct platform *platform, struct error *err)
{
	for (size_t i = 0; i < images->nr; i++)
		if (check_platform(&images->items[i], platform, err) < 0)
			return -1;
	return 0;
}

void archive_image_add_layer(struct archive_image *image, char *member, const struct digest *blob)
{
	image->layers = xrealloc(image->layers, (image->nr_layers + 1) * sizeof(*image->layers));
	image->layers[image->nr_layers++] =
		(struct archive_layer){ .member = member, .blob = *blob };
}
