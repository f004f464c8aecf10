/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - from the command line to the exit status
 *
 * Everything that can be wrong with the words themselves is found before the
 * store, the pool or the appliance is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "absent.h"
#include "appliance/guest.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/pages.h"
#include "cli.h"
#include "fetch.h"
#include "generator.h"
#include "help.h"
#include "inside.h"
#include "plugin.h"
#include "settings.h"
#include "table.h"
#include "version.h"

/* The whole command line, for the same program inside the appliance. */
static char *const *program_argv;

#define EXIT_USAGE 125 /* Docker's status for a flag that it does not know */

static void log_line(enum log_level level, const char *text)
{
	auto_free char *line =
		xasprintf("%s: %s", level == LOG_LEVEL_DEBUG ? "debug" : "warning", text);

	cli_say_error(line);
}

static void log_grave_line(enum log_level level, const char *text)
{
	if (level != LOG_LEVEL_DEBUG)
		log_line(level, text);
}

/* ERR_USAGE for a level that does not exist. */
static int start_log(const struct global_opts *global, struct error *err)
{
	static const char *const quiet[] = { "error", "fatal", "panic" };
	static const char *const loud[] = { "debug", "trace" };
	static const char *const usual[] = { "info", "warn", "warning" };
	log_sink_fn *sink = NULL;
	bool known = false;

	for (size_t i = 0; i < sizeof(quiet) / sizeof(*quiet); i++)
		known |= strcmp(global->log_level, quiet[i]) == 0;
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (strcmp(global->log_level, usual[i]) == 0)
			sink = log_grave_line;
	}
	for (size_t i = 0; i < sizeof(loud) / sizeof(*loud); i++) {
		if (strcmp(global->log_level, loud[i]) == 0)
			sink = log_line;
	}
	if (!known && !sink)
		return err_set(err, ERR_USAGE, "unable to parse logging level: %s",
			       global->log_level);
	log_set_sink(global->debug ? log_line : sink);
	return 0;
}

/* The message, how it is used, where to read more. */
static int usage_error(const char *message, const char *usage_line, const char *path, int status)
{
	auto_buf struct buf text = { 0 };

	buf_puts(&text, message);
	help_hint(usage_line, path, &text);
	text.data[text.len - 1] = '\0'; /* cli_say ends the line */
	cli_say(text.data);
	return status;
}

static int command_error(const struct command *command, bool by_top, const char *message,
			 int status)
{
	auto_free char *path = command_path(command, by_top);
	auto_buf struct buf usage = { 0 };

	help_usage_line(command, by_top, &usage);
	return usage_error(message, usage.data, path, status);
}

/* "requires at least 1 argument" and its like; NULL when the number fits. */
static char *count_problem(const struct command *command, size_t nr)
{
	int min = command->min_words, max = command->max_words;

	if (nr >= (size_t)min && (max < 0 || nr <= (size_t)max))
		return NULL;
	if (max == 0)
		return xstrdup("accepts no arguments");
	if (min == max)
		return xasprintf("requires %d argument%s", min, min == 1 ? "" : "s");
	if (max < 0)
		return xasprintf("requires at least %d argument%s", min, min == 1 ? "" : "s");
	if (min == 0)
		return xasprintf("requires at most %d argument%s", max, max == 1 ? "" : "s");
	return xasprintf("requires at least %d and at most %d argument%s", min, max,
			 max == 1 ? "" : "s");
}

static int finish_output(int status)
{
	int lost = cli_flush();
	struct error err;

	if (!lost)
		return status;
	if (lost != EPIPE) {
		err_sys(&err, lost, "write to standard output");
		cli_say_error(err.text);
	}
	return status ? status : 1;
}

/*
 * Descriptors 0 to 2 exist from here on: a file of the store that became one of
 * them would get our output. One that was closed stays useless for its purpose,
 * so that lost output is an error.
 */
static void fill_standard_streams(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
}

static int report(struct cli *cli, int result, const struct error *err)
{
	cli_flush();
	for (size_t i = 0; i < cli->failures.nr; i++)
		cli_say_error(cli->failures.items[i]);
	if (result < 0 && err->kind != ERR_CANCELLED)
		cli_say_error(err->text);
	if (result < 0)
		return cli_exit_status(err);
	return result ? result : cli->failures.nr > 0;
}

/* Once, by the process that does the work. */
static void say_deprecated(const struct cli *cli)
{
	auto_free char *note = NULL;

	if (!cli->deprecated)
		return;
	note = xasprintf("Flag --%s has been deprecated, %s", cli->deprecated->name,
			 cli->deprecated->deprecated);
	cli_say(note);
}

/* The same words, with a process out here that pulls what is missing in there. */
static int run_inside(struct cli *cli, const void *values, struct error *err)
{
	auto_fetcher struct fetcher fetcher = { 0 };
	auto_free char *option = NULL;
	auto_free char **argv = NULL;
	size_t nr = 0;

	if (!cli->command->fetches)
		return inside_run(cli, values, program_argv, err);
	if (fetcher_start(cli, &fetcher, err) < 0)
		return -1;
	while (program_argv[nr])
		nr++;
	option = xasprintf("--fetcher=%s", fetcher.folder);
	argv = xcalloc(nr + 2, sizeof(*argv));
	argv[0] = program_argv[0];
	argv[1] = option;
	memcpy(argv + 2, program_argv + 1, nr * sizeof(*argv));
	return inside_run(cli, values, argv, err);
}

