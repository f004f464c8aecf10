/* SPDX-License-Identifier: Apache-2.0 */
#include "opts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "oci/gotext.h"

/* A word of the command line between quotes, as the messages show it. Returns new. */
static char *quoted(const char *text)
{
	auto_buf struct buf ret = { 0 };

	gotext_quote(text, &ret);
	return buf_take(&ret);
}

static int set_bool(const char *text, bool *ret, struct error *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	auto_free char *shown = quoted(text);

	return err_set(err, ERR_USAGE, "strconv.ParseBool: parsing %s: invalid syntax", shown);
}

static int set_int(const char *text, int64_t *ret, struct error *err)
{
	auto_free char *shown = quoted(text);
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;
	intmax_t value;

	errno = 0;
	value = strtoimax(text, &end, 10);
	if (!isdigit((unsigned char)*digits) || *end)
		return err_set(err, ERR_USAGE, "strconv.ParseInt: parsing %s: invalid syntax",
			       shown);
	if (errno == ERANGE)
		return err_set(err, ERR_USAGE, "strconv.ParseInt: parsing %s: value out of range",
			       shown);
	*ret = value;
	return 0;
}

/* The bytes of text without blanks at both ends. */
static char *trimmed(const char *text, size_t len)
{
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, text);
}

static int add_filter(const char *text, struct strlist *list, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!*text)
		return 0;
	if (!equals)
		return err_set(err, ERR_USAGE, "bad format of filter (expected name=value)");
	auto_free char *key = trimmed(text, (size_t)(equals - text));
	auto_free char *value = trimmed(equals + 1, strlen(equals + 1));

	for (char *c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	strlist_take(list, xasprintf("%s=%s", key, value));
	return 0;
}

/* No size means "nothing", and in a command's struct 0 is "not given". */
static int set_size(const char *text, uint64_t *ret, struct error *err)
{
	uint64_t bytes;

	if (size_parse(text, &bytes, err) < 0)
		return -1;
	if (bytes == 0)
		return err_set(err, ERR_USAGE, "must be more than 0");
	*ret = bytes;
	return 0;
}

static int set_value(const struct opt *opt, const char *text, void *values, struct error *err)
{
	void *at = (char *)values + opt->offset;

	switch (opt->kind) {
	case OPT_BOOL:
		return set_bool(text, at, err);
	case OPT_INT:
		return set_int(text, at, err);
	case OPT_SIZE:
		return set_size(text, at, err);
	case OPT_LIST:
		strlist_add(at, text);
		return 0;
	case OPT_FILTER:
		return add_filter(text, at, err);
	case OPT_STRING:
	case OPT_PATH:
	case OPT_DEVICE:
		*(const char **)at = text;
		return 0;
	}
	return 0;
}

static const struct opt help_opt = { .name = "help", .letter = 'h', .kind = OPT_BOOL };

static const struct opt *by_name(const struct opt *opts, const char *name, size_t len)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++)
		if (strlen(opt->name) == len && memcmp(opt->name, name, len) == 0)
			return opt;
	return strlen(help_opt.name) == len && memcmp(help_opt.name, name, len) == 0 ? &help_opt
										     : NULL;
}

static const struct opt *by_letter(const struct opt *opts, char letter)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++)
		if (opt->letter == letter)
			return opt;
	return letter == help_opt.letter ? &help_opt : NULL;
}

/* Where the parse stands. */
struct parser {
	const struct opt *opts;
	const char *const *argv;
	size_t at; /* the next argument */
	void *values;
	struct opts_words *words;
};

static int apply(struct parser *parser, const struct opt *opt, const char *text, bool by_short,
		 struct error *err)
{
	int ret;

	if (opt == &help_opt) {
		ret = set_bool(text, &parser->words->help, err);
		parser->words->help_short |= by_short && parser->words->help;
	} else {
		ret = set_value(opt, text, parser->values, err);
	}
	if (ret == 0 && opt->deprecated)
		parser->words->deprecated = opt;
	if (ret == 0)
		return 0;
	auto_free char *shown = quoted(text);

