/* SPDX-License-Identifier: Apache-2.0 */
#include "imagejson.h"

#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"

static const struct gotmpl_type health_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*v1.HealthcheckConfig",
	.fields =
		(const struct gotmpl_field[]){
			{ "Test", &gotmpl_strings },
			{ "Interval", &gotmpl_duration },
			{ "Timeout", &gotmpl_duration },
			{ "StartPeriod", &gotmpl_duration },
			{ "StartInterval", &gotmpl_duration },
			{ "Retries", &gotmpl_int },
			{ 0 },
		},
};

static const struct gotmpl_type empty_type = { .kind = GOTMPL_STRUCT, .name = "struct {}" };
static const struct gotmpl_type set_type = {
	.kind = GOTMPL_MAP,
	.name = "map[string]struct {}",
	.elem = &empty_type,
};

static const struct gotmpl_type config_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*v1.DockerOCIImageConfig",
	.fields =
		(const struct gotmpl_field[]){
			{ "User", &gotmpl_string },
			{ "ExposedPorts", &set_type },
			{ "Env", &gotmpl_strings },
			{ "Entrypoint", &gotmpl_strings },
			{ "Cmd", &gotmpl_strings },
			{ "Volumes", &set_type },
			{ "WorkingDir", &gotmpl_string },
			{ "Labels", &gotmpl_string_map },
			{ "StopSignal", &gotmpl_string },
			{ "ArgsEscaped", &gotmpl_bool },
			{ "Healthcheck", &health_type },
			{ "OnBuild", &gotmpl_strings },
			{ "Shell", &gotmpl_strings },
			{ 0 },
		},
};

static const struct gotmpl_type driver_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*storage.DriverData",
	.fields =
		(const struct gotmpl_field[]){
			{ "Data", &gotmpl_string_map },
			{ "Name", &gotmpl_string },
			{ 0 },
		},
};

static const struct gotmpl_type rootfs_type = {
	.kind = GOTMPL_STRUCT,
	.name = "image.RootFS",
	.fields =
		(const struct gotmpl_field[]){
			{ "Type", &gotmpl_string },
			{ "Layers", &gotmpl_strings },
			{ 0 },
		},
};

/* "2006-01-02T15:04:05.9Z" in JSON, "2006-01-02 15:04:05.9 +0000 UTC" in a text. */
static char *time_text(const json_t *time)
{
	const char *text = json_string_value(time);
	size_t date = strcspn(text, "T"), end = strcspn(text, "Z");

	if (date >= end)
		return xstrdup(text);
	return xasprintf("%.*s %.*s +0000 UTC", (int)date, text, (int)(end - date - 1),
			 text + date + 1);
}

static const struct gotmpl_type time_type = {
	.kind = GOTMPL_STRING,
	.name = "time.Time",
	.text = time_text,
};

static const struct gotmpl_type metadata_type = {
	.kind = GOTMPL_STRUCT,
	.name = "image.Metadata",
	.fields =
		(const struct gotmpl_field[]){
			{ "LastTagTime", &time_type },
			{ 0 },
		},
};

const struct gotmpl_type imagejson_type = {
	.kind = GOTMPL_STRUCT,
	.name = "image.InspectResponse",
	.fields =
		(const struct gotmpl_field[]){
			{ "ID", &gotmpl_string, "Id" },
			{ "RepoTags", &gotmpl_strings },
			{ "RepoDigests", &gotmpl_strings },
			{ "Parent", &gotmpl_string },
			{ "Comment", &gotmpl_string },
			{ "Created", &gotmpl_string },
			{ "DockerVersion", &gotmpl_string },
			{ "Author", &gotmpl_string },
			{ "Config", &config_type },
			{ "Architecture", &gotmpl_string },
			{ "Variant", &gotmpl_string },
			{ "Os", &gotmpl_string },
			{ "OsVersion", &gotmpl_string },
			{ "Size", &gotmpl_int64 },
			{ "GraphDriver", &driver_type },
			{ "RootFS", &rootfs_type },
			{ "Metadata", &metadata_type },
			{ 0 },
		},
};

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

static void put_list(json_t *object, const char *key, const struct strlist *list)
{
	json_t *array;

	if (list->nr == 0)
		return;
	array = json_array();
	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_string(list->items[i]));
	json_object_set_new(object, key, array);
}

