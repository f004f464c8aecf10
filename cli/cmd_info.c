/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "image/image.h"
#include "image/view.h"
#include "inside.h"
#include "inspection.h"
#include "poolview.h"
#include "run/container.h"
#include "store.h"
#include "version.h"

struct info_opts {
	const char *format;
};

#define OS_RELEASE_MAX (64 * 1024) /* bytes */

static const struct gotmpl_type swarm_type = {
	.kind = GOTMPL_STRUCT,
	.name = "swarm.Info",
	.fields =
		(const struct gotmpl_field[]){
			{ "NodeID", &gotmpl_string },
			{ "NodeAddr", &gotmpl_string },
			{ "LocalNodeState", &gotmpl_string },
			{ "ControlAvailable", &gotmpl_bool },
			{ "Error", &gotmpl_string },
			{ 0 },
		},
};

static const struct gotmpl_type client_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*system.clientInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "Debug", &gotmpl_bool },
			{ "Version", &gotmpl_string },
			{ "GitCommit", &gotmpl_string },
			{ "Context", &gotmpl_string },
			{ "Plugins", &gotmpl_any },
			{ "Warnings", &gotmpl_strings },
			{ 0 },
		},
};

/*
 * Scripts ask Docker for many things that are not here: those have the zero
 * value of their type, since an unknown field would stop the script.
 */
static const struct gotmpl_type info_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.dockerInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "ID", &gotmpl_string },
			{ "Containers", &gotmpl_int },
			{ "ContainersRunning", &gotmpl_int },
			{ "ContainersPaused", &gotmpl_int },
			{ "ContainersStopped", &gotmpl_int },
			{ "Images", &gotmpl_int },
			{ "Views", &gotmpl_int },
			{ "Driver", &gotmpl_string },
			{ "DriverStatus", &gotmpl_any },
			{ "Plugins", &gotmpl_any },
			{ "MemoryLimit", &gotmpl_bool },
			{ "SwapLimit", &gotmpl_bool },
			{ "PidsLimit", &gotmpl_bool },
			{ "Debug", &gotmpl_bool },
			{ "NFd", &gotmpl_int },
			{ "NGoroutines", &gotmpl_int },
			{ "SystemTime", &gotmpl_string },
			{ "LoggingDriver", &gotmpl_string },
			{ "CgroupDriver", &gotmpl_string },
			{ "CgroupVersion", &gotmpl_string },
			{ "NEventsListener", &gotmpl_int },
			{ "IndexServerAddress", &gotmpl_string },
			{ "RegistryConfig", &gotmpl_any },
			{ "HTTPProxy", &gotmpl_string, "HttpProxy" },
			{ "HTTPSProxy", &gotmpl_string, "HttpsProxy" },
			{ "NoProxy", &gotmpl_string },
			{ "Labels", &gotmpl_strings },
			{ "ExperimentalBuild", &gotmpl_bool },
			{ "Runtimes", &gotmpl_any },
			{ "DefaultRuntime", &gotmpl_string },
			{ "Swarm", &swarm_type },
			{ "LiveRestoreEnabled", &gotmpl_bool },
			{ "Isolation", &gotmpl_string },
			{ "InitBinary", &gotmpl_string },
			{ "SecurityOptions", &gotmpl_strings },
			{ "Warnings", &gotmpl_strings },
			{ "ServerErrors", &gotmpl_strings },
			{ "ClientInfo", &client_type },
			{ "ClientErrors", &gotmpl_strings },
			{ "Pool", &poolview_type },
			{ "Appliance", &gotmpl_bool },
			{ "KernelVersion", &gotmpl_string },
			{ "OperatingSystem", &gotmpl_string },
			{ "OSVersion", &gotmpl_string },
			{ "OSType", &gotmpl_string },
			{ "Architecture", &gotmpl_string },
			{ "NCPU", &gotmpl_int },
			{ "MemTotal", &gotmpl_int64 },
			{ "DockerRootDir", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "ServerVersion", &gotmpl_string },
			{ 0 },
		},
};

/* A value of os-release without its quotes; key is "\nNAME=". Returns new. */
static char *os_release(const char *key, const char *otherwise)
{
	auto_buf struct buf text = { 0 };
	struct error ignored;
	const char *at;

	buf_putc(&text, '\n');
	if (io_read_file(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &text, &ignored) < 0)
		return xstrdup(otherwise);
	at = strstr(text.data, key);
	if (!at)
		return xstrdup(otherwise);
	at += strlen(key);
	at += *at == '"';
	return xasprintf("%.*s", (int)strcspn(at, "\"\n"), at);
}

