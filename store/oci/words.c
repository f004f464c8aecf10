/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonfield.h"

static bool is_blank(char c)
{
	return c && strchr(" \t\n\v\f\r", c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

const char *words_skip_blanks(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Does the line end in one escape character? *len is cut before it then. */
static bool goes_on(const char *line, size_t *len, char escape)
{
	size_t end = *len;

	while (end && (line[end - 1] == ' ' || line[end - 1] == '\t'))
		end--;
	if (!end || line[end - 1] != escape || (end > 1 && line[end - 2] == escape))
		return false;
	*len = end - 1;
	return true;
}

bool words_logical_line(const char **text, char escape, struct buf *ret)
{
	bool joined = false;

	buf_reset(ret);
	while (**text) {
		const char *line = *text, *first;
		size_t len = strcspn(line, "\n");

		*text += len + (line[len] == '\n');
		if (len && line[len - 1] == '\r')
			len--;
		for (first = line; first < line + len && is_blank(*first); first++)
			;
		if (first == line + len || *first == '#')
			continue;
		if (!joined) {
			len -= (size_t)(first - line);
			line = first;
		}
		joined = goes_on(line, &len, escape);
		buf_append(ret, line, len);
		if (!joined)
			return true;
	}
	return ret->len > 0;
}

/* Moves what was collected to the list. */
static void end_word(struct buf *word, struct strlist *ret)
{
	strlist_take(ret, buf_take(word));
}

/* One flag; returns what ended it. */
static const char *take_flag(const char *p, char escape, struct buf *ret)
{
	char quote = 0;

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == escape && !*++p)
			break;
		buf_putc(ret, *p);
	}
	return p;
}

const char *words_flags(const char *text, char escape, struct strlist *ret)
{
	const char *p = words_skip_blanks(text);

	while (p[0] == '-' && p[1] == '-') {
		auto_buf struct buf flag = { 0 };

		p = words_skip_blanks(take_flag(p, escape, &flag));
		if (strcmp(flag.data, "--") == 0)
			break;
		end_word(&flag, ret);
	}
	return p;
}

void words_split(const char *text, struct strlist *ret)
{
	const char *p = words_skip_blanks(text);

	while (*p) {
		auto_buf struct buf word = { 0 };

		for (; *p && !is_blank(*p); p++)
			buf_putc(&word, *p);
		end_word(&word, ret);
		p = words_skip_blanks(p);
	}
}

void words_split_quoted(const char *text, char escape, struct strlist *ret)
{
	const char *p = words_skip_blanks(text);

	while (*p) {
		auto_buf struct buf word = { 0 };
		char quote = 0;

		for (; *p && (quote || !is_blank(*p)); p++) {
			if (*p == escape && quote != '\'') {
				if (!p[1])
					continue; /* a lone one at the end disappears */
				buf_putc(&word, *p++);
			} else if (quote ? *p == quote : *p == '\'' || *p == '"') {
				quote = quote ? 0 : *p;
			}
			buf_putc(&word, *p);
		}
		if (word.len)
			end_word(&word, ret);
		p = words_skip_blanks(p);
	}
}

int words_json(const char *text, struct strlist *ret, bool *ret_is_json, struct error *err)
{
	auto_json json_t *json = NULL;
	bool strings = true;
	struct error why;

	*ret_is_json = false;
	text = words_skip_blanks(text);
	if (*text != '[')
		return 0;
	if (jsonfield_load(text, strlen(text), WORDS_LINE_MAX, &json, &why) < 0) {
		if (why.kind != ERR_LIMIT)
			return 0;
		strings = false; /* too deep, so there is an array in it */
	}
	for (size_t i = 0; i < json_array_size(json); i++)
		strings = strings && json_is_string(json_array_get(json, i));
	if (!strings)
		return err_set(
			err, ERR_USAGE,
			"when using JSON array syntax, arrays must be comprised of strings only");
	for (size_t i = 0; i < json_array_size(json); i++)
		strlist_add(ret, json_string_value(json_array_get(json, i)));
	*ret_is_json = true;
	return 0;
}

static void add_pair(const char *key, size_t key_len, const char *value, struct strlist *ret)
{
	auto_buf struct buf buf = { 0 };

	buf_append(&buf, key, key_len);
	end_word(&buf, ret);
	strlist_add(ret, value);
}

int words_pairs(const char *text, char escape, const char *name, struct strlist *ret,
		struct error *err)
{
	auto_strlist struct strlist words = { 0 };

	text = words_skip_blanks(text);
	words_split_quoted(text, escape, &words);
	if (!words.nr)
		return err_set(err, ERR_USAGE, "%s requires at least one argument", name);
	if (!strchr(words.items[0], '=')) {
		size_t len = strcspn(text, " \t\n\v\f\r");
		const char *rest = words_skip_blanks(text + len);

		if (!*rest)
			return err_set(err, ERR_USAGE, "%s must have two arguments", name);
		add_pair(text, len, rest, ret);
		return 0;
	}
	for (size_t i = 0; i < words.nr; i++) {
		const char *word = words.items[i], *equals = strchr(word, '=');

		if (!equals)
			return err_set(err, ERR_USAGE,
				       "Syntax error - can't find = in \"%.256s\". "
				       "Must be of the form: name=value",
				       word);
		if (equals == word)
			return err_set(err, ERR_USAGE, "%s names can not be blank", name);
		add_pair(word, (size_t)(equals - word), equals + 1, ret);
	}
	return 0;
}

/* What the text at hand stands in. */
struct level {
	char close;	  /* '"' of a quote, '}' of a substitution */
	char modifier;	  /* of a substitution: - + ? */
	bool empty_unset; /* it follows a colon: an empty value counts as none */
	const char *name; /* of the variable, name_len bytes */
	size_t name_len;
	size_t start; /* of the word behind the modifier, in the output */
};

struct expansion {
	struct words_scope *scope;
	const char *p; /* next byte of the text */
	struct buf *out;
	struct buf *literal; /* a byte for each of out: 1 where a blank ends no word; or NULL */
	struct level levels[WORDS_DEPTH_MAX];
	size_t nr_levels;
};

/* @quoted: by a single quote or an escape, here */
static int emit(struct expansion *x, const char *data, size_t len, bool quoted, struct error *err)
{
	/* The value of a substitution is split even where the word in it was quoted. */
	bool literal = x->nr_levels ? x->levels[0].close == '"' : quoted;

	if (len > x->scope->left)
		return err_set(err, ERR_LIMIT, "variables make an instruction longer than %d bytes",
			       WORDS_EXPANDED_MAX);
	x->scope->left -= len;
	buf_append(x->out, data, len);
	for (size_t i = 0; x->literal && i < len; i++)
		buf_putc(x->literal, (char)literal);
	return 0;
}

static void cut_output(struct expansion *x, size_t len)
{
	x->out->len = len;
	x->out->data[len] = '\0';
	if (x->literal)
		x->literal->len = len;
}

static int push_level(struct expansion *x, const struct level *level, struct error *err)
{
	if (x->nr_levels == WORDS_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "substitutions are nested deeper than %d levels",
			       WORDS_DEPTH_MAX);
	x->levels[x->nr_levels++] = *level;
	return 0;
}

/* Borrowed from the scope; NULL when unset. */
static const char *find_value(const struct expansion *x, const char *name, size_t len)
{
	char *const *env = x->scope->env;

	for (; len && env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static int emit_value(struct expansion *x, const char *value, struct error *err)
{
	return value ? emit(x, value, strlen(value), false, err) : 0;
}

/* Bytes of the name at hand; 0 when there is none. */
static size_t name_length(const char *p)
{
	size_t len = 0;

	if (*p && strchr("@*#?-$!", *p))
		return 1;
	if (is_digit(*p)) {
		while (is_digit(p[len]))
			len++;
		return len;
	}
	while (is_name_char(p[len]))
		len++;
	return len;
}

static int missing_brace(struct error *err)
{
	return err_set(err, ERR_USAGE, "syntax error: missing '}'");
}

static int bad_modifier(const char *modifier, struct error *err)
{
	int len = 1 + (*modifier == ':');

	while ((modifier[len] & 0xc0) == 0x80)
		len++;
	return err_set(err, strchr("#%/", *modifier) ? ERR_UNSUPPORTED : ERR_USAGE,
		       "unsupported modifier (%.*s) in substitution", len, modifier);
}

/* "${": up to the word behind a modifier, or the whole when there is none. */
static int take_braces(struct expansion *x, struct error *err)
{
	struct level level = { .close = '}' };
	const char *modifier;

	if (!*x->p)
		return missing_brace(err);
	if (strchr("{}:", *x->p))
		return err_set(err, ERR_USAGE, "syntax error: bad substitution");
	level.name = x->p;
	level.name_len = name_length(x->p);
	modifier = x->p += level.name_len;
	level.empty_unset = *x->p == ':';
	x->p += level.empty_unset;
	if (!*x->p)
		return missing_brace(err);
	level.modifier = *x->p++;
	if (level.modifier == '}' && !level.empty_unset)
		return emit_value(x, find_value(x, level.name, level.name_len), err);
	if (!strchr("-+?", level.modifier))
		return bad_modifier(modifier, err);
	level.start = x->out->len;
	return push_level(x, &level, err);
}

static int take_dollar(struct expansion *x, struct error *err)
{
	const char *name = ++x->p;
	size_t len;

	if (*name == '{') {
		x->p++;
		return take_braces(x, err);
	}
	len = name_length(name);
	x->p += len;
	return len ? emit_value(x, find_value(x, name, len), err) : emit(x, "$", 1, false, err);
}

/* '}': the word of a substitution is in the output; it stays, goes, or makes room for the value. */
static int close_braces(struct expansion *x, struct error *err)
{
	const struct level level = x->levels[--x->nr_levels];
	const char *value = find_value(x, level.name, level.name_len);
	bool unset = !value || (level.empty_unset && !*value);
	const char *word = x->out->data + level.start;

	x->p++;
	if (level.modifier == '?' && unset) {
		if (!*word)
			word = value ? "is not allowed to be empty" : "is not allowed to be unset";
		return err_set(err, ERR_USAGE, "%.*s: %.512s",
			       level.name_len < 256 ? (int)level.name_len : 256, level.name, word);
	}
	if (level.modifier == (unset ? '-' : '+'))
		return 0;
	cut_output(x, level.start);
	return level.modifier == '+' ? 0 : emit_value(x, value, err);
}

static int take_single_quoted(struct expansion *x, struct error *err)
{
	const char *start = ++x->p, *end = strchr(start, '\'');

	if (!end)
		return err_set(
			err, ERR_USAGE,
			"unexpected end of statement while looking for matching single-quote");
	x->p = end + 1;
	return emit(x, start, (size_t)(end - start), true, err);
}

/* Between double quotes the escape character acts before three characters only. */
static int take_quoted_char(struct expansion *x, struct error *err)
{
	char escape = x->scope->escape;

	if (*x->p == '"') {
		x->p++;
		x->nr_levels--;
		return 0;
	}
	if (*x->p == escape && (x->p[1] == '"' || x->p[1] == '$' || x->p[1] == escape))
		x->p++;
	return emit(x, x->p++, 1, true, err);
}

static int take_char(struct expansion *x, struct error *err)
{
	bool escaped;

	if (*x->p == '\'')
		return take_single_quoted(x, err);
	if (*x->p == '"') {
		x->p++;
		return push_level(x, &(struct level){ .close = '"' }, err);
	}
	escaped = *x->p == x->scope->escape;
	if (escaped && !*++x->p)
		return 0;
	return emit(x, x->p++, 1, escaped, err);
}

static int check_closed(const struct expansion *x, struct error *err)
{
	if (!x->nr_levels)
		return 0;
	for (size_t i = 0; i < x->nr_levels; i++)
		if (x->levels[i].close == '}')
			return missing_brace(err);
	return err_set(err, ERR_USAGE,
		       "unexpected end of statement while looking for matching double-quote");
}

static int expand(const char *text, struct words_scope *scope, struct buf *out, struct buf *literal,
		  struct error *err)
{
	struct expansion x = { .scope = scope, .p = text, .out = out, .literal = literal };

	buf_reset(out);
	buf_append(out, "", 0); /* an empty result is a string too */
	while (*x.p) {
		char close = x.nr_levels ? x.levels[x.nr_levels - 1].close : 0;
		int done;

		if (*x.p == '$')
			done = take_dollar(&x, err);
		else if (close == '"')
			done = take_quoted_char(&x, err);
		else if (close && *x.p == close)
			done = close_braces(&x, err);
		else
			done = take_char(&x, err);
		if (done < 0)
			return -1;
	}
	return check_closed(&x, err);
}

int words_expand(const char *text, struct words_scope *scope, struct buf *ret, struct error *err)
{
	return expand(text, scope, ret, NULL, err);
}

int words_expand_split(const char *text, struct words_scope *scope, struct strlist *ret,
		       struct error *err)
{
	auto_buf struct buf out = { 0 }, literal = { 0 }, word = { 0 };

	if (expand(text, scope, &out, &literal, err) < 0)
		return -1;
	for (size_t i = 0; i < out.len; i++) {
		if (literal.data[i] || !is_blank(out.data[i]))
			buf_putc(&word, out.data[i]);
		else if (word.len)
			end_word(&word, ret);
	}
	if (word.len)
		end_word(&word, ret);
	return 0;
}
