/* SPDX-License-Identifier: Apache-2.0 */
#include "containerfilter.h"

#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"
#include "image/image.h"
#include "run/container.h"

void container_filter_done(struct container_filter *filter)
{
	strlist_done(&filter->ids);
	strlist_done(&filter->names);
	strlist_done(&filter->labels);
	strlist_done(&filter->not_labels);
	strlist_done(&filter->states);
	strlist_done(&filter->exit_codes);
	strlist_done(&filter->volumes);
	strlist_done(&filter->ancestors);
	*filter = (struct container_filter){ 0 };
}

static int set_until(const char *value, struct container_filter *ret, struct error *err)
{
	struct timespec now = human_now(), until;

	if (human_until_parse(value, &now, &until, err) < 0)
		return -1;
	ret->until_ns = human_time_to_ns(&until);
	ret->has_until = true;
	return 0;
}

static int set_neighbour(const struct container_rows *rows, const char *value, bool before,
			 struct container_filter *ret, struct error *err)
{
	const struct container_row *row = container_pick(rows, value, err);

	if (!row)
		return -1;
	if (before && (!ret->has_before || row->created_ns < ret->before_ns))
		ret->before_ns = row->created_ns;
	if (!before && (!ret->has_since || row->created_ns > ret->since_ns))
		ret->since_ns = row->created_ns;
	*(before ? &ret->has_before : &ret->has_since) = true;
	return 0;
}

static int set_state(const char *value, struct container_filter *ret, struct error *err)
{
	static const char *const known[] = { "created", "restarting", "running", "removing",
					     "paused",	"exited",     "dead" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(value, known[i]) == 0) {
			strlist_add(&ret->states, value);
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "invalid filter 'status=%s'", value);
}

static int set_exit_code(const char *value, struct container_filter *ret, struct error *err)
{
	if (!*value || strspn(value, "0123456789") != strlen(value))
		return err_set(err, ERR_USAGE, "invalid filter 'exited=[%s]'", value);
	strlist_take(&ret->exit_codes, xasprintf("%ld", strtol(value, NULL, 10)));
	return 0;
}

/* Of an image that is not there nothing descends. */
static int set_ancestor(struct store *store, const char *value, struct container_filter *ret,
			struct error *err)
{
	auto_image struct image image = { 0 };

