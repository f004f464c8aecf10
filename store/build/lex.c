/* SPDX-License-Identifier: Apache-2.0 */
#include "build/lex.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "limits.h"
#include "oci/expand.h"
#include "oci/instruction.h"
#include "oci/words.h"

#define BLANKS " \t\n\v\f\r"
#define BOM    "\xef\xbb\xbf"

/* A Dockerfile at work. */
struct reader {
	struct lex *lex;
	struct words_source source;
	struct lex_range *where;
};

void lex_heredoc_done(struct lex_heredoc *heredoc)
{
	free(heredoc->name);
	buf_done(&heredoc->body);
	*heredoc = (struct lex_heredoc){ 0 };
}

static void line_done(struct lex_line *line)
{
	for (size_t i = 0; i < line->nr_heredocs; i++)
		lex_heredoc_done(&line->heredocs[i]);
	free(line->heredocs);
	free(line->text);
}

void lex_done(struct lex *lex)
{
	for (size_t i = 0; i < lex->nr_lines; i++)
		line_done(&lex->lines[i]);
	for (size_t i = 0; i < lex->nr_warnings; i++)
		free(lex->warnings[i].text);
	free(lex->lines);
	free(lex->warnings);
	free(lex->syntax);
	*lex = (struct lex){ 0 };
}

/* ---- the whole file ---- */

/* What no line may be; said before anything is read, so that lines can be strings. */
static int check_bytes(const char *text, size_t len, struct lex_range *where, struct error *err)
{
	const char *end = text + len;

	for (unsigned int nr = 1; text < end; nr++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((newline ? newline : end) - text);

		*where = (struct lex_range){ nr, nr };
		if (memchr(text, '\0', line))
			return err_set(err, ERR_USAGE, "dockerfile line contains a NUL byte");
		if (line > WORDS_LINE_MAX)
			return err_set(err, ERR_LIMIT,
				       "dockerfile line greater than max allowed size of %d",
				       WORDS_LINE_MAX);
		text += line + 1;
	}
	*where = (struct lex_range){ 0 };
	return 0;
}

/* ---- directives ---- */

static const char *const directives[] = { "check", "escape", "syntax" };
#define NR_DIRECTIVES (sizeof(directives) / sizeof(*directives))

static char *copy(const char *text, size_t len)
{
	return xasprintf("%.*s", (int)len, text);
}

/* "# key = value": the index of the key, or -1 for what is no directive. */
static int match_directive(const char *line, size_t len, char **ret_value)
{
	auto_free char *text = copy(line, len);
	const char *p = words_skip_blanks(text), *key;
	size_t key_len, value_len;

	if (*p != '#')
		return -1;
	key = words_skip_blanks(p + 1);
	for (key_len = 0; isalnum((unsigned char)key[key_len]); key_len++)
		;
	p = words_skip_blanks(key + key_len);
	if (!key_len || isdigit((unsigned char)*key) || *p != '=')
		return -1;
	p = words_skip_blanks(p + 1);
	for (value_len = strlen(p); value_len && strchr(BLANKS, p[value_len - 1]); value_len--)
		;
	for (size_t i = 0; value_len && i < NR_DIRECTIVES; i++) {
		if (strlen(directives[i]) != key_len || strncasecmp(directives[i], key, key_len))
			continue;
		*ret_value = copy(p, value_len);
		return (int)i;
	}
	return -1;
}

static int apply_directive(struct lex *lex, int key, char **value, struct error *err)
{
	if (strcmp(directives[key], "syntax") == 0)
		lex->syntax = take_ptr(*value);
	if (strcmp(directives[key], "escape") != 0)
		return 0;
	assert(*value); /* match_directive() has found one */
	if (strcmp(*value, "\\") != 0 && strcmp(*value, "`") != 0)
		return err_set(err, ERR_USAGE,
			       "invalid escape token '%.64s' does not match ` or \\", *value);
	lex->escape = **value;
	return 0;
}

/* They stand at the very top; the lines are comments, so the reader may see them again. */
static int read_directives(struct reader *reader, struct error *err)
{
	const char *at = reader->source.at;
	bool seen[NR_DIRECTIVES] = { 0 };

	for (unsigned int nr = 1; *at; nr++) {
		size_t len = strcspn(at, "\n");
		auto_free char *value = NULL;
		int key = match_directive(at, len, &value);

		if (key < 0)
			break;
		*reader->where = (struct lex_range){ nr, nr };
		if (seen[key])
			return err_set(err, ERR_USAGE, "only one %s parser directive can be used",
				       directives[key]);
		seen[key] = true;
		if (apply_directive(reader->lex, key, &value, err) < 0)
			return -1;
		at += len + (at[len] == '\n');
	}
	return 0;
}

/* ---- heredocs ---- */

bool lex_heredoc_word(const char *word, struct lex_heredoc *ret)
{
	struct expand_scope scope = expand_scope(NULL, '\\');
	auto_buf struct buf name = { 0 };
	unsigned long fd = 0;
	struct error err;
	const char *p = word;

	for (; isdigit((unsigned char)*p); p++)
		fd = fd > 0xffff ? fd : 10 * fd + (unsigned long)(*p - '0');
	if (p[0] != '<' || p[1] != '<')
		return false;
	p += 2;
	*ret = (struct lex_heredoc){ .fd = (unsigned int)fd, .strip_tabs = *p == '-' };
	p += ret->strip_tabs;
	if (!*p || strchr(p, '<'))
		return false;
	/* No variable stands for anything here; unquoted it is part of the name. */
	if (!strpbrk(p, "'\"\\"))
		buf_puts(&name, p);
	else if (expand_word(p, &scope, &name, &err) < 0 || !name.len)
		return false;
	ret->expand = strcmp(name.data, p) == 0;
	ret->name = buf_take(&name);
	return true;
}

