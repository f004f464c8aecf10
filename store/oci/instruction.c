/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/instruction.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "oci/healthcheck.h"
#include "oci/words.h"

#define BLANKS " \t\n\v\f\r"

enum shape {
	SHAPE_COMMAND, /* JSON, otherwise the whole rest */
	SHAPE_LIST,    /* JSON, otherwise words */
	SHAPE_WORDS,
	SHAPE_TEXT, /* the whole rest */
	SHAPE_PAIRS,
	SHAPE_NAMES, /* words that quotes hold together */
	SHAPE_HEALTH,
};

enum arity {
	ARITY_ANY,
	ARITY_ONE,
	ARITY_SOME,
	ARITY_TWO, /* sources and a destination */
	ARITY_FROM,
};

enum flag_type { FLAG_TEXT, FLAG_BOOL, FLAG_LIST };

struct flag_rule {
	const char *name; /* NULL ends the list */
	enum flag_type type;
};

static const struct flag_rule add_flags[] = {
	{ "checksum" },
	{ "chmod" },
	{ "chown" },
	{ "exclude", FLAG_LIST },
	{ "keep-git-dir", FLAG_BOOL },
	{ "link", FLAG_BOOL },
	{ "unpack", FLAG_BOOL },
	{ 0 },
};
static const struct flag_rule copy_flags[] = {
	{ "chmod" }, { "chown" },	    { "exclude", FLAG_LIST },
	{ "from" },  { "link", FLAG_BOOL }, { "parents", FLAG_BOOL },
	{ 0 },
};
static const struct flag_rule from_flags[] = { { "platform" }, { 0 } };
static const struct flag_rule run_flags[] = {
	{ "device", FLAG_LIST }, { "mount", FLAG_LIST }, { "network" }, { "security" }, { 0 },
};
static const struct flag_rule health_flags[] = {
	{ "interval" },	    { "retries" }, { "start-interval" },
	{ "start-period" }, { "timeout" }, { 0 },
};
static const struct flag_rule no_flags[] = { { 0 } };

/* In the order of enum instruction_kind. */
static const struct row {
	const char *name;
	enum shape shape;
	enum arity arity;
	const struct flag_rule *flags;
} rows[] = {
	{ "ADD", SHAPE_LIST, ARITY_TWO, add_flags },
	{ "ARG", SHAPE_NAMES, ARITY_SOME, no_flags },
	{ "CMD", SHAPE_COMMAND, ARITY_ANY, no_flags },
	{ "COPY", SHAPE_LIST, ARITY_TWO, copy_flags },
	{ "ENTRYPOINT", SHAPE_COMMAND, ARITY_ANY, no_flags },
	{ "ENV", SHAPE_PAIRS, ARITY_SOME, no_flags },
	{ "EXPOSE", SHAPE_WORDS, ARITY_SOME, no_flags },
	{ "FROM", SHAPE_WORDS, ARITY_FROM, from_flags },
	{ "HEALTHCHECK", SHAPE_HEALTH, ARITY_SOME, health_flags },
	{ "LABEL", SHAPE_PAIRS, ARITY_SOME, no_flags },
	{ "MAINTAINER", SHAPE_TEXT, ARITY_ONE, no_flags },
	{ "ONBUILD", SHAPE_TEXT, ARITY_SOME, no_flags },
	{ "RUN", SHAPE_COMMAND, ARITY_SOME, run_flags },
	{ "SHELL", SHAPE_COMMAND, ARITY_SOME, no_flags },
	{ "STOPSIGNAL", SHAPE_TEXT, ARITY_ONE, no_flags },
	{ "USER", SHAPE_TEXT, ARITY_ONE, no_flags },
	{ "VOLUME", SHAPE_LIST, ARITY_SOME, no_flags },
	{ "WORKDIR", SHAPE_TEXT, ARITY_ONE, no_flags },
};
#define NR_ROWS (sizeof(rows) / sizeof(*rows))

void instruction_done(struct instruction *instruction)
{
	strlist_done(&instruction->flags);
	strlist_done(&instruction->args);
	*instruction = (struct instruction){ 0 };
}

