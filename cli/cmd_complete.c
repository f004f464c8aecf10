/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that a shell may put behind a command. Nothing is made for it: a
 * store that is not there, or whose appliance does not run, has none.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "appliance/place.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "complete.h"
#include "inside.h"
#include "store.h"

/* What a shell would expand, or a newline, is in no name of ours; a damaged catalogue may have it. */
static void print_name(const char *name)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._-/:@";

	if (*name && name[strspn(name, usual)] == '\0')
		puts(name);
}

static int print_names(struct db *db, const char *sql, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0)
		print_name(db_text(stmt, 0));
	return got;
}

static int run_complete(struct cli *cli, const void *values, struct error *err)
{
	auto_store struct store *store = NULL;
	int result = 0;

	(void)values;
	if (cli_open_existing_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; store && i < cli->nr_words && result == 0; i++) {
		if (strcmp(cli->words[i], "images") == 0)
			result = print_names(store->db,
					     "SELECT repository || ':' || tag FROM reference"
					     " WHERE tag IS NOT NULL ORDER BY 1",
					     err);
		else if (strcmp(cli->words[i], "containers") == 0)
			result = print_names(store->db, "SELECT name FROM container ORDER BY 1",
					     err);
		else
			return err_set(err, ERR_USAGE, "no names of '%s'", cli->words[i]);
	}
	return result;
}

static int run_outside(struct cli *cli, const void *values, struct error *err)
{
	auto_free char *option = xasprintf("--root=%s", cli->settings->root);
	auto_free char *control = xasprintf("%s/appliance/" PLACE_CONTROL, cli->settings->root);
	auto_strlist struct strlist argv = { 0 };

	if (access(control, F_OK) < 0)
		return 0;
	strlist_add(&argv, PROGRAM);
	strlist_add(&argv, option);
	strlist_add(&argv, COMPLETE_COMMAND);
	for (size_t i = 0; i < cli->nr_words; i++)
		strlist_add(&argv, cli->words[i]);
	return inside_run(cli, values, argv.items, err);
}

const struct command cmd_complete = {
	.name = COMPLETE_COMMAND,
	.synopsis = "images|containers...",
	.summary = "Print names for the shell's completion",
	.min_words = 1,
	.max_words = -1,
	.hidden = true,
	.needs = NEEDS_STORE,
	.outside = run_outside,
	.run = run_complete,
};
