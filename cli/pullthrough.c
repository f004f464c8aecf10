/* SPDX-License-Identifier: Apache-2.0 */
#include "pullthrough.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "oci/reference.h"
#include "registry/relay.h"
#include "store.h"
#include "through.h"
#include "writeropt.h"

struct service {
	const struct pull_args *args;
	int folder_fd;
	struct pull_result *result;
};

static int serve(void *ctx, int in_fd, int out_fd, struct error *err)
{
	struct service *service = ctx;

	return relay_serve(service->args, service->folder_fd, in_fd, out_fd, service->result, err);
}

int pull_through(struct cli *cli, const struct pull_args *args, const char *writer,
		 struct pull_result *ret, struct error *err)
{
	auto_fd int folder_fd = through_open_root(cli, err);
	struct service service = { args, folder_fd, ret };
	auto_strlist struct strlist words = { 0 };

	if (folder_fd < 0)
		return -1;
	through_words(cli, &cmd_image_receive, &words);
	if (writer)
		strlist_take(&words, xasprintf("--writer=%s", writer));
	strlist_take(&words, reference_canonical(args->ref));
	if (args->platform && *args->platform)
		strlist_add(&words, args->platform);
	return through_run(cli, &cmd_image_receive, &words, serve, &service, err);
}

/* ---- inside ---- */

struct receive_opts {
	const char *writer;
};

static int run_receive(struct cli *cli, const void *values, struct error *err)
{
	const struct receive_opts *opts = values;
	auto_reference struct reference ref = { 0 };
	auto_store struct store *store = NULL;

	if (reference_parse(cli->words[0], &ref, err) < 0 || cli_open_store(cli, &store, err) < 0 ||
	    writeropt_use(opts->writer, store, err) < 0)
		return -1;
	reference_default_tag(&ref);
	return relay_pull(store, &ref, cli->nr_words > 1 ? cli->words[1] : NULL, STDIN_FILENO,
			  STDOUT_FILENO, err);
}

static bool receive_reads_stdin(const struct cli *cli, const void *values)
{
	(void)cli;
	(void)values;
	return true;
}

static const struct opt receive_options[] = {
	WRITEROPT_ROW(receive_opts),
	{ 0 },
};

const struct command cmd_image_receive = {
	.group = "image",
	.name = "receive",
	.synopsis = "[OPTIONS] NAME [PLATFORM]",
	.summary = "Take an image that 'pull' downloads outside of the appliance",
	.min_words = 1,
	.max_words = 2,
	.hidden = true,
	.options = receive_options,
	.options_size = sizeof(struct receive_opts),
	.needs = NEEDS_POOL,
	.reads_stdin = receive_reads_stdin,
	.run = run_receive,
};