static json_t *status_pair(const char *key, const char *value)
{
	return json_pack("[s, s]", key, value ? value : "");
}

static struct human_text view_size(const json_t *view, const char *key)
{
	return human_size(json_integer_value(json_object_get(view, key)), HUMAN_TOTAL);
}

/* Docker's list of pairs, with the words of its old devicemapper driver. */
static json_t *driver_status(const json_t *pool)
{
	static const char *const texts[][2] = {
		{ "Pool Name", "Name" },       { "Backing Filesystem", "Filesystem" },
		{ "Data file", "DataDevice" }, { "Metadata file", "MetadataDevice" },
		{ "Health", "Health" },
	};
	static const char *const sizes[][2] = {
		{ "Pool Blocksize", "BlockSize" },
		{ "Base Device Size", "VolumeSize" },
		{ "Data Space Used", "DataUsed" },
		{ "Data Space Total", "DataTotal" },
		{ "Data Space Available", "DataFree" },
		{ "Metadata Space Used", "MetadataUsed" },
		{ "Metadata Space Total", "MetadataTotal" },
		{ "Metadata Space Available", "MetadataFree" },
	};
	json_t *list = json_array();

	for (size_t i = 0; pool && i < sizeof(texts) / sizeof(*texts); i++)
		json_array_append_new(
			list, status_pair(texts[i][0],
					  json_string_value(json_object_get(pool, texts[i][1]))));
	for (size_t i = 0; pool && i < sizeof(sizes) / sizeof(*sizes); i++)
		json_array_append_new(list,
				      status_pair(sizes[i][0], view_size(pool, sizes[i][1]).text));
	return list;
}