	if (image_find(store, value, &image, NULL, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		strlist_add(&ret->ancestors, "");
		return 0;
	}
	strlist_add(&ret->ancestors, image.id.text);
	return 0;
}

static int set_shared(const char *key, const char *value, struct container_filter *ret,
		      struct error *err)
{
	if (strcmp(key, "label") == 0)
		strlist_add(&ret->labels, value);
	else if (strcmp(key, "label!") == 0)
		strlist_add(&ret->not_labels, value);
	else if (strcmp(key, "until") == 0)
		return set_until(value, ret, err);
	else
		return err_set(err, ERR_USAGE, "invalid filter '%s'", key);
	return 0;
}

static int set_one(struct store *store, const char *key, const char *value,
		   const struct container_rows *rows, struct container_filter *ret,
		   struct error *err)
{
	if (strcmp(key, "id") == 0)
		strlist_add(&ret->ids, value);
	else if (strcmp(key, "name") == 0)
		strlist_add(&ret->names, value);
	else if (strcmp(key, "volume") == 0)
		strlist_add(&ret->volumes, value);
	else if (strcmp(key, "status") == 0)
		return set_state(value, ret, err);
	else if (strcmp(key, "exited") == 0)
		return set_exit_code(value, ret, err);
	else if (strcmp(key, "ancestor") == 0)
		return set_ancestor(store, value, ret, err);
	else if (strcmp(key, "before") == 0 || strcmp(key, "since") == 0)
		return set_neighbour(rows, value, *key == 'b', ret, err);
	else if (strcmp(key, "until") == 0)
		return err_set(err, ERR_USAGE, "invalid filter 'until'");
	else
		return set_shared(key, value, ret, err);
	return 0;
}

int container_filter_parse(struct store *store, const struct strlist *words,
			   const struct container_rows *rows, bool prune,
			   struct container_filter *ret, struct error *err)
{
	*ret = (struct container_filter){ 0 };
	for (size_t i = 0; i < words->nr; i++) {
		size_t len = strcspn(words->items[i], "=");
		auto_free char *key = xasprintf("%.*s", (int)len, words->items[i]);
		const char *value = words->items[i] + len + (words->items[i][len] == '=');

		if ((prune ? set_shared(key, value, ret, err)
			   : set_one(store, key, value, rows, ret, err)) < 0)
			return -1;
	}
	return 0;
}

bool container_filter_wants_stopped(const struct container_filter *filter)
{
	return filter->states.nr || filter->exit_codes.nr;
}

/* 1 when one of the expressions is found in text, or there are none. */
static int any_regex(const struct strlist *patterns, const char *text, struct error *err)
{
	for (size_t i = 0; i < patterns->nr; i++) {
		regex_t regex;
		int code = regcomp(&regex, patterns->items[i], REG_EXTENDED | REG_NOSUB);
		bool found;

		if (code)
			return err_set(err, ERR_USAGE,
				       "invalid filter: bad regular expression '%s'",
				       patterns->items[i]);
		found = regexec(&regex, text, 0, NULL, 0) == 0;
		regfree(&regex);
		if (found)
			return 1;
	}
	return patterns->nr == 0;
}

static bool any_text(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return list->nr == 0;
}

static bool has_label(const json_t *document, const char *wanted)
{
	json_t *labels = json_object_get(json_object_get(document, "Config"), "Labels");
	size_t len = strcspn(wanted, "=");
	auto_free char *key = xasprintf("%.*s", (int)len, wanted);
	json_t *value = json_object_get(labels, key);
	const char *text = json_string_value(value);

	return value && (!wanted[len] || strcmp(text ? text : "", wanted + len + 1) == 0);
}

static bool labels_match(const struct container_filter *filter, const json_t *document)
{
	for (size_t i = 0; i < filter->labels.nr; i++)
		if (!has_label(document, filter->labels.items[i]))
			return false;
	for (size_t i = 0; i < filter->not_labels.nr; i++)
		if (has_label(document, filter->not_labels.items[i]))
			return false;
	return true;
}

static bool volumes_match(const struct container_filter *filter, const json_t *document)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(document, "Mounts"), i, mount)
	{
		const char *name = json_string_value(json_object_get(mount, "Name"));
		const char *target = json_string_value(json_object_get(mount, "Destination"));

		if ((name && any_text(&filter->volumes, name)) ||
		    any_text(&filter->volumes, target))
			return true;
	}
	return filter->volumes.nr == 0;
}

static bool exit_matches(const struct container_filter *filter, const struct container_row *row)
{
	auto_free char *code = xasprintf("%" PRId64, row->exit_code);

	return !filter->exit_codes.nr ||
	       (row->state == CONTAINER_EXITED && any_text(&filter->exit_codes, code));
}

int container_filter_match(const struct container_filter *filter, const struct container_row *row,
			   const json_t *document, struct error *err)
{
	auto_free char *slashed = xasprintf("/%s", row->name);
	int id = any_regex(&filter->ids, row->id, err);
	int name = any_regex(&filter->names, row->name, err);

	/* Docker's own names begin with a slash, and some expressions know. */
	if (name == 0)
		name = any_regex(&filter->names, slashed, err);
	if (id < 0 || name < 0)
		return -1;
	return id && name && labels_match(filter, document) && volumes_match(filter, document) &&
	       any_text(&filter->states, container_state_name(row)) && exit_matches(filter, row) &&
	       any_text(&filter->ancestors, row->image.text) &&
	       (!filter->has_before || row->created_ns < filter->before_ns) &&
	       (!filter->has_since || row->created_ns > filter->since_ns) &&
	       (!filter->has_until || row->created_ns < filter->until_ns);
}