enum instruction_kind instruction_find(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_ROWS; i++)
		if (strlen(rows[i].name) == len && strncasecmp(rows[i].name, name, len) == 0)
			return (enum instruction_kind)(i + 1);
	return 0;
}

/* ---- unknown names ---- */

/* Docker suggests what is at most so many edits away. */
#define NEAR 2
/* No option is longer, so a longer word is not near. */
#define WORD_MAX 32

/* Insertions, deletions and replacements that make one word the other, in any case. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
			size_t best = diagonal + !same;

			diagonal = row[j + 1];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j + 1] = diagonal + 1 < best ? diagonal + 1 : best;
		}
	}
	return row[len];
}

static bool is_upper_case(const char *word)
{
	for (; *word; word++)
		if (islower((unsigned char)*word))
			return false;
	return true;
}

void instruction_suggest(const char *word, const char *const *options, size_t nr, struct buf *ret)
{
	size_t best = NEAR + 1;
	const char *match = NULL;

	for (size_t i = 0; i < nr && strnlen(word, WORD_MAX + 1) <= WORD_MAX; i++) {
		size_t distance = edit_distance(word, options[i]);

		if (!distance)
			return;
		if (distance < best) {
			best = distance;
			match = options[i];
		}
	}
	if (!match)
		return;
	buf_puts(ret, " (did you mean ");
	for (; *match; match++)
		buf_putc(ret, (char)(is_upper_case(word) ? toupper((unsigned char)*match)
							 : tolower((unsigned char)*match)));
	buf_puts(ret, "?)");
}

static int unknown_instruction(const char *name, size_t len, struct error *err)
{
	auto_free char *word = xasprintf("%.*s", len < 64 ? (int)len : 64, name);
	const char *names[NR_ROWS];
	auto_buf struct buf hint = { 0 };

	for (size_t i = 0; i < NR_ROWS; i++)
		names[i] = rows[i].name;
	buf_puts(&hint, "");
	instruction_suggest(word, names, NR_ROWS, &hint);
	return err_set(err, ERR_USAGE, "unknown instruction: %s%s", word, hint.data);
}

/* ---- flags ---- */

/* Behind "--name" of this flag: "" or "=value"; NULL when it is another one. */
static const char *flag_rest(const char *flag, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(flag + 2, name, len) != 0 || (flag[2 + len] && flag[2 + len] != '='))
		return NULL;
	return flag + 2 + len;
}

static int check_flag(const struct flag_rule *rule, const char *rest, struct error *err)
{
	bool has_value = *rest == '=';

	if (rule->type != FLAG_BOOL && !has_value)
		return err_set(err, ERR_USAGE, "missing a value on flag: --%s", rule->name);
	if (rule->type != FLAG_BOOL || !has_value)
		return 0;
	if (!rest[1])
		return err_set(err, ERR_USAGE, "missing a value on flag: --%s", rule->name);
	if (strcasecmp(rest + 1, "true") != 0 && strcasecmp(rest + 1, "false") != 0)
		return err_set(err, ERR_USAGE, "expecting boolean value for flag --%s, not: %.64s",
			       rule->name, rest + 1);
	return 0;
}

static int check_flags(const struct instruction *instruction, const struct flag_rule *rules,
		       struct error *err)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < instruction->flags.nr; i++) {
		const char *flag = instruction->flags.items[i], *rest = NULL;
		size_t k = 0, len = strcspn(flag, "=");

		while (rules[k].name && !(rest = flag_rest(flag, rules[k].name)))
			k++;
		if (!rest)
			return err_set(err, ERR_USAGE, "unknown flag: %.*s",
				       len < 64 ? (int)len : 64, flag);
		if (seen & 1u << k && rules[k].type != FLAG_LIST)
			return err_set(err, ERR_USAGE, "duplicate flag specified: --%s",
				       rules[k].name);
		seen |= 1u << k;
		if (check_flag(&rules[k], rest, err) < 0)
			return -1;
	}
	return 0;
}