static void put_machine(json_t *info)
{
	auto_free char *system = os_release("\nPRETTY_NAME=", "Linux");
	auto_free char *version = os_release("\nVERSION_ID=", "");
	struct utsname name;

	if (uname(&name) < 0)
		memset(&name, 0, sizeof(name));
	json_object_set_new(info, "Appliance", json_boolean(inside_already()));
	json_object_set_new(info, "KernelVersion", json_string(name.release));
	json_object_set_new(info, "OperatingSystem", json_string(system));
	json_object_set_new(info, "OSVersion", json_string(version));
	json_object_set_new(info, "OSType", json_string("linux"));
	json_object_set_new(info, "Architecture", json_string(name.machine));
	json_object_set_new(info, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(
		info, "MemTotal",
		json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	json_object_set_new(info, "Name", json_string(name.nodename));
}

static int count_views(struct store *store, json_t *info, struct error *err)
{
	auto_view_list struct view_list views = { 0 };

	if (view_list(store, &views, err) < 0)
		return -1;
	json_object_set_new(info, "Views", json_integer((json_int_t)views.nr));
	return 0;
}

static int count_containers(struct store *store, json_t *info, struct error *err)
{
	auto_container_rows struct container_rows rows = { 0 };
	json_int_t running = 0;

	if (container_list(store, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++)
		running += rows.items[i].state == CONTAINER_RUNNING;
	json_object_set_new(info, "Containers", json_integer((json_int_t)rows.nr));
	json_object_set_new(info, "ContainersRunning", json_integer(running));
	json_object_set_new(info, "ContainersStopped", json_integer((json_int_t)rows.nr - running));
	return 0;
}

/* What a client of Docker finds beside the server's part. */
static void put_client(json_t *info, bool debug)
{
	struct timespec now = human_now();

	json_object_set_new(info, "Debug", json_boolean(debug));
	json_object_set_new(info, "SystemTime", json_string(human_time_rfc3339_nano(&now, 0).text));
	json_object_set_new(info, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
	json_object_set_new(info, "ServerVersion", json_string(VENEER_VERSION));
	json_object_set_new(info, "ClientInfo",
			    json_pack("{s:b, s:s, s:s, s:s}", "Debug", debug, "Version",
				      VENEER_VERSION, "GitCommit", VENEER_COMMIT, "Context",
				      "default"));
}

/* @ret: new */
static int read_info(struct store *store, bool debug, json_t **ret, struct error *err)
{
	json_auto_t *info = json_object();
	json_auto_t *pool = NULL;
	auto_image_list struct image_list images = { 0 };
	struct error problem = { 0 };

	if (image_list(store, &images, err) < 0 ||
	    (poolview_read(store, &pool, &problem, err) < 0 && err->kind != ERR_NOT_FOUND))
		return -1;
	if (problem.kind)
		cli_say(problem.text);
	json_object_set_new(info, "Containers", json_integer(0));
	json_object_set_new(info, "ContainersRunning", json_integer(0));
	json_object_set_new(info, "ContainersPaused", json_integer(0));
	json_object_set_new(info, "ContainersStopped", json_integer(0));
	json_object_set_new(info, "Images", json_integer((json_int_t)images.nr));
	if (count_containers(store, info, err) < 0 || count_views(store, info, err) < 0)
		return -1;
	json_object_set_new(info, "Driver", json_string("devicemapper"));
	json_object_set_new(info, "DriverStatus", driver_status(pool));
	if (pool)
		json_object_set(info, "Pool", pool);
	put_machine(info);
	json_object_set_new(info, "DockerRootDir", json_string(store->root.path));
	put_client(info, debug);
	*ret = take_ptr(info);
	return 0;
}

/* The one size that Docker shows in units of 1024. */
static void print_binary(int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double size = (double)bytes;
	size_t i = 0;

	for (; size >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		size /= 1024;
	printf("%.4g%s\n", size, units[i]);
}

static void print_info(const json_t *info)
{
	static const char *const lines[][2] = {
		{ "Kernel Version", "KernelVersion" },
		{ "Operating System", "OperatingSystem" },
		{ "OSType", "OSType" },
		{ "Architecture", "Architecture" },
		{ "Name", "Name" },
		{ "Docker Root Dir", "DockerRootDir" },
	};
	const json_t *pairs = json_object_get(info, "DriverStatus");
	const char *debug = json_is_true(json_object_get(info, "Debug")) ? "true" : "false";

	printf("Client:\n Version:    %s\n Context:    default\n Debug Mode: %s\n\nServer:\n",
	       VENEER_VERSION, debug);
	printf(" Containers: %jd\n  Running: %jd\n  Paused: 0\n  Stopped: %jd\n",
	       (intmax_t)json_integer_value(json_object_get(info, "Containers")),
	       (intmax_t)json_integer_value(json_object_get(info, "ContainersRunning")),
	       (intmax_t)json_integer_value(json_object_get(info, "ContainersStopped")));
	printf(" Images: %jd\n", (intmax_t)json_integer_value(json_object_get(info, "Images")));
	printf(" Mounted or attached: %jd\n",
	       (intmax_t)json_integer_value(json_object_get(info, "Views")));
	printf(" Server Version: %s\n Storage Driver: devicemapper\n", VENEER_VERSION);
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);

		printf("  %s: %s\n", json_string_value(json_array_get(pair, 0)),
		       json_string_value(json_array_get(pair, 1)));
	}
	printf(" Runs in: %s\n", json_is_true(json_object_get(info, "Appliance"))
					 ? "the appliance"
					 : "the host's kernel");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		printf(" %s: %s\n", lines[i][0],
		       json_string_value(json_object_get(info, lines[i][1])));
	printf(" CPUs: %jd\n", (intmax_t)json_integer_value(json_object_get(info, "NCPU")));
	printf(" Total Memory: ");
	print_binary(json_integer_value(json_object_get(info, "MemTotal")));
	printf(" Debug Mode: %s\n", debug);
}

static int run_info(struct cli *cli, const void *values, struct error *err)
{
	const struct info_opts *opts = values;
	auto_store struct store *store = NULL;
	json_t *info;

	if (cli_open_store(cli, &store, err) < 0 ||
	    read_info(store, cli->global->debug, &info, err) < 0)
		return -1;
	if (opts->format && *opts->format)
		return inspection_one(opts->format, info, &info_type, err);
	print_info(info);
	json_decref(info);
	return 0;
}

static const struct opt info_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', info_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_info = {
	.group = "system",
	.name = "info",
	.top = "info",
	.synopsis = "[OPTIONS]",
	.summary = "Display system-wide information",
	.common = true,
	.options = info_options,
	.options_size = sizeof(struct info_opts),
	.needs = NEEDS_STORE,
	.run = run_info,
};
