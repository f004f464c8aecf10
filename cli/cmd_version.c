/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/utsname.h>

#include "cli.h"
#include "cmd.h"
#include "inspection.h"
#include "oci/platform.h"
#include "version.h"

struct version_opts {
	const char *format;
};

static const struct gotmpl_type platform_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*system.platformInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "Name", &gotmpl_string },
			{ 0 },
		},
};

/* What does not apply, as the version of an API or of Go, stays empty. */
static const struct gotmpl_type client_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.clientVersion",
	.fields =
		(const struct gotmpl_field[]){
			{ "Platform", &platform_type },
			{ "Version", &gotmpl_string },
			{ "APIVersion", &gotmpl_string, "ApiVersion" },
			{ "DefaultAPIVersion", &gotmpl_string },
			{ "GitCommit", &gotmpl_string },
			{ "GoVersion", &gotmpl_string },
			{ "Os", &gotmpl_string },
			{ "Arch", &gotmpl_string },
			{ "BuildTime", &gotmpl_string },
			{ "Context", &gotmpl_string },
			{ 0 },
		},
};

static const struct gotmpl_type component_type = {
	.kind = GOTMPL_STRUCT,
	.name = "types.ComponentVersion",
	.fields =
		(const struct gotmpl_field[]){
			{ "Name", &gotmpl_string },
			{ "Version", &gotmpl_string },
			{ "Details", &gotmpl_string_map },
			{ 0 },
		},
};

static const struct gotmpl_type components_type = {
	.kind = GOTMPL_LIST,
	.name = "[]types.ComponentVersion",
	.elem = &component_type,
};

static const struct gotmpl_type server_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*types.Version",
	.fields =
		(const struct gotmpl_field[]){
			{ "Platform", &platform_type },
			{ "Components", &components_type },
			{ "Version", &gotmpl_string },
			{ "APIVersion", &gotmpl_string, "ApiVersion" },
			{ "MinAPIVersion", &gotmpl_string },
			{ "GitCommit", &gotmpl_string },
			{ "GoVersion", &gotmpl_string },
			{ "Os", &gotmpl_string },
			{ "Arch", &gotmpl_string },
			{ "KernelVersion", &gotmpl_string },
			{ "Experimental", &gotmpl_bool },
			{ "BuildTime", &gotmpl_string },
			{ 0 },
		},
};

/* There is no daemon: the server of a script's question is this program too. */
static const struct gotmpl_type version_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.versionInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "Client", &client_type },
			{ "Server", &server_type },
			{ 0 },
		},
};

static json_t *client_json(const struct platform *platform)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Version", VENEER_VERSION, "GitCommit",
			 VENEER_COMMIT, "Os", platform->os, "Arch", platform->architecture,
			 "Context", "default");
}

static json_t *server_json(const struct platform *platform)
{
	struct utsname name = { 0 };
	json_t *engine =
		json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}}", "Name", "Engine", "Version",
			  VENEER_VERSION, "Details", "Arch", platform->architecture, "Experimental",
			  "false", "GitCommit", VENEER_COMMIT, "Os", platform->os);

	uname(&name);
	return json_pack("{s:{s:s}, s:[o], s:s, s:s, s:s, s:s, s:s}", "Platform", "Name", "",
			 "Components", engine, "Version", VENEER_VERSION, "GitCommit",
			 VENEER_COMMIT, "Os", platform->os, "Arch", platform->architecture,
			 "KernelVersion", name.release);
}

static int run_version(struct cli *cli, const void *values, struct error *err)
{
	const struct version_opts *opts = values;
	struct platform platform;

	(void)cli;
	platform_host(&platform);
	if (opts->format && *opts->format)
		return inspection_one(opts->format,
				      json_pack("{s:o, s:o}", "Client", client_json(&platform),
						"Server", server_json(&platform)),
				      &version_type, err);
	printf("Client:\n"
	       " Version:           %s\n"
	       " Git commit:        %s\n"
	       " OS/Arch:           %s/%s\n",
	       VENEER_VERSION, VENEER_COMMIT, platform.os, platform.architecture);
	return 0;
}

static const struct opt version_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', version_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_version = {
	.name = "version",
	.synopsis = "[OPTIONS]",
	.summary = "Show the version information",
	.common = true,
	.options = version_options,
	.options_size = sizeof(struct version_opts),
	.run = run_version,
};