const char *instruction_flag(const struct instruction *instruction, const char *name)
{
	for (size_t i = 0; i < instruction->flags.nr; i++) {
		const char *rest = flag_rest(instruction->flags.items[i], name);

		if (rest)
			return *rest ? rest + 1 : "true";
	}
	return NULL;
}

bool instruction_flag_is_set(const struct instruction *instruction, const char *name)
{
	const char *value = instruction_flag(instruction, name);

	return value && strcasecmp(value, "true") == 0;
}

void instruction_flag_list(const struct instruction *instruction, const char *name,
			   struct strlist *ret)
{
	for (size_t i = 0; i < instruction->flags.nr; i++) {
		const char *rest = flag_rest(instruction->flags.items[i], name);

		if (rest && *rest)
			strlist_add(ret, rest + 1);
	}
}

/* ---- arguments ---- */

static char *copy_trimmed(const char *text, size_t len)
{
	while (len && strchr(BLANKS, text[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, text);
}

/* JSON, or the text as it is */
static int split_command(const char *rest, struct instruction *ret, struct error *err)
{
	if (words_json(rest, &ret->args, &ret->is_json, err) < 0)
		return -1;
	if (!ret->is_json && *rest)
		strlist_add(&ret->args, rest);
	return 0;
}

static int split_health(const char *rest, struct instruction *ret, struct error *err)
{
	size_t len = strcspn(rest, BLANKS);
	char *type;

	if (!len)
		return 0;
	type = xasprintf("%.*s", (int)len, rest);
	for (char *p = type; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	strlist_take(&ret->args, type);
	return split_command(words_skip_blanks(rest + len), ret, err);
}

static int split(const struct row *row, const char *rest, char escape, struct instruction *ret,
		 struct error *err)
{
	switch (row->shape) {
	case SHAPE_COMMAND:
		return split_command(rest, ret, err);
	case SHAPE_LIST:
		if (words_json(rest, &ret->args, &ret->is_json, err) < 0)
			return -1;
		if (!ret->is_json)
			words_split(rest, &ret->args);
		return 0;
	case SHAPE_WORDS:
		words_split(rest, &ret->args);
		return 0;
	case SHAPE_TEXT:
		if (*rest)
			strlist_add(&ret->args, rest);
		return 0;
	case SHAPE_PAIRS:
		return words_pairs(rest, escape, row->name, &ret->args, err);
	case SHAPE_NAMES:
		words_split_quoted(rest, escape, &ret->args);
		return 0;
	case SHAPE_HEALTH:
		return split_health(rest, ret, err);
	}
	return 0;
}

static int check_arity(const struct row *row, const struct strlist *args, struct error *err)
{
	if (row->arity == ARITY_ONE && args->nr != 1)
		return err_set(err, ERR_USAGE, "%s requires exactly one argument", row->name);
	if (row->arity == ARITY_SOME && !args->nr)
		return err_set(err, ERR_USAGE, "%s requires at least one argument", row->name);
	if (row->arity == ARITY_TWO && args->nr < 2)
		return err_set(err, ERR_USAGE,
			       "%s requires at least two arguments, but only one was provided. "
			       "Destination could not be determined",
			       row->name);
	if (row->arity == ARITY_FROM && args->nr != 1 &&
	    (args->nr != 3 || strcasecmp(args->items[1], "as") != 0))
		return err_set(err, ERR_USAGE, "FROM requires either one or three arguments");
	return 0;
}

/* ---- what single instructions demand ---- */

static int check_stage_name(const struct strlist *args, struct error *err)
{
	const char *p = args->nr == 3 ? args->items[2] : "a";

	if (isalpha((unsigned char)*p))
		p += strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	if (*p)
		return err_set(err, ERR_USAGE,
			       "invalid name for build stage: \"%.128s\", name can't start with a "
			       "number or contain symbols",
			       args->items[2]);
	return 0;
}

static int check_names(const struct instruction *instruction, struct error *err)
{
	bool pairs = instruction->kind != INSTRUCTION_ARG;

	for (size_t i = 0; i < instruction->args.nr; i += 1 + pairs) {
		char first = *instruction->args.items[i];

		if (pairs ? !first : first == '=')
			return err_set(err, ERR_USAGE, "%s names can not be blank",
				       instruction->name);
	}
	return 0;
}

static int check_volumes(const struct strlist *args, struct error *err)
{
	for (size_t i = 0; i < args->nr; i++)
		if (!*words_skip_blanks(args->items[i]))
			return err_set(err, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
	return 0;
}

/* The trigger is read when it is triggered; only what can never be one is refused now. */
static int check_trigger(const char *text, char escape, struct error *err)
{
	size_t len = strcspn(text, BLANKS);
	enum instruction_kind kind = instruction_find(text, len);
	auto_instruction struct instruction ignored = { 0 };
	auto_strlist struct strlist flags = { 0 };

	if (kind == INSTRUCTION_ONBUILD)
		return err_set(err, ERR_USAGE,
			       "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER)
		return err_set(err, ERR_USAGE, "%s isn't allowed as an ONBUILD trigger",
			       rows[kind - 1].name);
	if (!kind)
		return 0;
	return split(&rows[kind - 1], words_flags(text + len, escape, &flags), escape, &ignored,
		     err);
}

static int check_meaning(const struct instruction *instruction, char escape, struct error *err)
{
	auto_json json_t *health = NULL;

	switch (instruction->kind) {
	case INSTRUCTION_FROM:
		return check_stage_name(&instruction->args, err);
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return check_names(instruction, err);
	case INSTRUCTION_VOLUME:
		return check_volumes(&instruction->args, err);
	case INSTRUCTION_ONBUILD:
		return check_trigger(instruction->args.items[0], escape, err);
	case INSTRUCTION_HEALTHCHECK:
		return healthcheck_make(instruction, &health, err);
	case INSTRUCTION_SHELL:
		if (!instruction->is_json)
			return err_set(err, ERR_USAGE,
				       "SHELL requires the arguments to be in JSON form");
		return 0;
	default:
		return 0;
	}
}

/* ---- the whole ---- */

static int parse(const struct row *row, const char *text, char escape, struct instruction *ret,
		 struct error *err)
{
	const char *rest = words_flags(text, escape, &ret->flags);
	auto_free char *trimmed = copy_trimmed(rest, strlen(rest));

	/* Before the arity: ENV without a word has its own sentence. */
	if (check_flags(ret, row->flags, err) < 0 || split(row, trimmed, escape, ret, err) < 0 ||
	    check_arity(row, &ret->args, err) < 0)
		return -1;
	return check_meaning(ret, escape, err);
}

int instruction_parse(const char *line, char escape, struct instruction *ret, struct error *err)
{
	auto_instruction struct instruction made = { 0 };
	size_t len = strcspn(line, BLANKS);

	*ret = (struct instruction){ 0 };
	made.kind = instruction_find(line, len);
	if (!made.kind)
		return unknown_instruction(line, len, err);
	made.name = rows[made.kind - 1].name;
	if (parse(&rows[made.kind - 1], line + len, escape, &made, err) < 0)
		return -1;
	*ret = made;
	made = (struct instruction){ 0 };
	return 0;
}

bool instruction_takes_heredocs(const char *line, char escape)
{
	size_t len = strcspn(line, BLANKS);
	enum instruction_kind kind = instruction_find(line, len);
	auto_strlist struct strlist flags = { 0 }, words = { 0 };
	const char *rest = words_flags(line + len, escape, &flags);
	struct error err;
	bool is_json;

	if (kind == INSTRUCTION_ONBUILD) {
		len = strcspn(rest, BLANKS);
		kind = instruction_find(rest, len);
		rest = words_flags(rest + len, escape, &flags);
	}
	if (kind != INSTRUCTION_ADD && kind != INSTRUCTION_COPY && kind != INSTRUCTION_RUN)
		return false;
	return words_json(rest, &words, &is_json, &err) < 0 || !is_json;
}
