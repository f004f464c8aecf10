/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "appliance/launch.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "inside.h"
#include "inspection.h"

static bool always_reads_stdin(const struct cli *cli, const void *values)
{
	(void)cli;
	(void)values;
	return true;
}

static int run_program(struct cli *cli, char *const *argv, struct error *err)
{
	const struct settings *settings = cli->settings;
	struct appliance_request request = {
		.root = settings->root,
		.argv = argv,
		.exec = true,
		.reads_stdin = true,
		.disks = settings->appliance_disks.items,
		.kernel = settings->appliance_kernel,
		.modules = settings->appliance_modules,
		.memory_bytes = settings->appliance_memory_bytes,
	};

	if (inside_already())
		return err_set(err, ERR_USAGE, "this is the appliance already");
	return appliance_run(&request, err);
}

static int run_exec(struct cli *cli, const void *values, struct error *err)
{
	(void)values;
	return run_program(cli, (char *const *)cli->words, err);
}

const struct command cmd_appliance_exec = {
	.group = "appliance",
	.name = "exec",
	.synopsis = "COMMAND [ARG...]",
	.summary = "Run a program inside the appliance",
	.min_words = 1,
	.max_words = -1,
	.stop_at_word = true,
	.needs = NEEDS_SETTINGS,
	.reads_stdin = always_reads_stdin,
	.run = run_exec,
};

static int run_shell(struct cli *cli, const void *values, struct error *err)
{
	auto_free char *shell = xstrdup(getenv("SHELL") ? getenv("SHELL") : "/bin/sh");
	char *argv[] = { shell, NULL };

	(void)values;
	return run_program(cli, argv, err);
}

const struct command cmd_appliance_shell = {
	.group = "appliance",
	.name = "shell",
	.synopsis = "",
	.summary = "Open a shell inside the appliance",
	.needs = NEEDS_SETTINGS,
	.reads_stdin = always_reads_stdin,
	.run = run_shell,
};

struct stop_opts {
	bool force;
};

static int run_stop(struct cli *cli, const void *values, struct error *err)
{
	const struct stop_opts *opts = values;

	return appliance_stop(cli->settings->root, opts->force, err);
}

static const struct opt stop_options[] = {
	OPT_FLAG("force", 'f', stop_opts, force, "Unmount what is still mounted inside"),
	{ 0 },
};

const struct command cmd_appliance_stop = {
	.group = "appliance",
	.name = "stop",
	.synopsis = "[OPTIONS]",
	.summary = "End the appliance that a mount keeps running",
	.options = stop_options,
	.options_size = sizeof(struct stop_opts),
	.needs = NEEDS_SETTINGS,
	.run = run_stop,
};

struct appliance_status_opts {
	const char *format;
};

static const struct gotmpl_type status_type = {
	.kind = GOTMPL_STRUCT,
	.name = "appliance.Status",
	.fields =
		(const struct gotmpl_field[]){
			{ "Wanted", &gotmpl_bool },
			{ "Running", &gotmpl_bool },
			{ "Attached", &gotmpl_int64 },
			{ "DiskSize", &gotmpl_int64 },
			{ "DiskUsed", &gotmpl_int64 },
			{ 0 },
		},
};

static json_t *status_json(const struct appliance_status *status, bool wanted)
{
	return json_pack("{s:b, s:b, s:I, s:I, s:I}", "Wanted", wanted, "Running", status->running,
			 "Attached", (json_int_t)status->nr_attached, "DiskSize",
			 (json_int_t)status->disk_bytes, "DiskUsed",
			 (json_int_t)status->disk_used_bytes);
}

static void print_status(const struct appliance_status *status, bool wanted)
{
	printf("Commands run in:   %s\n", wanted ? "the appliance" : "the host's kernel");
	printf("Running:           %s\n", status->running ? "yes" : "no");
	printf("Volumes attached:  %" PRIu32 "\n", status->nr_attached);
	printf("Disk size:         %s\n",
	       human_size((int64_t)status->disk_bytes, HUMAN_TOTAL).text);
	printf("Disk used:         %s\n",
	       human_size((int64_t)status->disk_used_bytes, HUMAN_TOTAL).text);
}

static int run_status(struct cli *cli, const void *values, struct error *err)
{
	const struct appliance_status_opts *opts = values;
	bool wanted = inside_wanted(cli->settings);
	struct appliance_status status;

	if (appliance_status(cli->settings->root, &status, err) < 0)
		return -1;
	if (!opts->format || !*opts->format)
		print_status(&status, wanted);
	else if (inspection_one(opts->format, status_json(&status, wanted), &status_type, err) < 0)
		return -1;
	return status.running ? 0 : 1;
}

static const struct opt status_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', appliance_status_opts, format, "string",
		  OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_appliance_status = {
	.group = "appliance",
	.name = "status",
	.synopsis = "[OPTIONS]",
	.summary = "Show whether the appliance is used and runs",
	.details = "The exit status is 0 while it runs, else 1.",
	.options = status_options,
	.options_size = sizeof(struct appliance_status_opts),
	.needs = NEEDS_SETTINGS,
	.run = run_status,
};
