/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "cmd.h"
#include "image/image.h"
#include "store.h"

static int run_tag(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;

	(void)values;
	if (cli_open_store(cli, &store, err) < 0)
		return -1;
	return image_tag(store, cli->words[0], cli->words[1], err);
}

const struct command cmd_tag = {
	.group = "image",
	.name = "tag",
	.top = "tag",
	.synopsis = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	.min_words = 2,
	.max_words = 2,
	.stop_at_word = true,
	.needs = NEEDS_STORE,
	.run = run_tag,
};
