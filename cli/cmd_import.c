/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/load.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "oci/platform.h"
#include "store.h"
#include "ttyprogress.h"
#include "writeropt.h"

struct import_opts {
	struct strlist changes;
	const char *message;
	const char *platform;
	const char *writer;
};

static bool is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static int run_import(struct cli *cli, const void *values, struct error *err)
{
	const struct import_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_ttyprogress struct ttyprogress tty = { 0 };
	struct digest id;
	struct import_args args = {
		.path = strcmp(cli->words[0], "-") == 0 ? NULL : cli->words[0],
		.fd = STDIN_FILENO,
		.reference = cli->nr_words > 1 ? cli->words[1] : NULL,
		.message = opts->message ? opts->message : "Imported from -",
		.changes = (const char *const *)opts->changes.items,
		.platform = opts->platform,
	};

	ttyprogress_open(&tty, stdout);
	args.progress = ttyprogress_sink(&tty);
	if (cli_open_store(cli, &store, err) < 0 || writeropt_use(opts->writer, store, err) < 0 ||
	    archive_import(store, &args, &id, err) < 0)
		return -1;
	ttyprogress_settle(&tty);
	printf("%s\n", id.text);
	return 0;
}

static int check_import(const struct cli *cli, const void *values, struct error *err)
{
	const struct import_opts *opts = values;
	struct platform platform;

	if (writeropt_check(opts->writer, err) < 0 ||
	    platform_parse(opts->platform, &platform, err) < 0)
		return -1;
	if (is_url(cli->words[0]))
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot import from a URL: download '%s' and import the file",
			       cli->words[0]);
	return 0;
}

static bool import_reads_stdin(const struct cli *cli, const void *values)
{
	(void)values;
	return strcmp(cli->words[0], "-") == 0;
}

static const char *import_input_file(const struct cli *cli, const void *values)
{
	return import_reads_stdin(cli, values) ? NULL : cli->words[0];
}

static const struct opt import_options[] = {
	OPT_VALUE(OPT_LIST, "change", 'c', import_opts, changes, "list",
		  "Apply a Dockerfile instruction to the created image"),
	OPT_VALUE(OPT_STRING, "message", 'm', import_opts, message, "string",
		  "Set the commit message of the imported image"),
	OPT_VALUE(OPT_STRING, "platform", 0, import_opts, platform, "string",
		  "Set the platform, as os[/arch[/variant]]"),
	WRITEROPT_ROW(import_opts),
	{ 0 },
};

const struct command cmd_import = {
	.group = "image",
	.name = "import",
	.top = "import",
	.synopsis = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
	.summary = "Import the tar of a root file system as an image",
	.min_words = 1,
	.max_words = 2,
	.options = import_options,
	.options_size = sizeof(struct import_opts),
	.needs = NEEDS_POOL,
	.check = check_import,
	.reads_stdin = import_reads_stdin,
	.input_file = import_input_file,
	.run = run_import,
};
