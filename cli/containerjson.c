/* SPDX-License-Identifier: Apache-2.0 */
#include "containerjson.h"

#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"
#include "run/container.h"

#define NEVER "0001-01-01T00:00:00Z" /* Go's zero time */

static const struct gotmpl_type state_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*container.State",
	.fields =
		(const struct gotmpl_field[]){
			{ "Status", &gotmpl_string },
			{ "Running", &gotmpl_bool },
			{ "Paused", &gotmpl_bool },
			{ "Restarting", &gotmpl_bool },
			{ "OOMKilled", &gotmpl_bool },
			{ "Dead", &gotmpl_bool },
			{ "Pid", &gotmpl_int },
			{ "ExitCode", &gotmpl_int },
			{ "Error", &gotmpl_string },
			{ "StartedAt", &gotmpl_string },
			{ "FinishedAt", &gotmpl_string },
			{ 0 },
		},
};

const struct gotmpl_type containerjson_type = {
	.kind = GOTMPL_STRUCT,
	.name = "container.InspectResponse",
	.fields =
		(const struct gotmpl_field[]){
			{ "ID", &gotmpl_string, "Id" },
			{ "Created", &gotmpl_string },
			{ "Path", &gotmpl_string },
			{ "Args", &gotmpl_strings },
			{ "State", &state_type },
			{ "Image", &gotmpl_string },
			{ "LogPath", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "RestartCount", &gotmpl_int },
			{ "Driver", &gotmpl_string },
			{ "Platform", &gotmpl_string },
			{ "HostConfig", &gotmpl_any },
			{ "GraphDriver", &gotmpl_any },
			{ "SizeRw", &gotmpl_any },
			{ "SizeRootFs", &gotmpl_any },
			{ "Mounts", &gotmpl_any },
			{ "Config", &gotmpl_any },
			{ 0 },
		},
};

static json_t *time_json(int64_t ns)
{
	struct timespec time = human_time_from_ns(ns);

	return json_string(ns ? human_time_rfc3339_nano(&time, 0).text : NEVER);
}

static json_t *state_json(const struct container_row *row)
{
	bool running = row->state == CONTAINER_RUNNING;
	json_t *ret = json_object();

	json_object_set_new(ret, "Status", json_string(container_state_name(row)));
	json_object_set_new(ret, "Running", json_boolean(running));
	json_object_set_new(ret, "Paused", json_false());
	json_object_set_new(ret, "Restarting", json_false());
	json_object_set_new(ret, "OOMKilled", json_false());
	json_object_set_new(ret, "Dead", json_false());
	json_object_set_new(ret, "Pid", json_integer(running ? row->process.pid : 0));
	json_object_set_new(ret, "ExitCode", json_integer(row->exit_code));
	json_object_set_new(ret, "Error", json_string(row->problem ? row->problem : ""));
	json_object_set_new(ret, "StartedAt", time_json(row->started_ns));
	json_object_set_new(ret, "FinishedAt", time_json(row->finished_ns));
	return ret;
}

/* Without what is only for us, and with where a volume is. */
static json_t *mounts_json(const json_t *document, const char *store_root)
{
	json_t *ret = json_array(), *mount;
	size_t i;

	json_array_foreach(json_object_get(document, "Mounts"), i, mount)
	{
		const char *name = json_string_value(json_object_get(mount, "Name"));
		auto_free char *source = NULL;
		json_t *shown = json_copy(mount);

		json_object_del(shown, "Anonymous");
		json_object_del(shown, "NoCopy");
		json_object_del(shown, "MakeSource");
		json_object_set_new(shown, "Propagation", json_string(""));
		if (name) {
			source = xasprintf("%s/volumes/%s/_data", store_root, name);
			json_object_set_new(shown, "Source", json_string(source));
		}
		json_array_append_new(ret, shown);
	}
	return ret;
}

static json_t *arguments_json(const json_t *document)
{
	json_t *config = json_object_get(document, "Config");
	json_t *ret = json_array();

	json_array_extend(ret, json_object_get(config, "Entrypoint"));
	json_array_extend(ret, json_object_get(config, "Cmd"));
	json_array_remove(ret, 0);
	return ret;
}

json_t *containerjson_new(const struct container_row *row, const json_t *document,
			  const struct containerjson_facts *facts)
{
	auto_free char *name = xasprintf("/%s", row->name);
	const struct imagejson_device *device = &facts->device;
	json_t *ret = json_object();

	json_object_set_new(ret, "Id", json_string(row->id));
	json_object_set_new(ret, "Created", time_json(row->created_ns));
	json_object_set(ret, "Path", json_object_get(document, "Path"));
	json_object_set_new(ret, "Args", arguments_json(document));
	json_object_set_new(ret, "State", state_json(row));
	json_object_set_new(ret, "Image", json_string(row->image.text));
	json_object_set_new(ret, "LogPath", json_string(facts->log_path));
	json_object_set_new(ret, "Name", json_string(name));
	json_object_set_new(ret, "RestartCount", json_integer(0));
	json_object_set_new(ret, "Driver", json_string("devicemapper"));
	json_object_set_new(ret, "Platform", json_string("linux"));
	json_object_set(ret, "HostConfig", json_object_get(document, "HostConfig"));
	json_object_set_new(ret, "GraphDriver",
			    json_pack("{s:s, s:{s:s, s:s, s:s}}", "Name", "devicemapper", "Data",
				      "DeviceId", device->id, "DeviceName", device->name,
				      "DeviceSize", device->size));
	if (facts->file_bytes >= 0) {
		json_object_set_new(ret, "SizeRw", json_integer(facts->file_bytes));
		json_object_set_new(ret, "SizeRootFs",
				    json_integer(facts->file_bytes + facts->image_bytes));
	}
	json_object_set_new(ret, "Mounts", mounts_json(document, facts->store_root));
	json_object_set(ret, "Config", json_object_get(document, "Config"));
	return ret;
}
