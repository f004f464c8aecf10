/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildshow - what the parsers of the build room make of a text, as lines
 *
 * Shared by test-tool and by the spec folders tests/spec/{dockerfile,expand,ignore}.
 */
#ifndef BUILDSHOW_H
#define BUILDSHOW_H

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/path.h"
#include "base/utf8.h"
#include "build/ignore.h"
#include "build/parse.h"
#include "oci/expand.h"

static inline void buildshow_list(const struct strlist *list, struct buf *out)
{
	auto_json json_t *array = json_array();

	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_string(list->items[i]));
	jsonfield_write(array, out);
}

static inline void buildshow_heredocs(const struct lex_line *line, struct buf *out)
{
	auto_json json_t *array = json_array();

	for (size_t i = 0; i < line->nr_heredocs; i++) {
		auto_buf struct buf body = { 0 }, clean = { 0 };
		const char *at, *end;

		lex_heredoc_text(&line->heredocs[i], &body);
		end = body.data + body.len;
		for (at = body.data; at < end;)
			utf8_put(&clean, utf8_next(&at, end, NULL));
		json_array_append_new(array, json_stringn(clean.data ? clean.data : "", clean.len));
	}
	jsonfield_write(array, out);
}

/* One line for each instruction: name, flags, arguments, bodies of heredocs. */
static inline void buildshow_dockerfile(const struct dockerfile *file, struct buf *out)
{
	for (size_t i = 0; i < file->nr_steps; i++) {
		const struct dockerfile_step *step = &file->steps[i];

		for (const char *p = step->instruction.name; *p; p++)
			buf_putc(out, (char)tolower((unsigned char)*p));
		buf_putc(out, ' ');
		buildshow_list(&step->instruction.flags, out);
		buf_putc(out, ' ');
		buildshow_list(&step->instruction.args, out);
		buf_putc(out, ' ');
		buildshow_heredocs(step->line, out);
		buf_putc(out, '\n');
	}
}

static inline int buildshow_expand(const char *word, char *const *env, char escape, struct buf *out,
				   struct error *err)
{
	struct expand_scope scope = expand_scope(env, escape);
	auto_buf struct buf text = { 0 };

	if (expand_word(word, &scope, &text, err) < 0)
		return -1;
	buf_append(out, text.data, text.len);
	buf_putc(out, '\n');
	return 0;
}

static inline int buildshow_words(const char *word, char *const *env, char escape, struct buf *out,
				  struct error *err)
{
	struct expand_scope scope = expand_scope(env, escape);
	auto_strlist struct strlist words = { 0 };

	if (expand_words(word, &scope, &words, err) < 0)
		return -1;
	buildshow_list(&words, out);
	buf_putc(out, '\n');
	return 0;
}

static inline const char *buildshow_ignore(const struct ignore *ignore, const char *path)
{
	auto_buf struct buf clean = { 0 };
	struct error err;

	if (path_clean(path + strspn(path, "/"), &clean, &err) < 0)
		return "kept"; /* not of the context at all */
	return ignore_excludes(ignore, clean.data) ? "excluded" : "kept";
}

#endif
