/* SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"

#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"

/* Behind "key=" when filter has that key, else NULL. */
static const char *value_of(const char *filter, const char *key)
{
	size_t len = strlen(key);

	return strncmp(filter, key, len) == 0 && filter[len] == '=' ? filter + len + 1 : NULL;
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static int bad_dangling(const struct strlist *filters, struct error *err)
{
	auto_buf struct buf values = { 0 };

	for (size_t i = 0; i < filters->nr; i++) {
		const char *value = value_of(filters->items[i], "dangling");

		if (value)
			buf_printf(&values, "%s%s", values.len ? " " : "", value);
	}
	return err_set(err, ERR_USAGE, "invalid filter 'dangling=[%s]'", values.data);
}

static int set_dangling(const struct strlist *filters, struct image_filter *ret, struct error *err)
{
	for (size_t i = 0; i < filters->nr; i++) {
		const char *value = value_of(filters->items[i], "dangling");
		int wanted;

		if (!value)
			continue;
		if (!is_one_of(value, "1", "true") && !is_one_of(value, "0", "false"))
			return bad_dangling(filters, err);
		wanted = is_one_of(value, "1", "true");
		if (ret->dangling >= 0 && ret->dangling != wanted)
			return bad_dangling(filters, err);
		ret->dangling = wanted;
	}
	return 0;
}

static int set_until(const char *value, struct image_filter *ret, struct error *err)
{
	struct timespec now = human_now();
	struct timespec until;
	int64_t ns;

	if (human_until_parse(value, &now, &until, err) < 0)
		return -1;
	ns = human_time_to_ns(&until);
	if (!ret->has_until || ns < ret->until_ns)
		ret->until_ns = ns;
	ret->has_until = true;
	return 0;
}

/* before and since name an image and mean its creation time. */
static int set_neighbour(struct store *store, bool before, const char *value,
			 struct image_filter *ret, struct error *err)
{
	auto_image struct image image = { 0 };
	int64_t created_ns;

	if (image_find(store, value, &image, NULL, err) < 0)
		return -1;
	created_ns = image_created_ns(&image);
	if (before) {
		if (!ret->has_before || created_ns < ret->before_ns)
			ret->before_ns = created_ns;
		ret->has_before = true;
	} else {
		if (!ret->has_since || created_ns > ret->since_ns)
			ret->since_ns = created_ns;
		ret->has_since = true;
	}
	return 0;
}

/* Returns 1 when the key is known to lists and prunes alike, 0 when not, -1. */
static int set_common(const char *filter, struct image_filter *ret, struct error *err)
{
	const char *value;

	if (value_of(filter, "dangling"))
		return 1; /* all of them together, in set_dangling() */
	if ((value = value_of(filter, "label")) != NULL)
		strlist_add(&ret->labels, value);
	else if ((value = value_of(filter, "label!")) != NULL)
		strlist_add(&ret->not_labels, value);
	else if ((value = value_of(filter, "until")) != NULL)
		return set_until(value, ret, err) < 0 ? -1 : 1;
	else
		return 0;
	return 1;
}

static int bad_key(const char *filter, struct error *err)
{
	return err_set(err, ERR_USAGE, "invalid filter '%.*s'", (int)strcspn(filter, "="), filter);
}

/* "label!=x" is the key "label!"; its '=' is the first one. */
int filters_for_list(struct store *store, const struct strlist *filters, struct image_filter *ret,
		     struct error *err)
{
	*ret = IMAGE_FILTER_NONE;
	for (size_t i = 0; i < filters->nr; i++) {
		const char *filter = filters->items[i], *value;
		int known = set_common(filter, ret, err);

		if (known < 0)
			return -1;
		if (known)
			continue;
		if ((value = value_of(filter, "reference")) != NULL)
			strlist_add(&ret->references, value);
		else if ((value = value_of(filter, "before")) != NULL ||
			 (value = value_of(filter, "since")) != NULL) {
			if (set_neighbour(store, *filter == 'b', value, ret, err) < 0)
				return -1;
		} else
			return bad_key(filter, err);
	}
	return set_dangling(filters, ret, err);
}

int filters_for_prune(const struct strlist *filters, struct image_filter *ret, struct error *err)
{
	*ret = IMAGE_FILTER_NONE;
	for (size_t i = 0; i < filters->nr; i++) {
		int known = set_common(filters->items[i], ret, err);

		if (known < 0)
			return -1;
		if (!known)
			return bad_key(filters->items[i], err);
	}
	return set_dangling(filters, ret, err);
}

int filters_for_cache(const struct strlist *filters, int64_t *ret_until_ns, struct error *err)
{
	auto_image_filter struct image_filter times = IMAGE_FILTER_NONE;

	for (size_t i = 0; i < filters->nr; i++) {
		const char *value = value_of(filters->items[i], "until");

		if (!value)
			value = value_of(filters->items[i], "unused-for");
		if (!value)
			return bad_key(filters->items[i], err);
		if (set_until(value, &times, err) < 0)
			return -1;
	}
	*ret_until_ns = times.has_until ? times.until_ns : INT64_MAX;
	return 0;
}