/* Go prints maps sorted by key. Nothing when source is empty. */
static void put_map(json_t *object, const char *key, json_t *source)
{
	size_t nr;
	auto_free const char **keys = NULL;
	json_t *map;

	if (!json_is_object(source) || json_object_size(source) == 0)
		return;
	keys = govalue_sorted_keys(source, &nr);
	map = json_object();
	for (size_t i = 0; i < nr; i++) {
		json_t *value = json_object_get(source, keys[i]);

		/* a label's null is Go's empty string */
		json_object_set_new(map, keys[i],
				    json_is_null(value) ? json_string("") : json_incref(value));
	}
	json_object_set_new(object, key, map);
}

static json_t *config_json(const struct image_settings *settings)
{
	json_t *config = json_object();

	put_text(config, "User", settings->user);
	put_map(config, "ExposedPorts", settings->exposed_ports);
	put_list(config, "Env", &settings->env);
	put_list(config, "Entrypoint", &settings->entrypoint);
	put_list(config, "Cmd", &settings->cmd);
	put_map(config, "Volumes", settings->volumes);
	put_text(config, "WorkingDir", settings->working_dir);
	put_map(config, "Labels", settings->labels);
	put_text(config, "StopSignal", settings->stop_signal);
	if (settings->args_escaped)
		json_object_set_new(config, "ArgsEscaped", json_true());
	if (settings->healthcheck)
		json_object_set(config, "Healthcheck", settings->healthcheck);
	put_list(config, "OnBuild", &settings->on_build);
	put_list(config, "Shell", &settings->shell);
	return config;
}

static json_t *refs_json(const struct image *image, bool tags)
{
	json_t *array = json_array();

	for (size_t i = 0; i < image->nr_refs; i++) {
		auto_free char *text = NULL;

		if ((image->refs[i].tag != NULL) != tags)
			continue;
		text = image_ref_text(&image->refs[i]);
		json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *layers_json(const struct image_config *config)
{
	json_t *array = json_array();

	for (size_t i = 0; i < config->nr_layers; i++)
		json_array_append_new(array, json_string(config->diff_ids[i].text));
	return array;
}

/* In the zone in which it was written. */
static void put_created(json_t *object, const struct image_config *config)
{
	struct timespec created;
	struct error ignored;
	int zone_secs = 0;

	if (!config->has_created || !config->created ||
	    human_time_parse(config->created, &created, &zone_secs, &ignored) < 0)
		return;
	put_text(object, "Created", human_time_rfc3339_nano(&created, zone_secs).text);
}

static json_t *metadata_json(const struct image *image)
{
	struct timespec tagged = human_time_from_ns(image->tagged_ns);

	return json_pack("{s:s}", "LastTagTime",
			 image->tagged_ns ? human_time_rfc3339_nano(&tagged, 0).text
					  : "0001-01-01T00:00:00Z");
}

/* The last entry of the history stands in for a missing comment. */
static const char *comment_of(const struct image_config *config)
{
	if (config->comment && *config->comment)
		return config->comment;
	return config->nr_history ? config->history[config->nr_history - 1].comment : NULL;
}

json_t *imagejson_new(const struct image *image, const struct image_config *config,
		      const struct imagejson_device *device)
{
	json_t *ret = json_object();

	json_object_set_new(ret, "Id", json_string(image->id.text));
	json_object_set_new(ret, "RepoTags", refs_json(image, true));
	json_object_set_new(ret, "RepoDigests", refs_json(image, false));
	put_text(ret, "Parent", image->parent.text);
	put_text(ret, "Comment", comment_of(config));
	put_created(ret, config);
	put_text(ret, "DockerVersion", config->docker_version);
	put_text(ret, "Author", config->author);
	json_object_set_new(ret, "Config", config_json(&config->settings));
	json_object_set_new(ret, "Architecture", json_string(config->architecture));
	put_text(ret, "Variant", config->variant);
	json_object_set_new(ret, "Os", json_string(config->os));
	put_text(ret, "OsVersion", config->os_version);
	json_object_set_new(ret, "Size", json_integer(image->size_bytes));
	json_object_set_new(ret, "GraphDriver",
			    json_pack("{s:{s:s, s:s, s:s}, s:s}", "Data", "DeviceId", device->id,
				      "DeviceName", device->name, "DeviceSize", device->size,
				      "Name", "devicemapper"));
	json_object_set_new(
		ret, "RootFS",
		json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers_json(config)));
	json_object_set_new(ret, "Metadata", metadata_json(image));
	return ret;
}