/* Is a line of the body the one that ends it? */
static bool ends_heredoc(const struct lex_heredoc *heredoc, const char *line, size_t len)
{
	while (len && line[len - 1] == '\r')
		len--;
	while (heredoc->strip_tabs && len && *line == '\t') {
		line++;
		len--;
	}
	return strlen(heredoc->name) == len && memcmp(heredoc->name, line, len) == 0;
}

static int read_body(struct words_source *source, struct lex_heredoc *heredoc, struct error *err)
{
	buf_puts(&heredoc->body, "");
	while (*source->at) {
		const char *line = source->at;
		size_t len = strcspn(line, "\n"), whole = len + (line[len] == '\n');

		source->at += whole;
		source->line++;
		if (ends_heredoc(heredoc, line, len))
			return 0;
		buf_append(&heredoc->body, line, whole);
	}
	return err_set(err, ERR_USAGE, "unterminated heredoc");
}

static int read_heredocs(struct reader *reader, struct lex_line *line, struct error *err)
{
	auto_strlist struct strlist words = { 0 };

	if (!strstr(line->text, "<<") ||
	    !instruction_takes_heredocs(line->text, reader->lex->escape))
		return 0;
	words_split_quoted(line->text, '\\', &words);
	for (size_t i = 0; i < words.nr; i++) {
		struct lex_heredoc heredoc;
		int done;

		if (!lex_heredoc_word(words.items[i], &heredoc))
			continue;
		line->heredocs =
			xrealloc(line->heredocs, (line->nr_heredocs + 1) * sizeof(*line->heredocs));
		line->heredocs[line->nr_heredocs++] = heredoc;
		done = line->nr_heredocs > LIMIT_HEREDOCS
			       ? err_set(err, ERR_LIMIT, "more than %d heredocs in an instruction",
					 LIMIT_HEREDOCS)
			       : read_body(&reader->source, &line->heredocs[line->nr_heredocs - 1],
					   err);
		line->range.last = reader->source.line;
		if (done < 0)
			return -1;
	}
	return 0;
}

void lex_heredoc_text(const struct lex_heredoc *heredoc, struct buf *ret)
{
	const char *at = heredoc->body.data;

	buf_puts(ret, "");
	while (at && *at) {
		size_t len;

		at += heredoc->strip_tabs ? strspn(at, "\t") : 0;
		len = strcspn(at, "\n");
		len += at[len] == '\n';
		buf_append(ret, at, len);
		at += len;
	}
}

/* ---- lines ---- */

static void add_warning(struct lex *lex, const struct lex_line *line)
{
	lex->warnings = xrealloc(lex->warnings, (lex->nr_warnings + 1) * sizeof(*lex->warnings));
	lex->warnings[lex->nr_warnings++] = (struct lex_warning){
		.text = xasprintf("Empty continuation line found in: %s", line->text),
		.range = line->range,
	};
}

/* Takes the text; the line belongs to the list whatever becomes of it. */
static int add_line(struct reader *reader, struct buf *text, struct error *err)
{
	struct lex *lex = reader->lex;
	bool valid = utf8_is_valid(text->data, text->len);
	struct lex_line *line;

	lex->lines = xrealloc(lex->lines, (lex->nr_lines + 1) * sizeof(*lex->lines));
	line = &lex->lines[lex->nr_lines++];
	*line = (struct lex_line){ .text = buf_take(text),
				   .range = { reader->source.first, reader->source.line } };
	*reader->where = line->range;
	if (lex->nr_lines > LIMIT_INSTRUCTIONS)
		return err_set(err, ERR_LIMIT, "more than %d instructions", LIMIT_INSTRUCTIONS);
	if (!valid)
		return err_set(err, ERR_USAGE, "instruction is not valid UTF-8");
	if (reader->source.has_gap)
		add_warning(lex, line);
	if (read_heredocs(reader, line, err) < 0) {
		*reader->where = line->range;
		return -1;
	}
	return 0;
}

static int read_lines(struct reader *reader, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (read_directives(reader, err) < 0)
		return -1;
	reader->source.escape = reader->lex->escape;
	while (words_logical_line(&reader->source, &text))
		if (add_line(reader, &text, err) < 0)
			return -1;
	return 0;
}

int lex_read(const void *data, size_t len, struct lex *ret, struct lex_range *ret_where,
	     struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct lex_range where = { 0 };
	auto_lex struct lex lex = { .escape = '\\' };
	struct reader reader = { .lex = &lex, .where = &where };
	int done;

	*ret = (struct lex){ 0 };
	*ret_where = (struct lex_range){ 0 };
	if (len > LIMIT_DOCKERFILE_BYTES)
		return err_set(err, ERR_LIMIT, "the Dockerfile is larger than %u bytes",
			       LIMIT_DOCKERFILE_BYTES);
	buf_append(&text, data, len);
	reader.source.at = text.data;
	if (strncmp(text.data, BOM, sizeof(BOM) - 1) == 0)
		reader.source.at += sizeof(BOM) - 1;
	done = check_bytes(text.data, text.len, &where, err);
	if (done == 0)
		done = read_lines(&reader, err);
	if (done < 0) {
		*ret_where = where;
		return -1;
	}
	*ret = lex;
	lex = (struct lex){ 0 };
	return 0;
}
