/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "image/verify.h"
#include "listing.h"
#include "store.h"
#include "ttyprogress.h"

#define SCRUB_RATE "32M"

struct verify_opts {
	bool all;
	bool add;
	const char *format;
};

struct scrub_opts {
	uint64_t rate_bytes;
};

/* Where findings go: a line each, at once, or rows of a listing at the end. */
struct printer {
	struct verify_report report;
	struct ttyprogress tty;
	struct listing *listing; /* or NULL */
	FILE *out;
	int result; /* of the rows */
	struct error err;
};

static const struct gotmpl_field damage_fields[] = {
	{ "Block", &gotmpl_string },
	{ "Images", &gotmpl_string },
	{ "Layer", &gotmpl_string },
	{ "Path", &gotmpl_string },
	{ "PoolBlock", &gotmpl_string },
	{ "Problem", &gotmpl_string },
	{ "ThinID", &gotmpl_string },
	{ "What", &gotmpl_string },
	{ 0 },
};

static const struct gotmpl_type damage_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*verify.damageContext",
	.fields = damage_fields,
	.is_row = true,
};

static const struct listing_kind damage_listing = {
	.type = &damage_type,
	.headers =
		(const struct listing_header[]){
			{ "Block", "BLOCK" },
			{ "Images", "IMAGES" },
			{ "Layer", "LAYER" },
			{ "Path", "PATH" },
			{ "PoolBlock", "POOL BLOCK" },
			{ "Problem", "PROBLEM" },
			{ "ThinID", "THIN ID" },
			{ "What", "WHAT" },
			{ 0 },
		},
	.table = "{{.Images}}\t{{.Layer}}\t{{.ThinID}}\t{{.Block}}\t{{.Problem}}\t{{.What}}\t"
		 "{{.Path}}",
};

static struct printer *printer_of(struct verify_report *report)
{
	return (struct printer *)((char *)report - offsetof(struct printer, report));
}

static char *join(const struct strlist *names)
{
	auto_buf struct buf text = { 0 };

	for (size_t i = 0; i < names->nr; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", names->items[i]);
	return buf_take(&text);
}

static const char *problem_of(const struct verify_damage *damage)
{
	return damage->unreadable ? "unreadable" : "changed";
}

static void add_row(struct printer *printer, const struct verify_damage *damage)
{
	auto_free char *images = join(&damage->images);
	auto_free char *block = xasprintf("%" PRIu64, damage->block);
	auto_free char *pool_block = xasprintf("%" PRIu64, damage->pool_block);
	auto_free char *thin = xasprintf("%" PRIu32, damage->thin_id);

	if (printer->result == 0)
		printer->result =
			listing_row(printer->listing,
				    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Block",
					      block, "Images", images, "Layer", damage->layer.text,
					      "Path", damage->path ? damage->path : "", "PoolBlock",
					      pool_block, "Problem", problem_of(damage), "ThinID",
					      thin, "What", damage->what),
				    &printer->err);
}

/* A path is what an image wants it to be: it must not steer a terminal. */
static void say_line(struct printer *printer, const char *text)
{
	ttyprogress_settle(&printer->tty);
	if (printer->out == stderr) {
		cli_say_error(text);
		return;
	}
	auto_free char *line = xasprintf("%s\n", text);

	cli_print_table(line, strlen(line));
	cli_flush();
}

static void on_damage(struct verify_report *self, const struct verify_damage *damage)
{
	struct printer *printer = printer_of(self);
	auto_free char *images = join(&damage->images);
	auto_free char *text = NULL;

	if (printer->listing) {
		add_row(printer, damage);
		return;
	}
	text = xasprintf("%s: %s%s%s, %s%s, layer %s, thin id %" PRIu32 ", block %" PRIu64,
			 problem_of(damage), damage->what, damage->path ? " " : "",
			 damage->path ? damage->path : "", *images ? "image " : "shown by no image",
			 images, damage->layer.text, damage->thin_id, damage->block);
	say_line(printer, text);
}

static void on_notice(struct verify_report *self, const char *text, bool bad)
{
	struct printer *printer = printer_of(self);

	if (bad && !printer->listing) {
		say_line(printer, text);
		return;
	}
	ttyprogress_settle(&printer->tty);
	cli_say_error(text);
}

