/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "run/container.h"
#include "run/life.h"
#include "run/logfile.h"
#include "store.h"

#define STATUS_UNREAD (128 + SIGPIPE) /* as of a program that does not ask why */

struct logs_opts {
	bool follow, timestamps, details;
	const char *since, *until, *tail;
};

struct shown {
	const struct logs_opts *opts;
	struct procmark process;
	bool middle[2]; /* of each stream: the last line has not ended */
	int lost;	/* errno of what could not be written; of standard error, EPIPE */
};

static int show(void *ctx, const struct log_line *line, struct error *err)
{
	struct shown *shown = ctx;
	FILE *out = line->stream == LOG_STDOUT ? stdout : stderr;

	if (shown->opts->timestamps && !shown->middle[line->stream]) {
		struct timespec time = human_time_from_ns(line->time_ns);

		fprintf(out, "%s ", human_time_rfc3339_nano(&time, 0).text);
	}
	fwrite(line->text, 1, line->len, out);
	if (line->ends)
		putc('\n', out);
	shown->middle[line->stream] = !line->ends;
	/* Both streams in their order, and at once when somebody watches. */
	shown->lost = cli_flush();
	if (!shown->lost && ferror(stderr))
		shown->lost = EPIPE;
	return shown->lost ? err_set(err, ERR_CANCELLED, "nobody reads the output") : 0;
}

static bool is_alive(void *ctx)
{
	const struct shown *shown = ctx;

	return procmark_is_alive(&shown->process);
}

static int parse_time(const char *text, bool *ret_has, int64_t *ret_ns, struct error *err)
{
	struct timespec now = human_now(), time;

	*ret_has = text && *text;
	if (!*ret_has)
		return 0;
	if (human_until_parse(text, &now, &time, err) < 0)
		return err_set(err, ERR_USAGE,
			       "invalid value for \"since\" or \"until\": failed to parse value as "
			       "time or duration: \"%s\"",
			       text);
	*ret_ns = human_time_to_ns(&time);
	return 0;
}

static int parse_filter(const struct logs_opts *opts, struct logfile_filter *ret, struct error *err)
{
	const char *tail = opts->tail;

	*ret = (struct logfile_filter){ .tail = -1, .follow = opts->follow };
	if (tail && *tail && strcmp(tail, "all") != 0 && *tail != '-') {
		if (strspn(tail, "0123456789") != strlen(tail) || strlen(tail) > 12)
			return err_set(err, ERR_USAGE,
				       "invalid value for --tail: \"%s\" is no number", tail);
		ret->tail = strtoll(tail, NULL, 10);
	}
	return parse_time(opts->since, &ret->has_since, &ret->since_ns, err) < 0 ||
			       parse_time(opts->until, &ret->has_until, &ret->until_ns, err) < 0
		       ? -1
		       : 0;
}

static int run_logs(struct cli *cli, const void *values, struct error *err)
{
	struct shown shown = { .opts = values };
	auto_container_row struct container_row row = { 0 };
	auto_store struct store *store = NULL;
	auto_free char *path = NULL;
	struct logfile_filter filter;

	if (parse_filter(values, &filter, err) < 0 || cli_open_store(cli, &store, err) < 0 ||
	    container_find(store, cli->words[0], &row, err) < 0)
		return -1;
	path = life_log_path(store, &row);
	shown.process = row.process;
	if (logfile_read(path, &filter, is_alive, show, &shown, err) == 0)
		return 0;
	return shown.lost == EPIPE ? STATUS_UNREAD : -1;
}

static const struct opt logs_options[] = {
	OPT_FLAG("details", 0, logs_opts, details, "Show extra details provided to logs"),
	OPT_FLAG("follow", 'f', logs_opts, follow, "Follow log output"),
	OPT_VALUE(OPT_STRING, "since", 0, logs_opts, since, "string",
		  "Show logs since timestamp (e.g.\n\"2013-01-02T13:23:37Z\") or relative (e.g. "
		  "\"42m\")"),
	{
		.name = "tail",
		.letter = 'n',
		.kind = OPT_STRING,
		.placeholder = "string",
		.help = "Number of lines to show from the end of the logs",
		.offset = offsetof(struct logs_opts, tail),
		.preset = "all",
	},
	OPT_FLAG("timestamps", 't', logs_opts, timestamps, "Show timestamps"),
	OPT_VALUE(OPT_STRING, "until", 0, logs_opts, until, "string",
		  "Show logs before a timestamp (e.g.\n\"2013-01-02T13:23:37Z\") or relative "
		  "(e.g. \"42m\")"),
	{ 0 },
};

const struct command cmd_logs = {
	.group = "container",
	.name = "logs",
	.top = "logs",
	.synopsis = "[OPTIONS] CONTAINER",
	.summary = "Fetch the logs of a container",
	.min_words = 1,
	.max_words = 1,
	.options = logs_options,
	.options_size = sizeof(struct logs_opts),
	.needs = NEEDS_STORE,
	.run = run_logs,
};
