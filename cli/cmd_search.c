/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "listing.h"
#include "registry/registry.h"
#include "registry/search.h"

#define DESCRIPTION_WIDTH 45

struct search_opts {
	bool no_trunc;
	int64_t limit;
	const char *format;
	struct strlist filters;
};

struct search_filter {
	int64_t min_stars;
	int official, automated; /* -1: both */
};

/* As Docker's table shows it; as JSON it is "true" or "false". */
static char *mark_text(const json_t *json)
{
	return xstrdup(strcmp(json_string_value(json), "true") == 0 ? "[OK]" : "");
}

static const struct gotmpl_type mark = {
	.kind = GOTMPL_STRING,
	.name = "string",
	.text = mark_text,
};

static const struct gotmpl_field search_fields[] = {
	{ "Description", &gotmpl_string }, { "IsAutomated", &mark },	    { "IsOfficial", &mark },
	{ "Name", &gotmpl_string },	   { "StarCount", &gotmpl_string }, { 0 },
};

static const struct gotmpl_type search_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*search.searchContext",
	.fields = search_fields,
	.is_row = true,
};

static const struct listing_header search_headers[] = {
	{ "Description", "DESCRIPTION" }, { "IsAutomated", "AUTOMATED" },
	{ "IsOfficial", "OFFICIAL" },	  { "Name", "NAME" },
	{ "StarCount", "STARS" },	  { 0 },
};

static const struct listing_kind search_listing = {
	.type = &search_type,
	.headers = search_headers,
	.table = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
};

/* Returns false for a value that says neither. */
static bool read_bool(const char *value, int *ret)
{
	*ret = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
	return *ret || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

static bool read_stars(const char *value, int64_t *ret)
{
	char *end;

	*ret = strtoll(value, &end, 10);
	return end > value && !*end && *ret >= 0;
}

static int read_filters(const struct strlist *filters, struct search_filter *ret, struct error *err)
{
	*ret = (struct search_filter){ .official = -1, .automated = -1 };
	for (size_t i = 0; i < filters->nr; i++) {
		const char *filter = filters->items[i], *value = strchr(filter, '=') + 1;
		int key_len = (int)(value - 1 - filter);
		auto_free char *key = xasprintf("%.*s", key_len, filter);
		bool good;

		if (strcmp(key, "stars") == 0)
			good = read_stars(value, &ret->min_stars);
		else if (strcmp(key, "is-official") == 0)
			good = read_bool(value, &ret->official);
		else if (strcmp(key, "is-automated") == 0)
			good = read_bool(value, &ret->automated);
		else
			return err_set(err, ERR_USAGE, "invalid filter '%s'", key);
		if (!good)
			return err_set(err, ERR_USAGE, "invalid filter '%s=%s'", key, value);
	}
	return 0;
}

static bool passes(const struct search_filter *filter, const struct search_result *result)
{
	return result->stars >= filter->min_stars &&
	       (filter->official < 0 || filter->official == result->official) &&
	       (filter->automated < 0 || filter->automated == result->automated);
}

static json_t *row_json(const struct search_result *result, bool no_trunc)
{
	auto_free char *description =
		no_trunc ? xstrdup(result->description)
			 : human_ellipsis(result->description, DESCRIPTION_WIDTH);

	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "Description", description, "IsAutomated",
			 result->automated ? "true" : "false", "IsOfficial",
			 result->official ? "true" : "false", "Name", result->name, "StarCount",
			 json_sprintf("%jd", (intmax_t)result->stars));
}

static int run_search(struct cli *cli, const void *values, struct error *err)
{
	const struct search_opts *opts = values;
	const struct registry_options options = cli_registry_options(cli);
	auto_listing struct listing *output = NULL;
	auto_search_results struct search_results results = { 0 };
	struct search_filter filter;
	unsigned limit = opts->limit ? (unsigned)opts->limit : SEARCH_LIMIT_DEFAULT;

	cancel_catch_signals();
	if (read_filters(&opts->filters, &filter, err) < 0 ||
	    listing_open(&search_listing, opts->format, false, &output, err) < 0 ||
	    search_ask(&options, cli->words[0], limit, &results, err) < 0)
		return -1;
	for (size_t i = 0; i < results.nr; i++) {
		if (!passes(&filter, &results.items[i]))
			continue;
		if (listing_row(output, row_json(&results.items[i], opts->no_trunc), err) < 0)
			return -1;
	}
	listing_print(output);
	return 0;
}

static int check_search(const struct cli *cli, const void *values, struct error *err)
{
	const struct search_opts *opts = values;

	(void)cli;
	if (opts->limit < 0 || opts->limit > SEARCH_LIMIT_MAX)
		return err_set(err, ERR_USAGE, "limit %jd is outside the range of [1, %d]",
			       (intmax_t)opts->limit, SEARCH_LIMIT_MAX);
	return 0;
}

static const struct opt search_options[] = {
	OPT_VALUE(OPT_FILTER, "filter", 'f', search_opts, filters, "filter",
		  "Filter output: stars=NUMBER, is-official=BOOL,\nis-automated=BOOL"),
	OPT_VALUE(OPT_STRING, "format", 0, search_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_VALUE(OPT_INT, "limit", 0, search_opts, limit, "int",
		  "Max number of search results (0: 25)"),
	OPT_FLAG("no-trunc", 0, search_opts, no_trunc, "Don't truncate output"),
	{ 0 },
};

const struct command cmd_search = {
	.name = "search",
	.synopsis = "[OPTIONS] TERM",
	.summary = "Search Docker Hub, or HOST/TERM, for images",
	.min_words = 1,
	.max_words = 1,
	.options = search_options,
	.options_size = sizeof(struct search_opts),
	.needs = NEEDS_SETTINGS,
	.check = check_search,
	.run = run_search,
};
