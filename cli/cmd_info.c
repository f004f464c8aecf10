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
#include "store.h"
#include "version.h"

struct info_opts {
	const char *format;
};

#define OS_RELEASE_MAX (64 * 1024) /* bytes */

static const struct gotmpl_type info_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.dockerInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "Containers", &gotmpl_int },
			{ "ContainersRunning", &gotmpl_int },
			{ "ContainersPaused", &gotmpl_int },
			{ "ContainersStopped", &gotmpl_int },
			{ "Images", &gotmpl_int },
			{ "Views", &gotmpl_int },
			{ "Driver", &gotmpl_string },
			{ "DriverStatus", &gotmpl_any },
			{ "Pool", &poolview_type },
			{ "Appliance", &gotmpl_bool },
			{ "KernelVersion", &gotmpl_string },
			{ "OperatingSystem", &gotmpl_string },
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

/* The PRETTY_NAME of os-release, without its quotes. Returns new. */
static char *operating_system(void)
{
	static const char key[] = "\nPRETTY_NAME=";
	auto_buf struct buf text = { 0 };
	struct error ignored;
	const char *at;

	buf_putc(&text, '\n');
	if (io_read_file(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &text, &ignored) < 0)
		return xstrdup("Linux");
	at = strstr(text.data, key);
	if (!at)
		return xstrdup("Linux");
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
	auto_free char *system = operating_system();
	struct utsname name;

	if (uname(&name) < 0)
		memset(&name, 0, sizeof(name));
	json_object_set_new(info, "Appliance", json_boolean(inside_already()));
	json_object_set_new(info, "KernelVersion", json_string(name.release));
	json_object_set_new(info, "OperatingSystem", json_string(system));
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

/* @ret: new */
static int read_info(struct store *store, json_t **ret, struct error *err)
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
	if (count_views(store, info, err) < 0)
		return -1;
	json_object_set_new(info, "Driver", json_string("devicemapper"));
	json_object_set_new(info, "DriverStatus", driver_status(pool));
	if (pool)
		json_object_set(info, "Pool", pool);
	put_machine(info);
	json_object_set_new(info, "DockerRootDir", json_string(store->root.path));
	json_object_set_new(info, "ServerVersion", json_string(VENEER_VERSION));
	*ret = take_ptr(info);
	return 0;
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

	printf("Client:\n Version:    %s\n\nServer:\n", VENEER_VERSION);
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
	printf(" Total Memory: %s\n", view_size(info, "MemTotal").text);
}

static int run_info(struct cli *cli, const void *values, struct error *err)
{
	const struct info_opts *opts = values;
	auto_store struct store *store = NULL;
	json_t *info;

	if (cli_open_store(cli, &store, err) < 0 || read_info(store, &info, err) < 0)
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
