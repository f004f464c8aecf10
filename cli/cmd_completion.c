/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "cmd.h"
#include "complete.h"

static int run_completion(struct cli *cli, const void *values, struct error *err)
{
	auto_buf struct buf script = { 0 };

	(void)values;
	if (strcmp(cli->words[0], "bash") != 0)
		return err_set(err, ERR_UNSUPPORTED, "no completion for the shell '%s', only bash",
			       cli->words[0]);
	complete_bash(&script);
	fputs(script.data, stdout);
	return 0;
}

const struct command cmd_completion = {
	.name = "completion",
	.synopsis = "bash",
	.summary = "Print a script for the shell's completion",
	.details = "For bash: source <(" PROGRAM " completion bash)",
	.min_words = 1,
	.max_words = 1,
	.run = run_completion,
};
