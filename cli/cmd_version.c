/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"
#include "cmd.h"
#include "inspection.h"
#include "oci/platform.h"
#include "version.h"

struct version_opts {
	const char *format;
};

static const struct gotmpl_type part_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.versionPart",
	.fields =
		(const struct gotmpl_field[]){
			{ "Version", &gotmpl_string },
			{ "GitCommit", &gotmpl_string },
			{ "Os", &gotmpl_string },
			{ "Arch", &gotmpl_string },
			{ 0 },
		},
};

/* There is no daemon: the server of a script's question is this program too. */
static const struct gotmpl_type version_type = {
	.kind = GOTMPL_STRUCT,
	.name = "system.versionInfo",
	.fields =
		(const struct gotmpl_field[]){
			{ "Client", &part_type },
			{ "Server", &part_type },
			{ 0 },
		},
};

static json_t *part_json(const struct platform *platform)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "Version", VENEER_VERSION, "GitCommit",
			 VENEER_COMMIT, "Os", platform->os, "Arch", platform->architecture);
}

static int run_version(struct cli *cli, const void *values, struct error *err)
{
	const struct version_opts *opts = values;
	struct platform platform;

	(void)cli;
	platform_host(&platform);
	if (opts->format && *opts->format)
		return inspection_one(opts->format,
				      json_pack("{s:o, s:o}", "Client", part_json(&platform),
						"Server", part_json(&platform)),
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
