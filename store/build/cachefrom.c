/* SPDX-License-Identifier: Apache-2.0 */
#include "build/cachefrom.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

void cachefrom_done(struct cachefrom *from)
{
	for (size_t i = 0; i < from->nr; i++)
		free(from->images[i].steps);
	free(from->images);
	*from = (struct cachefrom){ 0 };
}

/* Does the history say of every layer what made it? Else entries and layers do not pair. */
static bool tells_all(const struct image_config *config)
{
	size_t layers = 0;

	for (size_t i = 0; i < config->nr_history; i++)
		layers += !config->history[i].empty_layer;
	return layers == config->nr_layers;
}

size_t cachefrom_add(struct cachefrom *from, const struct image_config *config)
{
	struct cachefrom_image image = { 0 };
	struct digest parent = { 0 };
	size_t layer = 0;

	if (!tells_all(config))
		return 0;
	image_config_platform(config, &image.platform);
	image.steps = xcalloc(config->nr_layers + 1, sizeof(*image.steps));
	for (size_t i = 0; i < config->nr_history; i++) {
		const struct image_history *entry = &config->history[i];
		struct digest chain;

		if (entry->empty_layer)
			continue;
		chain_id_next(&parent, &config->diff_ids[layer++], &chain);
		if (digest_is_set(&entry->step_key))
			image.steps[image.nr++] = (struct cachefrom_step){
				.key = entry->step_key,
				.parent = parent,
				.chain = chain,
				.has_created = entry->has_created,
				.created_ns = entry->created_ns,
			};
		parent = chain;
	}
	from->images = xrealloc(from->images, (from->nr + 1) * sizeof(*from->images));
	from->images[from->nr++] = image;
	return image.nr;
}

static bool same_platform(const struct platform *a, const struct platform *b)
{
	return strcmp(a->os, b->os) == 0 && strcmp(a->architecture, b->architecture) == 0 &&
	       strcmp(a->variant, b->variant) == 0;
}

const struct cachefrom_step *cachefrom_find(const struct cachefrom *from, const struct digest *key,
					    const struct digest *parent,
					    const struct platform *platform)
{
	for (size_t i = 0; i < from->nr; i++) {
		const struct cachefrom_image *image = &from->images[i];

		if (!same_platform(&image->platform, platform))
			continue;
		for (size_t n = 0; n < image->nr; n++)
			if (digest_equal(&image->steps[n].key, key) &&
			    digest_equal(&image->steps[n].parent, parent))
				return &image->steps[n];
	}
	return NULL;
}