static int run_somewhere(struct cli *cli, const void *values, struct error *err)
{
	if (cli->command->check && cli->command->check(cli, values, err) < 0)
		return -1;
	if (cli->command->needs >= NEEDS_STORE) {
		if (inside_wanted(cli->settings) && cli->command->outside)
			return cli->command->outside(cli, values, err);
		if (inside_wanted(cli->settings))
			return run_inside(cli, values, err);
		if (inside_check_host(cli->settings, err) < 0)
			return -1;
		cancel_catch_signals();
	}
	say_deprecated(cli);
	return cli->command->run(cli, values, err);
}

static int run_command(struct cli *cli, const void *values)
{
	auto_settings struct settings settings = { 0 };
	struct error err;
	int result = 0;

	if (cli->command->needs != NEEDS_NOTHING) {
		result = settings_load(cli->global, &settings, &err);
		cli->settings = &settings;
	}
	if (result == 0)
		result = run_somewhere(cli, values, &err);
	result = report(cli, result, &err);
	cli->settings = NULL;
	strlist_done(&cli->failures);
	return result;
}

static void print_help(const struct opts_words *words, const struct command_match *match)
{
	auto_buf struct buf text = { 0 };

	if (words->help_short)
		cli_say("Flag shorthand -h has been deprecated, use --help");
	if (match && match->command)
		help_command(match->command, match->by_top, &text);
	else if (match && match->group)
		help_group(match->group, &text);
	else
		help_top(&text);
	fputs(text.data, stdout);
}

static int start_command(const struct global_opts *global, const struct command_match *match,
			 const char *const *argv)
{
	const struct command *command = match->command;
	auto_free void *values = xcalloc(1, command->options_size);
	struct cli cli = { .command = command, .global = global };
	struct opts_words words;
	struct error err;
	int status = 0;

	if (opts_parse(command->options, command->stop_at_word, argv, values, &words, &err) < 0) {
		status = command_error(command, match->by_top, err.text, EXIT_USAGE);
	} else if (words.help) {
		print_help(&words, match);
	} else {
		auto_free char *problem = count_problem(command, words.nr);

		cli.words = words.items;
		cli.deprecated = words.deprecated;
		cli.nr_words = words.nr;
		if (problem) {
			auto_free char *path = command_path(command, match->by_top);
			auto_free char *message = xasprintf(PROGRAM ": '%s' %s", path, problem);

			status = command_error(command, match->by_top, message, 1);
		} else {
			status = run_command(&cli, values);
		}
	}
	opts_done(command->options, values);
	opts_words_done(&words);
	return status;
}

/* A group alone, with options, or with a word that it does not know. */
static int start_group(const struct command_match *match, const char *const *argv)
{
	auto_free char *path = xasprintf(PROGRAM " %s", match->group->name);
	auto_free char *usage = xasprintf("%s COMMAND", path);
	auto_buf struct buf text = { 0 };
	struct opts_words words;
	struct error err;
	int status = 0;

	if (opts_parse(NULL, true, argv, NULL, &words, &err) < 0) {
		status = usage_error(err.text, usage, path, EXIT_USAGE);
	} else if (words.help) {
		print_help(&words, match);
	} else if (words.nr) {
		auto_free char *message =
			xasprintf(PROGRAM ": unknown command: %s %s", path, words.items[0]);

		status = usage_error(message, usage, path, 1);
	} else {
		help_group(match->group, &text);
		fputs(text.data, stderr);
	}
	opts_words_done(&words);
	return status;
}

static int start(const struct global_opts *global, const struct opts_words *words)
{
	struct command_match match;
	auto_buf struct buf text = { 0 };
	auto_free char *refusal = NULL;
	struct error err;

	if (words->help) {
		print_help(words, NULL);
		return 0;
	}
	if (global->version) {
		printf(PROGRAM " version %s, build %s\n", VENEER_VERSION, VENEER_COMMIT);
		return 0;
	}
	if (start_log(global, &err) < 0) {
		cli_say_error(err.text);
		return 1;
	}
	if (words->nr == 0) {
		help_top(&text);
		fputs(text.data, stderr);
		return 0;
	}
	command_find(words->items, &match);
	if (match.command)
		return start_command(global, &match, words->items + match.nr_words);
	refusal = absent_refusal(words->items);
	if (refusal)
		return usage_error(refusal, NULL, PROGRAM, 1);
	if (match.group)
		return start_group(&match, words->items + match.nr_words);
	auto_free char *message =
		xasprintf(PROGRAM ": unknown command: " PROGRAM " %s", match.unknown);

	return usage_error(message, NULL, PROGRAM, 1);
}

static int run_words(char **argv)
{
	struct global_opts global = { 0 };
	struct opts_words words;
	struct error err;
	int status;

	program_argv = argv;
	if (opts_parse(global_options, true, (const char *const *)argv + (argv[0] != NULL), &global,
		       &words, &err) < 0)
		status = usage_error(err.text, PROGRAM " [OPTIONS] COMMAND [ARG...]", PROGRAM,
				     EXIT_USAGE);
	else
		status = start(&global, &words);
	opts_words_done(&words);
	return status;
}

static int run_plugin(char **argv)
{
	auto_free char *metadata = plugin_metadata((const char *const *)argv);
	auto_strlist struct strlist words = { 0 };
	struct error err;

	if (metadata) {
		puts(metadata);
		return 0;
	}
	if (plugin_argv((const char *const *)argv, &words, &err) < 0) {
		cli_say_error(err.text);
		return EXIT_USAGE;
	}
	return run_words(words.items);
}

int main(int argc, char **argv)
{
	int status = appliance_early(argc, argv);

	if (status >= 0)
		return status;
	pages_touch_program();
	fill_standard_streams();
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like others: clean up */
	if (generator_is_called(argv[0]))
		return generator_run(argc, argv);
	return finish_output(plugin_is_called(argv[0]) ? run_plugin(argv) : run_words(argv));
}
