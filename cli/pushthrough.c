/* SPDX-License-Identifier: Apache-2.0 */
#include "pushthrough.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "oci/reference.h"
#include "registry/origin.h"
#include "registry/pushrelay.h"
#include "store.h"
#include "through.h"

struct service {
	const struct push_args *args;
	int folder_fd;
};

static int serve(void *ctx, int in_fd, int out_fd, struct error *err)
{
	struct service *service = ctx;
	auto_origin struct origin *origin = pushrelay_open(in_fd, out_fd, service->folder_fd, ".");

	return push_from(origin, service->args, service->folder_fd, ".", err);
}

int push_through(struct cli *cli, const struct push_args *args, struct error *err)
{
	auto_fd int folder_fd = through_open_root(cli, err);
	struct service service = { args, folder_fd };
	auto_strlist struct strlist words = { 0 };

	if (folder_fd < 0)
		return -1;
	through_words(cli, &cmd_image_send, &words);
	strlist_take(&words, reference_canonical_name(args->ref));
	return through_run(cli, &cmd_image_send, &words, serve, &service, err);
}

/* ---- inside ---- */

static int run_send(struct cli *cli, const void *values, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_store struct store *store = NULL;
	auto_origin struct origin *origin = NULL;

	(void)values;
	if (reference_parse(cli->words[0], &ref, err) < 0 || cli_open_store(cli, &store, err) < 0 ||
	    origin_open(store, &ref, &origin, err) < 0)
		return -1;
	return pushrelay_serve(origin, STDIN_FILENO, STDOUT_FILENO, err);
}

static bool send_reads_stdin(const struct cli *cli, const void *values)
{
	(void)cli;
	(void)values;
	return true;
}

const struct command cmd_image_send = {
	.group = "image",
	.name = "send",
	.synopsis = "NAME",
	.summary = "Give out an image that 'push' uploads outside of the appliance",
	.min_words = 1,
	.max_words = 1,
	.hidden = true,
	.needs = NEEDS_POOL,
	.reads_stdin = send_reads_stdin,
	.run = run_send,
};
