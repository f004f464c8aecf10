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

/* The next line of the file, without its end. */
static const char *take_line(struct words_source *source, size_t *ret_len)
{
	const char *line = source->at;
	size_t len = strcspn(line, "\n");

	source->at += len + (line[len] == '\n');
	source->line++;
	*ret_len = len - (len && line[len - 1] == '\r');
	return line;
}

bool words_logical_line(struct words_source *source, struct buf *ret)
{
	bool joined = false;

	buf_reset(ret);
	source->has_gap = false;
	while (*source->at) {
		size_t len;
		const char *line = take_line(source, &len), *first = line;

		while (first < line + len && is_blank(*first))
			first++;
		if (first == line + len)
			source->has_gap = joined || source->has_gap;
		if (first == line + len || *first == '#')
			continue;
		if (!joined) {
			source->first = source->line;
			len -= (size_t)(first - line);
			line = first;
		}
		joined = goes_on(line, &len, source->escape);
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
	if (jsonfield_load(text, strlen(text), WORDS_TEXT_MAX, &json, &why) < 0) {
		if (why.kind != ERR_LIMIT)
			return 0;
		*err = why;
		return -1;
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
