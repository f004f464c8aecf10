/* SPDX-License-Identifier: Apache-2.0 */
#include "containertext.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"
#include "image/image.h"
#include "oci/gotext.h"
#include "oci/reference.h"
#include "run/container.h"

#define COMMAND_WIDTH 20
#define MOUNT_WIDTH   15

/* `.Label "key"` */
static json_t *call_label(const json_t *object, const char *method, const char *arg)
{
	const char *labels = json_string_value(json_object_get(object, "Labels"));
	size_t len = strlen(arg);

	(void)method;
	while (labels && *labels) {
		size_t word = strcspn(labels, ",");

		if (strncmp(labels, arg, len) == 0 && labels[len] == '=')
			return json_stringn(labels + len + 1, word - len - 1);
		labels += word + (labels[word] == ',');
	}
	return json_string("");
}

static const char *const methods[] = { "Label", NULL };

const struct gotmpl_type container_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.ContainerContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Command", &gotmpl_string },
			{ "CreatedAt", &gotmpl_string },
			{ "ID", &gotmpl_string },
			{ "Image", &gotmpl_string },
			{ "Labels", &gotmpl_string },
			{ "LocalVolumes", &gotmpl_string },
			{ "Mounts", &gotmpl_string },
			{ "Names", &gotmpl_string },
			{ "Networks", &gotmpl_string },
			{ "Platform", &gotmpl_string },
			{ "Ports", &gotmpl_string },
			{ "RunningFor", &gotmpl_string },
			{ "Size", &gotmpl_string },
			{ "State", &gotmpl_string },
			{ "Status", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
	.methods = methods,
	.call = call_label,
};

const struct listing_header container_headers[] = {
	{ "Command", "COMMAND" },   { "CreatedAt", "CREATED AT" },
	{ "ID", "CONTAINER ID" },   { "Image", "IMAGE" },
	{ "Labels", "LABELS" },	    { "LocalVolumes", "LOCAL VOLUMES" },
	{ "Mounts", "MOUNTS" },	    { "Names", "NAMES" },
	{ "Networks", "NETWORKS" }, { "Platform", "PLATFORM" },
	{ "Ports", "PORTS" },	    { "RunningFor", "CREATED" },
	{ "Size", "SIZE" },	    { "State", "STATE" },
	{ "Status", "STATUS" },	    { 0 },
};

char *container_command_text(const json_t *document, bool no_trunc)
{
	auto_buf struct buf shown = { 0 };
	auto_strlist struct strlist argv = { 0 };
	auto_buf struct buf text = { 0 };
	auto_free char *cut = NULL;
	json_t *config = json_object_get(document, "Config");

	document_list(json_object_get(config, "Entrypoint"), &argv);
	document_list(json_object_get(config, "Cmd"), &argv);
	for (size_t i = 0; i < argv.nr; i++) {
		bool blank = i > 0 && strchr(argv.items[i], ' ');

		buf_printf(&text, "%s%s%s%s", i ? " " : "", blank ? "'" : "", argv.items[i],
			   blank ? "'" : "");
	}
	if (!text.len)
		return xstrdup("\"\"");
	if (!no_trunc)
		cut = human_ellipsis(text.data, COMMAND_WIDTH);
	gotext_quote(cut ? cut : text.data, &shown);
	return buf_take(&shown);
}

char *container_status_text(const struct container_row *row, const struct timespec *now)
{
	struct timespec started = human_time_from_ns(row->started_ns);
	struct timespec finished = human_time_from_ns(row->finished_ns);

	switch (row->state) {
	case CONTAINER_RUNNING:
		return xasprintf("Up %s", human_duration(&started, now).text);
	case CONTAINER_EXITED:
		return xasprintf("Exited (%" PRId64 ") %s", row->exit_code,
				 human_since(&finished, now).text);
	default:
		return xstrdup("Created");
	}
}

static char *labels_text(const json_t *document)
{
	json_t *labels = json_object_get(json_object_get(document, "Config"), "Labels");
	auto_buf struct buf text = { 0 };
	auto_free const char **keys = NULL;
	size_t nr = 0;

	if (json_is_object(labels))
		keys = govalue_sorted_keys(labels, &nr);
	for (size_t i = 0; i < nr; i++) {
		const char *value = json_string_value(json_object_get(labels, keys[i]));

		buf_printf(&text, "%s%s=%s", i ? "," : "", keys[i], value ? value : "");
	}
	return buf_take(&text);
}

