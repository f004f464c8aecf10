/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/expand.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/subst.h"

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

/* What the text at hand stands in. */
struct level {
	char close;	  /* '"' of a quote, '}' of a substitution, '/' of its pattern */
	char modifier;	  /* of a substitution: - + ? # % / */
	bool empty_unset; /* it follows a colon: an empty value counts as none */
	bool greedy;	  /* it is doubled: the longest, or all */
	bool raw;	  /* escapes stay, for they are part of a pattern */
	const char *name; /* of the variable, name_len bytes */
	size_t name_len;
	size_t start;	    /* of the word behind the modifier, in the output */
	size_t replacement; /* behind the pattern, in the output */
};

struct expansion {
	struct expand_scope *scope;
	const char *p; /* next byte of the text */
	struct buf *out;
	struct buf *literal; /* a byte for each of out: 1 where a blank ends no word; or NULL */
	struct level levels[EXPAND_DEPTH_MAX];
	size_t nr_levels;
};

/* @quoted: by a single quote or an escape, here */
static int emit(struct expansion *x, const char *data, size_t len, bool quoted, struct error *err)
{
	/* The value of a substitution is split even where the word in it was quoted. */
	bool literal = x->nr_levels ? x->levels[0].close == '"' : quoted;

	if (len > x->scope->left)
		return err_set(err, ERR_LIMIT, "variables make an instruction longer than %d bytes",
			       EXPAND_BYTES_MAX);
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
	if (x->nr_levels == EXPAND_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "substitutions are nested deeper than %d levels",
			       EXPAND_DEPTH_MAX);
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

static bool is_raw(const struct expansion *x)
{
	return x->nr_levels && x->levels[x->nr_levels - 1].raw;
}

/* The outermost substitution says what is missing: it is the one that was begun first. */
static int missing_close(const struct expansion *x, const char *quote, struct error *err)
{
	for (size_t i = 0; i < x->nr_levels; i++) {
		if (x->levels[i].close == '}')
			return err_set(err, ERR_USAGE, "syntax error: missing '}'");
		if (x->levels[i].close == '/')
			return err_set(err, ERR_USAGE, "syntax error: missing '/' in ${}");
	}
	return err_set(err, ERR_USAGE,
		       "unexpected end of statement while looking for matching %s-quote", quote);
}

static int missing_brace(const struct expansion *x, struct error *err)
{
	if (x->nr_levels && x->levels[0].close != '"')
		return missing_close(x, "", err);
	return err_set(err, ERR_USAGE, "syntax error: missing '}'");
}

static int bad_modifier(const char *modifier, struct error *err)
{
	int len = 1 + (*modifier == ':');

	while ((modifier[len] & 0xc0) == 0x80)
		len++;
	return err_set(err, ERR_USAGE, "unsupported modifier (%.*s) in substitution", len,
		       modifier);
}

/* The word behind a modifier begins. */
static int open_word(struct expansion *x, struct level *level, struct error *err)
{
	level->start = x->out->len;
	if (strchr("#%/", level->modifier)) {
		level->raw = true;
		level->greedy = *x->p == level->modifier;
		x->p += level->greedy;
	}
	if (level->modifier == '/')
		level->close = '/';
	return push_level(x, level, err);
}

/* "${": up to the word behind a modifier, or the whole when there is none. */
static int take_braces(struct expansion *x, struct error *err)
{
	struct level level = { .close = '}' };
	const char *modifier;

	if (!*x->p)
		return missing_brace(x, err);
	if (strchr("{}:", *x->p))
		return err_set(err, ERR_USAGE, "syntax error: bad substitution");
	level.name = x->p;
	level.name_len = name_length(x->p);
	modifier = x->p += level.name_len;
	level.empty_unset = *x->p == ':';
	x->p += level.empty_unset;
	if (!*x->p)
		return missing_brace(x, err);
	level.modifier = *x->p++;
	if (level.modifier == '}' && !level.empty_unset)
		return emit_value(x, find_value(x, level.name, level.name_len), err);
	if (!strchr(level.empty_unset ? "-+?" : "-+?#%/", level.modifier))
		return bad_modifier(modifier, err);
	return open_word(x, &level, err);
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

/* What stands in the output behind an offset moves into text of its own. */
static char *cut_text(struct expansion *x, size_t start)
{
	char *text = xstrdup(x->out->data + start);

	cut_output(x, start);
	return text;
}

/* '}' of a pattern: the word in the output makes room for the value it changed. */
static int close_pattern(struct expansion *x, const struct level *level, struct error *err)
{
	const char *value = find_value(x, level->name, level->name_len);
	size_t *work = &x->scope->work_left;
	auto_free char *replacement = NULL, *pattern = NULL;
	auto_buf struct buf changed = { 0 };
	int done;

	if (level->modifier == '/')
		replacement = cut_text(x, level->replacement);
	pattern = cut_text(x, level->start);
	if (!value)
		value = "";
	if (level->modifier == '/')
		done = subst_replace(value, pattern, replacement, level->greedy, work, &changed,
				     err);
	else
		done = subst_trim(value, pattern,
				  level->modifier == '#' ? SUBST_PREFIX : SUBST_SUFFIX,
				  level->greedy, work, &changed, err);
	return done < 0 ? -1 : emit(x, changed.data, changed.len, false, err);
}

/* '}': the word of a substitution is in the output; it stays, goes, or makes room for the value. */
static int close_braces(struct expansion *x, struct error *err)
{
	const struct level level = x->levels[--x->nr_levels];
	const char *value = find_value(x, level.name, level.name_len);
	bool unset = !value || (level.empty_unset && !*value);
	const char *word = x->out->data + level.start;

	x->p++;
	if (strchr("#%/", level.modifier))
		return close_pattern(x, &level, err);
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

/* '/' behind a pattern: the replacement follows. */
static int close_word(struct expansion *x, struct error *err)
{
	struct level *level = &x->levels[x->nr_levels - 1];

	if (level->close == '}')
		return close_braces(x, err);
	x->p++;
	level->close = '}';
	level->replacement = x->out->len;
	return 0;
}

static int take_single_quoted(struct expansion *x, struct error *err)
{
	const char *start = ++x->p, *end = strchr(start, '\'');

	if (!end)
		return missing_close(x, "single", err);
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
	if (*x->p == escape) {
		/* In a pattern one that stands for itself is escaped by itself. */
		if (is_raw(x) && emit(x, &escape, 1, true, err) < 0)
			return -1;
		if (x->p[1] == '"' || x->p[1] == '$' || x->p[1] == escape)
			x->p++;
	}
	return emit(x, x->p++, 1, true, err);
}

static int take_char(struct expansion *x, struct error *err)
{
	bool escaped;

	if (*x->p == '\'')
		return take_single_quoted(x, err);
	if (*x->p == '"') {
		x->p++;
		return push_level(x, &(struct level){ .close = '"', .raw = is_raw(x) }, err);
	}
	escaped = *x->p == x->scope->escape;
	if (escaped && is_raw(x) && emit(x, x->p, 1, true, err) < 0)
		return -1;
	if (escaped && !*++x->p)
		return 0;
	return emit(x, x->p++, 1, escaped, err);
}

/* Outside of substitutions a quote is a character, and an escape acts as between quotes of a shell. */
static int take_body_char(struct expansion *x, struct error *err)
{
	char escape = x->scope->escape;

	if (*x->p == escape && (x->p[1] == '$' || x->p[1] == escape))
		x->p++;
	return emit(x, x->p++, 1, true, err);
}

static int run(const char *text, struct expand_scope *scope, bool body, struct buf *out,
	       struct buf *literal, struct error *err)
{
	struct expansion x = { .scope = scope, .p = text, .out = out, .literal = literal };

	buf_reset(out);
	buf_append(out, "", 0); /* an empty result is a string too */
	while (*x.p) {
		char close = x.nr_levels ? x.levels[x.nr_levels - 1].close : 0;
		int done;

		if (*x.p == '$')
			done = take_dollar(&x, err);
		else if (body && !close)
			done = take_body_char(&x, err);
		else if (close == '"')
			done = take_quoted_char(&x, err);
		else if (close && *x.p == close)
			done = close_word(&x, err);
		else
			done = take_char(&x, err);
		if (done < 0)
			return -1;
	}
	return x.nr_levels ? missing_close(&x, "double", err) : 0;
}

struct expand_scope expand_scope(char *const *env, char escape)
{
	return (struct expand_scope){
		.env = env, .left = EXPAND_BYTES_MAX, .work_left = EXPAND_WORK_MAX, .escape = escape
	};
}

int expand_word(const char *text, struct expand_scope *scope, struct buf *ret, struct error *err)
{
	return run(text, scope, false, ret, NULL, err);
}

int expand_body(const char *text, struct expand_scope *scope, struct buf *ret, struct error *err)
{
	return run(text, scope, true, ret, NULL, err);
}

int expand_words(const char *text, struct expand_scope *scope, struct strlist *ret,
		 struct error *err)
{
	auto_buf struct buf out = { 0 }, literal = { 0 }, word = { 0 };

	if (run(text, scope, false, &out, &literal, err) < 0)
		return -1;
	for (size_t i = 0; i < out.len; i++) {
		if (literal.data[i] || !is_blank(out.data[i]))
			buf_putc(&word, out.data[i]);
		else if (word.len)
			strlist_take(ret, buf_take(&word));
	}
	if (word.len)
		strlist_take(ret, buf_take(&word));
	return 0;
}