	if (opt->letter && opt != &help_opt)
		err_add(err, "invalid argument %s for \"-%c, --%s\" flag", shown, opt->letter,
			opt->name);
	else
		err_add(err, "invalid argument %s for \"--%s\" flag", shown, opt->name);
	err->kind = ERR_USAGE;
	return -1;
}

static int parse_long(struct parser *parser, const char *arg, struct error *err)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const struct opt *opt;
	const char *text;

	if (len == 0 || *name == '-')
		return err_set(err, ERR_USAGE, "bad flag syntax: %s", arg);
	opt = by_name(parser->opts, name, len);
	if (!opt)
		return err_set(err, ERR_USAGE, "unknown flag: --%.*s", (int)len, name);
	if (name[len] == '=')
		text = name + len + 1;
	else if (opt->kind == OPT_BOOL)
		text = "true";
	else if (parser->argv[parser->at])
		text = parser->argv[parser->at++];
	else
		return err_set(err, ERR_USAGE, "flag needs an argument: %s", arg);
	return apply(parser, opt, text, false, err);
}

/* A cluster: letters of bools, then at most one option with a value. */
static int parse_short(struct parser *parser, const char *arg, struct error *err)
{
	for (const char *at = arg + 1; *at; at++) {
		const struct opt *opt = by_letter(parser->opts, *at);
		const char *text = NULL;

		if (!opt)
			return err_set(err, ERR_USAGE, "unknown shorthand flag: '%c' in -%s", *at,
				       at);
		if (at[1] == '=' && at[2])
			text = at + 2;
		else if (opt->kind == OPT_BOOL) {
			if (apply(parser, opt, "true", true, err) < 0)
				return -1;
			continue;
		} else if (at[1])
			text = at + 1;
		else if (parser->argv[parser->at])
			text = parser->argv[parser->at++];
		else
			return err_set(err, ERR_USAGE, "flag needs an argument: '%c' in -%s", *at,
				       at);
		return apply(parser, opt, text, true, err);
	}
	return 0;
}

static int set_presets(const struct opt *opts, void *values, struct error *err)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++)
		if (opt->preset && set_value(opt, opt->preset, values, err) < 0)
			return err_add(err, "preset of --%s", opt->name);
	return 0;
}

static size_t count(const char *const *argv)
{
	size_t nr = 0;

	while (argv[nr])
		nr++;
	return nr;
}

int opts_parse(const struct opt *opts, bool stop_at_word, const char *const *argv, void *values,
	       struct opts_words *ret, struct error *err)
{
	struct parser parser = { .opts = opts, .argv = argv, .values = values, .words = ret };
	bool options_ended = false;

	*ret = (struct opts_words){ .items = xcalloc(count(argv) + 1, sizeof(char *)) };
	if (set_presets(opts, values, err) < 0)
		return -1;
	while (argv[parser.at]) {
		const char *arg = argv[parser.at];
		int result = 0;

		if (options_ended || arg[0] != '-' || !arg[1]) {
			options_ended |= stop_at_word;
			ret->items[ret->nr++] = arg;
			parser.at++;
			continue;
		}
		parser.at++;
		if (strcmp(arg, "--") == 0)
			options_ended = true;
		else if (arg[1] == '-')
			result = parse_long(&parser, arg, err);
		else
			result = parse_short(&parser, arg, err);
		if (result < 0)
			return -1;
	}
	return 0;
}

void opts_words_done(struct opts_words *words)
{
	free(words->items);
	*words = (struct opts_words){ 0 };
}

void opts_done(const struct opt *opts, void *values)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++)
		if (opt->kind == OPT_LIST || opt->kind == OPT_FILTER)
			strlist_done((struct strlist *)((char *)values + opt->offset));
}