static char *mounts_text(const json_t *document, bool no_trunc, size_t *ret_volumes)
{
	auto_buf struct buf text = { 0 };
	json_t *mount;
	size_t i;

	*ret_volumes = 0;
	json_array_foreach(json_object_get(document, "Mounts"), i, mount)
	{
		const char *name = json_string_value(json_object_get(mount, "Name"));
		const char *source = json_string_value(json_object_get(mount, "Source"));
		auto_free char *cut = NULL;

		*ret_volumes += name != NULL;
		if (!name)
			name = source;
		if (!name)
			continue;
		if (!no_trunc)
			cut = human_ellipsis(name, MOUNT_WIDTH);
		buf_printf(&text, "%s%s", text.len ? "," : "", cut ? cut : name);
	}
	return buf_take(&text);
}

static char *size_text(const struct container_view *view)
{
	if (view->file_bytes < 0)
		return xstrdup("0B");
	return xasprintf("%s (virtual %s)", human_size(view->file_bytes, HUMAN_LIST).text,
			 human_size(view->file_bytes + view->image_bytes, HUMAN_LIST).text);
}

static void put(json_t *row, const char *key, const char *text)
{
	json_object_set_new(row, key, json_string(text));
}

json_t *container_row_json(const struct container_view *view, const struct timespec *now)
{
	const struct container_row *row = view->row;
	struct timespec created = human_time_from_ns(row->created_ns);
	size_t nr_volumes;
	auto_free char *command = container_command_text(view->document, view->no_trunc);
	auto_free char *status = container_status_text(row, now);
	auto_free char *labels = labels_text(view->document);
	auto_free char *mounts = mounts_text(view->document, view->no_trunc, &nr_volumes);
	auto_free char *size = size_text(view);
	auto_free char *volumes = xasprintf("%zu", nr_volumes);
	json_t *ret = json_object();

	put(ret, "Command", command);
	put(ret, "CreatedAt", human_time_local(&created).text);
	put(ret, "ID", view->no_trunc ? row->id : human_short_id(row->id).text);
	put(ret, "Image", view->image);
	put(ret, "Labels", labels);
	put(ret, "LocalVolumes", volumes);
	put(ret, "Mounts", mounts);
	put(ret, "Names", row->name);
	put(ret, "Networks", document_text(view->document, "HostConfig", "NetworkMode"));
	put(ret, "Platform", view->platform);
	put(ret, "Ports", "");
	put(ret, "RunningFor", human_since(&created, now).text);
	put(ret, "Size", size);
	put(ret, "State", container_state_name(row));
	put(ret, "Status", status);
	return ret;
}

static char *shown_name(const char *name, bool no_trunc)
{
	auto_reference struct reference ref = { 0 };
	struct error err;

	if (no_trunc || reference_parse(name, &ref, &err) < 0 || !digest_is_set(&ref.digest))
		return xstrdup(name);
	ref.digest = (struct digest){ 0 };
	return reference_familiar(&ref);
}

int container_image_text(struct store *store, const struct container_row *row, bool no_trunc,
			 char **ret, int64_t *ret_bytes, char **ret_platform, struct error *err)
{
	auto_image struct image image = { 0 };
	auto_image struct image named = { 0 };
	bool known = image_find(store, row->image.text, &image, NULL, err) == 0;
	bool same;

	if (!known && err->kind != ERR_NOT_FOUND)
		return -1;
	*ret_bytes = known ? image.size_bytes : 0;
	*ret_platform = known ? xasprintf("%s/%s", image.os, image.architecture) : xstrdup("");
	same = image_find(store, row->image_name, &named, NULL, err) == 0 &&
	       digest_equal(&named.id, &row->image);
	if (same && !reference_is_id(row->image_name, NULL))
		*ret = shown_name(row->image_name, no_trunc);
	else
		*ret = xstrdup(no_trunc ? row->image.text : human_short_id(row->image.text).text);
	return 0;
}