static void say_result(const struct verify_result *result)
{
	auto_free char *text =
		xasprintf("%zu %s compared, %s read: %" PRIu64 " damaged %s%s", result->nr_layers,
			  result->nr_layers == 1 ? "layer" : "layers",
			  human_size((int64_t)result->read_bytes, HUMAN_TOTAL).text,
			  result->nr_damaged, result->nr_damaged == 1 ? "block" : "blocks",
			  result->nr_without ? ", and some have no digests" : "");

	cli_say(text);
}

static int finish(struct printer *printer, const struct verify_result *result, bool talk,
		  struct error *err)
{
	ttyprogress_settle(&printer->tty);
	if (printer->result < 0) {
		*err = printer->err;
		return -1;
	}
	if (printer->listing)
		listing_print(printer->listing);
	if (talk)
		say_result(result);
	return result->nr_damaged || result->nr_bad ? 1 : 0;
}

static int check_verify(const struct cli *cli, const void *values, struct error *err)
{
	const struct verify_opts *opts = values;

	if (opts->all && cli->nr_words)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --all and images");
	if (!opts->all && !cli->nr_words)
		return err_set(err, ERR_USAGE, "name an image, or --all");
	return 0;
}

static int run_verify(struct cli *cli, const void *values, struct error *err)
{
	const struct verify_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_listing struct listing *listing = NULL;
	struct printer printer = { .report = { on_damage, on_notice }, .out = stdout };
	struct verify_args args = {
		.images = cli->words,
		.nr_images = cli->nr_words,
		.add = opts->add,
		.report = &printer.report,
	};
	struct verify_result result;
	int status;

	if ((opts->format &&
	     listing_open(&damage_listing, opts->format, false, &listing, err) < 0) ||
	    cli_open_store(cli, &store, err) < 0)
		return -1;
	printer.listing = listing;
	ttyprogress_open(&printer.tty, stderr);
	args.progress = ttyprogress_sink(&printer.tty);
	status = verify_layers(store, &args, &result, err);
	if (status == 0)
		status = finish(&printer, &result, isatty(STDERR_FILENO), err);
	ttyprogress_done(&printer.tty);
	return status;
}

static const struct opt verify_options[] = {
	OPT_FLAG("add", 0, verify_opts, add, "First make the digests of layers that have none"),
	OPT_FLAG("all", 'a', verify_opts, all, "Every layer of the store"),
	OPT_VALUE(OPT_STRING, "format", 0, verify_opts, format, "string", LISTING_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_verify = {
	.name = "verify",
	.synopsis = "[OPTIONS] [IMAGE...]",
	.summary = "Compare the disk with the digests of the layers' blocks",
	.details =
		"Reads what the layers have in the pool, each block once, and prints a line for\n"
		"each damaged one, with the file or the part of the file system that it\n"
		"belongs to. The exit status is 1 when something is damaged.",
	.max_words = -1,
	.options = verify_options,
	.options_size = sizeof(struct verify_opts),
	.needs = NEEDS_POOL,
	.check = check_verify,
	.run = run_verify,
};

static int run_scrub(struct cli *cli, const void *values, struct error *err)
{
	const struct scrub_opts *opts = values;
	auto_store struct store *store = NULL;
	struct printer printer = { .report = { on_damage, on_notice }, .out = stderr };
	struct verify_args args = {
		.resume = true,
		.rate_bytes = opts->rate_bytes,
		.report = &printer.report,
	};
	struct verify_result result;

	if (cli_open_store(cli, &store, err) < 0 || verify_layers(store, &args, &result, err) < 0)
		return -1;
	return finish(&printer, &result, true, err);
}

static const struct opt scrub_options[] = {
	{
		.name = "rate",
		.kind = OPT_SIZE,
		.placeholder = "size",
		.help = "Bytes to read in a second, at most",
		.offset = offsetof(struct scrub_opts, rate_bytes),
		.preset = SCRUB_RATE,
	},
	{ 0 },
};

const struct command cmd_scrub = {
	.name = "scrub",
	.synopsis = "[OPTIONS]",
	.summary = "Verify every layer slowly, for a timer or the background",
	.details =
		"Findings go to stderr. A scrub that was stopped goes on where it was. The exit\n"
		"status is 1 when something is damaged.",
	.options = scrub_options,
	.options_size = sizeof(struct scrub_opts),
	.needs = NEEDS_POOL,
	.run = run_scrub,
};
