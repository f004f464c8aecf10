/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "image/image.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "store.h"

void image_filter_done(struct image_filter *filter)
{
	strlist_done(&filter->labels);
	strlist_done(&filter->not_labels);
	strlist_done(&filter->references);
}

/* "key" wants the label to be there, "key=value" wants that value. */
static bool has_label(const struct image_config *config, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	auto_free char *key =
		equals ? xasprintf("%.*s", (int)(equals - wanted), wanted) : xstrdup(wanted);
	const char *value = image_config_label(config, key);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

static int match_labels(struct store *store, const struct image_filter *filter,
			const struct image *image, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	auto_buf struct buf bytes = { 0 };

	if (!filter->labels.nr && !filter->not_labels.nr)
		return 1;
	if (image_read_config(store, image, &bytes, err) < 0 ||
	    image_config_parse(bytes.data, bytes.len, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < filter->labels.nr; i++) {
		if (!has_label(&config, filter->labels.items[i]))
			return 0;
	}
	for (size_t i = 0; i < filter->not_labels.nr; i++) {
		if (has_label(&config, filter->not_labels.items[i]))
			return 0;
	}
	return 1;
}

static int match_ref(const struct image_filter *filter, const struct image_ref *ref,
		     struct error *err)
{
	auto_free char *text = image_ref_text(ref);
	auto_reference struct reference parsed = { 0 };

	if (reference_parse(text, &parsed, err) < 0)
		return -1;
	for (size_t i = 0; i < filter->references.nr; i++) {
		int got = reference_match(&parsed, filter->references.items[i], err);

		if (got)
			return got;
	}
	return 0;
}

/* Keeps the refs that match. Returns their number. */
static int match_references(const struct image_filter *filter, struct image *image,
			    struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < image->nr_refs; i++) {
		int got = match_ref(filter, &image->refs[i], err);
		struct image_ref here = image->refs[i];

		if (got < 0)
			return -1;
		if (!got)
			continue;
		image->refs[i] = image->refs[kept];
		image->refs[kept++] = here;
	}
	image_drop_refs(image, kept);
	return kept > 0;
}

static bool match_times(const struct image_filter *filter, const struct image *image)
{
	int64_t created = image_created_ns(image);

	return (!filter->has_before || created < filter->before_ns) &&
	       (!filter->has_since || created > filter->since_ns) &&
	       (!filter->has_until || created < filter->until_ns);
}

static bool is_dangling(const struct image *image)
{
	for (size_t i = 0; i < image->nr_refs; i++) {
		if (image->refs[i].tag)
			return false;
	}
	return !image->has_children;
}

int image_filter_match(struct store *store, const struct image_filter *filter, struct image *image,
		       struct error *err)
{
	int got;

	if (filter->dangling >= 0 && is_dangling(image) != (filter->dangling != 0))
		return 0;
	if (!match_times(filter, image))
		return 0;
	got = match_labels(store, filter, image, err);
	if (got > 0 && filter->references.nr)
		got = match_references(filter, image, err);
	return got;
}
