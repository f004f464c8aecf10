/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "archive/load.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "oci/platform.h"
#include "store.h"
#include "ttyprogress.h"
#include "writeropt.h"

struct load_opts {
	const char *input;
	const char *platform;
	const char *writer;
	bool quiet;
};

static bool from_file(const struct load_opts *opts)
{
	return opts->input && *opts->input;
}

/* The store's report, printed below the progress. */
struct load_printer {
	struct load_report report;
	struct ttyprogress *tty;
};

static struct load_printer *printer_of(struct load_report *report)
{
	return (struct load_printer *)report; /* its first member */
}

static void on_tagged(struct load_report *self, const char *familiar_name)
{
	ttyprogress_settle(printer_of(self)->tty);
	printf("Loaded image: %s\n", familiar_name);
	cli_flush();
}

static void on_untagged(struct load_report *self, const struct digest *id)
{
	ttyprogress_settle(printer_of(self)->tty);
	printf("Loaded image ID: %s\n", id->text);
	cli_flush();
}

static void on_moved(struct load_report *self, const char *familiar_name,
		     const struct digest *old_id)
{
	ttyprogress_settle(printer_of(self)->tty);
	printf("The image %s already exists, renaming the old one with ID %s to empty string\n",
	       familiar_name, old_id->text);
	cli_flush();
}

static int run_load(struct cli *cli, const void *values, struct error *err)
{
	const struct load_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_ttyprogress struct ttyprogress tty = { 0 };
	struct load_printer printer = {
		.report = { .tagged = on_tagged, .untagged = on_untagged, .moved = on_moved },
		.tty = &tty,
	};
	struct load_args args = {
		.path = from_file(opts) ? opts->input : NULL,
		.fd = STDIN_FILENO,
		.platform = opts->platform,
		.report = &printer.report,
	};

	if (!opts->quiet)
		ttyprogress_open(&tty, stdout);
	args.progress = ttyprogress_sink(&tty);
	if (cli_open_store(cli, &store, err) < 0 || writeropt_use(opts->writer, store, err) < 0)
		return -1;
	return archive_load(store, &args, err);
}

static int check_load(const struct cli *cli, const void *values, struct error *err)
{
	const struct load_opts *opts = values;
	struct platform platform;

	(void)cli;
	if (writeropt_check(opts->writer, err) < 0 ||
	    platform_parse(opts->platform, &platform, err) < 0)
		return -1;
	if (!from_file(opts) && isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "requested load from stdin, but stdin is empty");
	return 0;
}

static bool load_reads_stdin(const struct cli *cli, const void *values)
{
	const struct load_opts *opts = values;

	(void)cli;
	return !from_file(opts);
}

static const char *load_input_file(const struct cli *cli, const void *values)
{
	const struct load_opts *opts = values;

	(void)cli;
	return from_file(opts) ? opts->input : NULL;
}

static const struct opt load_options[] = {
	OPT_VALUE(OPT_PATH, "input", 'i', load_opts, input, "string",
		  "Read from an archive or the folder of an OCI layout,\ninstead of STDIN"),
	OPT_VALUE(OPT_STRING, "platform", 0, load_opts, platform, "string",
		  "Load this platform of images that have several, and\n"
		  "nothing made for another, as os[/arch[/variant]]"),
	WRITEROPT_ROW(load_opts),
	OPT_FLAG("quiet", 'q', load_opts, quiet, "Suppress the load output"),
	{ 0 },
};

const struct command cmd_load = {
	.group = "image",
	.name = "load",
	.top = "load",
	.synopsis = "[OPTIONS]",
	.summary = "Load an image from an archive or STDIN",
	.options = load_options,
	.options_size = sizeof(struct load_opts),
	.needs = NEEDS_POOL,
	.check = check_load,
	.reads_stdin = load_reads_stdin,
	.input_file = load_input_file,
	.run = run_load,
};
