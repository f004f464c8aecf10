/* SPDX-License-Identifier: Apache-2.0 */
#include "build/history.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "oci/setting.h"

/* Is the whole text of a RUN one heredoc? */
static bool is_lone_heredoc(const struct dockerfile_step *step)
{
	struct lex_heredoc heredoc;

	if (step->line->nr_heredocs != 1 ||
	    !lex_heredoc_word(step->instruction.args.items[0], &heredoc))
		return false;
	lex_heredoc_done(&heredoc);
	return true;
}

/* A body may hold any bytes; JSON may not. */
static void put_utf8(const char *text, size_t len, struct buf *ret)
{
	const char *end = text + len;

	while (text < end)
		utf8_put(ret, utf8_next(&text, end, NULL));
}

/* What the shell gets: the body of a lone heredoc, or all as it was written. */
static void run_text(const struct dockerfile_step *step, bool lone, struct buf *ret)
{
	const struct lex_line *line = step->line;
	auto_buf struct buf body = { 0 };

	if (lone) {
		lex_heredoc_text(&line->heredocs[0], &body);
		buf_append(ret, body.data, body.len);
		return;
	}
	buf_puts(ret, step->instruction.args.items[0]);
	for (size_t i = 0; i < line->nr_heredocs; i++) {
		const struct lex_heredoc *heredoc = &line->heredocs[i];

		buf_putc(ret, '\n');
		buf_append(ret, heredoc->body.data, heredoc->body.len);
		buf_puts(ret, heredoc->name);
	}
}

void history_run_argv(const struct dockerfile_step *step, const json_t *settings, json_t **ret,
		      const struct lex_heredoc **ret_script)
{
	const struct instruction *instruction = &step->instruction;
	bool lone = !instruction->is_json && is_lone_heredoc(step);
	auto_buf struct buf text = { 0 }, clean = { 0 };

	*ret = json_array();
	*ret_script = NULL;
	if (instruction->is_json) {
		for (size_t i = 0; i < instruction->args.nr; i++)
			json_array_append_new(*ret, json_string(instruction->args.items[i]));
		return;
	}
	run_text(step, lone, &text);
	if (lone && strncmp(text.data, "#!", 2) == 0) {
		*ret_script = &step->line->heredocs[0];
		buf_reset(&text);
		buf_printf(&text, "%s/%s", HISTORY_SCRIPT_FOLDER, (*ret_script)->name);
	}
	buf_puts(&clean, "");
	put_utf8(text.data, text.len, &clean);
	setting_add_shell(settings, *ret);
	json_array_append_new(*ret, json_stringn(clean.data, clean.len));
}

void history_run(const json_t *argv, const char *args, struct buf *ret)
{
	buf_printf(ret, "RUN %s", args);
	for (size_t i = 0; i < json_array_size(argv); i++)
		buf_printf(ret, "%s%s", i ? " " : "", json_string_value(json_array_get(argv, i)));
	buf_puts(ret, " # buildkit");
}

void history_copy(const struct instruction *instruction, const char *chown, const char *chmod,
		  const struct strlist *words, struct buf *ret)
{
	buf_puts(ret, instruction->name);
	if (instruction_flag_is_set(instruction, "parents"))
		buf_puts(ret, " --parents");
	if (chown && *chown)
		buf_printf(ret, " --chown=%s", chown);
	if (chmod && *chmod)
		buf_printf(ret, " --chmod=%s", chmod);
	for (size_t i = 0; i < words->nr; i++)
		buf_printf(ret, " %s", words->items[i]);
	buf_puts(ret, " # buildkit");
}
