/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/images.h"

#include <stdlib.h>

#include "limits.h"

void archive_images_done(struct archive_images *images)
{
	for (size_t i = 0; i < images->nr; i++) {
		struct archive_image *image = &images->items[i];

		for (size_t n = 0; n < image->nr_layers; n++)
			free(image->layers[n].member);
		free(image->layers);
		strlist_done(&image->names);
		buf_done(&image->config);
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
		bytes += images->items[i].config.len;
	if (bytes <= LIMIT_ARCHIVE_CONFIG_BYTES)
		return 0;
	return err_set(err, ERR_LIMIT, "the configs of the images are larger than %u bytes",
		       LIMIT_ARCHIVE_CONFIG_BYTES);
}

void archive_image_add_layer(struct archive_image *image, char *member, const struct digest *blob)
{
	image->layers = xrealloc(image->layers, (image->nr_layers + 1) * sizeof(*image->layers));
	image->layers[image->nr_layers++] =
		(struct archive_layer){ .member = member, .blob = *blob };
}
