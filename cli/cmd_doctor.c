/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "appliance/place.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "doctor.h"
#include "inside.h"
#include "listing.h"

struct doctor_opts {
	const char *format;
	bool quiet;
	bool store_only; /* by ourselves, inside the appliance: the rest was looked at outside */
};

static const struct listing_kind doctor_listing = {
	.type =
		&(const struct gotmpl_type){
			.kind = GOTMPL_STRUCT,
			.name = "*doctor.findingContext",
			.fields =
				(const struct gotmpl_field[]){
					{ "Finding", &gotmpl_string },
					{ "Level", &gotmpl_string },
					{ "Remedy", &gotmpl_string },
					{ "Topic", &gotmpl_string },
					{ 0 },
				},
			.is_row = true,
		},
	.headers =
		(const struct listing_header[]){
			{ "Finding", "FINDING" },
			{ "Level", "LEVEL" },
			{ "Remedy", "REMEDY" },
			{ "Topic", "TOPIC" },
			{ 0 },
		},
	.table = "{{.Level}}\t{{.Topic}}\t{{.Finding}}\t{{.Remedy}}",
};

static int print_findings(const struct doctor *doctor, struct listing *output, bool quiet,
			  struct error *err)
{
	size_t shown = 0;

	for (size_t i = 0; i < doctor->nr; i++) {
		const struct doctor_finding *finding = &doctor->items[i];

		if (quiet && finding->level == DOCTOR_OK)
			continue;
		shown++;
		auto_free char *text = cli_one_line(finding->text);
		auto_free char *remedy = cli_one_line(finding->remedy);

		if (listing_row(output,
				json_pack("{s:s, s:s, s:s, s:s}", "Finding", text, "Level",
					  doctor_level_name(finding->level), "Remedy", remedy,
					  "Topic", finding->topic),
				err) < 0)
			return -1;
	}
	if (shown)
		listing_print(output);
	cli_flush();
	return doctor_has_errors(doctor);
}

/* The same question about the store, where it is. Returns the exit status, or -1. */
static int ask_inside(struct cli *cli, const struct doctor_opts *opts, struct error *err)
{
	const struct settings *settings = cli->settings;
	auto_free char *disk = xasprintf("%s/appliance/" PLACE_DISK, settings->root);
	auto_strlist struct strlist argv = { 0 };

	if (access(disk, F_OK) < 0)
		return 0;
	strlist_add(&argv, PROGRAM);
	strlist_add(&argv, "doctor");
	strlist_add(&argv, "--store-only");
	if (opts->quiet)
		strlist_add(&argv, "--quiet");
	if (opts->format)
		strlist_take(&argv, xasprintf("--format=%s", opts->format));
	return inside_run(cli, opts, argv.items, err);
}

static int examine(struct cli *cli, const struct doctor_opts *opts, const struct error *why,
		   struct error *err)
{
	auto_doctor struct doctor doctor = { .cli = cli, .root = geteuid() == 0 };
	auto_listing struct listing *output = NULL;
	bool inside = inside_wanted(cli->settings);
	int result, deeper = 0;

	if (listing_open(&doctor_listing, opts->format, false, &output, err) < 0)
		return -1;
	doctor.here = !inside;
	doctor_look_at_machine(&doctor);
	if (!opts->store_only) {
		doctor_look_at_tools(&doctor);
		doctor_look_at_settings(&doctor, why);
	}
	if (!inside)
		doctor_look_at_store(&doctor);
	result = print_findings(&doctor, output, opts->quiet, err);
	if (result >= 0 && inside)
		deeper = ask_inside(cli, opts, err);
	return result < 0 || deeper < 0 ? -1 : result || deeper;
}

/* A configuration that cannot be read is a finding. */
static int run_doctor(struct cli *cli, const void *values, struct error *err)
{
	auto_settings struct settings settings = { 0 };
	struct error why;
	bool failed = settings_load(cli->global, &settings, &why) < 0;
	int result;

	if (failed) {
		settings_done(&settings);
		settings = (struct settings){ 0 };
		settings_defaults(&settings);
	}
	cli->settings = &settings;
	result = examine(cli, values, failed ? &why : NULL, err);
	cli->settings = NULL;
	return result;
}

static const struct opt doctor_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, doctor_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_FLAG("quiet", 'q', doctor_opts, quiet, "Leave out what is as it should be"),
	{
		.name = "store-only",
		.kind = OPT_BOOL,
		.help = "Leave out tools and configuration",
		.offset = offsetof(struct doctor_opts, store_only),
		.hidden = true,
	},
	{ 0 },
};

const struct command cmd_doctor = {
	.name = "doctor",
	.synopsis = "[OPTIONS]",
	.summary = "Look for what is not as it should be, and say the remedy",
	.details =
		"Kernel, programs, configuration, disk, pool, and devices, mounts and files that\n"
		"are left over. Nothing is changed. The exit status is 1 when there is an error.",
	.options = doctor_options,
	.options_size = sizeof(struct doctor_opts),
	.needs = NEEDS_NOTHING,
	.run = run_doctor,
};
