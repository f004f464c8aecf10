/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "outfile.h"
#include "run/cp.h"
#include "run/cppath.h"
#include "store.h"

struct cp_opts {
	bool archive;
	bool follow;
	bool quiet;
};

/* The two words; *ret_container is new. */
static int parse(const struct cli *cli, struct cp_args *ret, bool *ret_out, char **ret_container,
		 struct error *err)
{
	auto_free char *from = NULL;
	auto_free char *to = NULL;
	const char *source, *destination;
	bool from_container = cppath_split(cli->words[0], &from, &source);
	bool to_container = cppath_split(cli->words[1], &to, &destination);

	if (!*cli->words[0])
		return err_set(err, ERR_USAGE, "source can not be empty");
	if (!*cli->words[1])
		return err_set(err, ERR_USAGE, "destination can not be empty");
	if (from_container && to_container)
		return err_set(err, ERR_UNSUPPORTED, "copying between containers is not supported");
	if (!from_container && !to_container)
		return err_set(err, ERR_USAGE, "must specify at least one container source");
	*ret_out = from_container;
	*ret_container = from_container ? take_ptr(from) : take_ptr(to);
	ret->container = *ret_container;
	ret->inside = from_container ? source : destination;
	ret->outside = from_container ? destination : source;
	ret->fd = from_container ? STDOUT_FILENO : STDIN_FILENO;
	if (strcmp(ret->outside, "-") == 0)
		ret->outside = NULL;
	return 0;
}

static void say_how_much(const struct cp_args *args, bool out, uint64_t bytes)
{
	auto_free char *text =
		out ? xasprintf("Successfully copied %s to %s",
				human_size((int64_t)bytes, HUMAN_LIST).text, args->outside)
		    : xasprintf("Successfully copied %s to %s:%s",
				human_size((int64_t)bytes, HUMAN_LIST).text, args->container,
				args->inside);

	cli_say(text);
}

static int run_cp(struct cli *cli, const void *values, struct error *err)
{
	const struct cp_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_free char *container = NULL;
	struct cp_args args = { .follow = opts->follow, .archive = opts->archive };
	uint64_t bytes = 0;
	bool out;

	if (parse(cli, &args, &out, &container, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	if ((out ? cp_out : cp_in)(store, &args, &bytes, err) < 0)
		return -1;
	if (!opts->quiet && isatty(STDOUT_FILENO) && (args.outside || !out))
		say_how_much(&args, out, bytes);
	return 0;
}

static int check_cp(const struct cli *cli, const void *values, struct error *err)
{
	auto_free char *container = NULL;
	struct cp_args args;
	bool out;

	(void)values;
	if (parse(cli, &args, &out, &container, err) < 0)
		return -1;
	return out && args.outside ? outfile_check_path(args.outside, err) : 0;
}

static bool cp_reads_stdin(const struct cli *cli, const void *values)
{
	(void)values;
	return strcmp(cli->words[0], "-") == 0;
}

static const struct opt cp_options[] = {
	OPT_FLAG("archive", 'a', cp_opts, archive, "Archive mode (copy all uid/gid information)"),
	OPT_FLAG("follow-link", 'L', cp_opts, follow, "Always follow symbol link in SRC_PATH"),
	OPT_FLAG(
		"quiet", 'q', cp_opts, quiet,
		"Suppress progress output during copy. Progress\noutput is automatically suppressed "
		"if no terminal\nis attached"),
	{ 0 },
};

const struct command cmd_cp = {
	.group = "container",
	.name = "cp",
	.top = "cp",
	.synopsis = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\t" PROGRAM
		    " cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files/folders between a container and the local filesystem",
	.min_words = 2,
	.max_words = 2,
	.options = cp_options,
	.options_size = sizeof(struct cp_opts),
	.needs = NEEDS_POOL,
	.check = check_cp,
	.reads_stdin = cp_reads_stdin,
	.run = run_cp,
};
