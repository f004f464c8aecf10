/* SPDX-License-Identifier: Apache-2.0 */
#include "build/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/runmount.h"
#include "limits.h"

void dockerfile_done(struct dockerfile *file)
{
	for (size_t i = 0; i < file->nr_steps; i++)
		instruction_done(&file->steps[i].instruction);
	for (size_t i = 0; i < file->nr_stages; i++)
		free(file->stages[i].name);
	free(file->steps);
	free(file->stages);
	lex_done(&file->lex);
	*file = (struct dockerfile){ 0 };
}

/* ---- stages ---- */

static char *lower_case(const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int add_stage(struct dockerfile *file, const struct dockerfile_step *step, struct error *err)
{
	const struct strlist *args = &step->instruction.args;
	struct dockerfile_stage *stage;

	if (file->nr_stages == LIMIT_STAGES)
		return err_set(err, ERR_LIMIT, "more than %d build stages", LIMIT_STAGES);
	file->stages = xrealloc(file->stages, (file->nr_stages + 1) * sizeof(*file->stages));
	stage = &file->stages[file->nr_stages++];
	*stage = (struct dockerfile_stage){
		.from = step,
		.base = args->items[0],
		.platform = instruction_flag(&step->instruction, "platform"),
		.name = args->nr == 3 ? lower_case(args->items[2]) : NULL,
		.first = (size_t)(step - file->steps) + 1,
	};
	return 0;
}

static int place_step(struct dockerfile *file, const struct dockerfile_step *step,
		      struct error *err)
{
	if (step->instruction.kind == INSTRUCTION_FROM)
		return add_stage(file, step, err);
	if (file->nr_stages) {
		file->stages[file->nr_stages - 1].nr++;
		return 0;
	}
	if (step->instruction.kind != INSTRUCTION_ARG)
		return err_set(err, ERR_USAGE, "no build stage in current context");
	file->nr_globals++;
	return 0;
}

/* ---- instructions ---- */

/* What the parser of one line cannot see: its heredocs. */
static int check_heredocs(const struct dockerfile_step *step, struct error *err)
{
	const struct instruction *instruction = &step->instruction;
	struct lex_heredoc heredoc;

	if ((instruction->kind != INSTRUCTION_COPY && instruction->kind != INSTRUCTION_ADD) ||
	    instruction->is_json ||
	    !lex_heredoc_word(instruction->args.items[instruction->args.nr - 1], &heredoc))
		return 0;
	lex_heredoc_done(&heredoc);
	return err_set(err, ERR_USAGE, "%s cannot accept a heredoc as a destination",
		       instruction->name);
}

static int check_mounts(const struct dockerfile_step *step, struct error *err)
{
	auto_strlist struct strlist mounts = { 0 };

	instruction_flag_list(&step->instruction, "mount", &mounts);
	if (mounts.nr > LIMIT_RUN_MOUNTS)
		return err_set(err, ERR_LIMIT, "more than %d mounts", LIMIT_RUN_MOUNTS);
	for (size_t i = 0; i < mounts.nr; i++)
		if (runmount_check(mounts.items[i], err) < 0)
			return -1;
	return 0;
}

static int check_run(const struct instruction *instruction, struct error *err)
{
	const char *network = instruction_flag(instruction, "network");

	if (network && strcmp(network, "default") != 0 && strcmp(network, "none") != 0 &&
	    strcmp(network, "host") != 0)
		return err_set(err, ERR_USAGE, "invalid network mode: %.64s", network);
	return 0;
}

static int parse_step(const struct lex_line *line, char escape, struct dockerfile_step *ret,
		      struct error *err)
{
	ret->line = line;
	if (instruction_parse(line->text, escape, &ret->instruction, err) < 0)
		return -1;
	if (check_heredocs(ret, err) < 0 || check_mounts(ret, err) < 0)
		return -1;
	return check_run(&ret->instruction, err);
}

static int parse_steps(struct dockerfile *file, bool staged, struct lex_range *where,
		       struct error *err)
{
	file->steps = xcalloc(file->lex.nr_lines, sizeof(*file->steps));
	for (size_t i = 0; i < file->lex.nr_lines; i++) {
		const struct lex_line *line = &file->lex.lines[i];

		*where = line->range;
		file->nr_steps++;
		if (parse_step(line, file->lex.escape, &file->steps[i], err) < 0 ||
		    (staged && place_step(file, &file->steps[i], err) < 0))
			return -1;
	}
	*where = (struct lex_range){ 0 };
	return 0;
}

static int parse(const void *data, size_t len, bool staged, struct dockerfile *ret,
		 struct lex_range *where, struct error *err)
{
	auto_dockerfile struct dockerfile file = { 0 };

	*ret = (struct dockerfile){ 0 };
	if (lex_read(data, len, &file.lex, where, err) < 0 ||
	    parse_steps(&file, staged, where, err) < 0)
		return where->first
			       ? err_add(err, "dockerfile parse error on line %u", where->first)
			       : -1;
	if (!file.nr_steps)
		return err_set(err, ERR_USAGE, "file with no instructions");
	*ret = file;
	file = (struct dockerfile){ 0 };
	return 0;
}

int dockerfile_parse(const void *data, size_t len, const char *name, struct dockerfile *ret,
		     struct lex_range *ret_where, struct error *err)
{
	*ret_where = (struct lex_range){ 0 };
	*ret = (struct dockerfile){ 0 };
	if (!len)
		return err_set(err, ERR_USAGE, "the Dockerfile (%s) cannot be empty", name);
	return parse(data, len, true, ret, ret_where, err);
}

int dockerfile_parse_trigger(const char *text, struct dockerfile *ret, struct error *err)
{
	struct lex_range where;

	return parse(text, strlen(text), false, ret, &where, err);
}

void dockerfile_trigger_text(const struct dockerfile_step *step, struct buf *ret)
{
	buf_puts(ret, step->instruction.args.items[0]);
	for (size_t i = 0; i < step->line->nr_heredocs; i++) {
		const struct lex_heredoc *heredoc = &step->line->heredocs[i];

		buf_putc(ret, '\n');
		buf_append(ret, heredoc->body.data, heredoc->body.len);
		buf_puts(ret, heredoc->name);
	}
}

/* ---- names of stages ---- */

/* A plain number; too large ones become the largest. */
static bool parse_index(const char *text, size_t *ret)
{
	if (!isdigit((unsigned char)*text))
		return false;
	for (*ret = 0; isdigit((unsigned char)*text); text++)
		if (*ret < LIMIT_STAGES)
			*ret = 10 * *ret + (size_t)(*text - '0');
	return !*text;
}

/* The last of that name below an index, in any case; -1 */
static ssize_t find_name(const struct dockerfile *file, size_t end, const char *name)
{
	while (end-- > 0)
		if (file->stages[end].name && strcasecmp(file->stages[end].name, name) == 0)
			return (ssize_t)end;
	return -1;
}

int dockerfile_find_target(const struct dockerfile *file, const char *target, size_t *ret,
			   struct error *err)
{
	ssize_t found;

	if (!target || !*target) {
		if (!file->nr_stages)
			return err_set(err, ERR_USAGE, "no build stage in current context");
		*ret = file->nr_stages - 1;
		return 0;
	}
	found = find_name(file, file->nr_stages, target);
	if (found >= 0)
		*ret = (size_t)found;
	else if (!parse_index(target, ret) || *ret >= file->nr_stages)
		return err_set(err, ERR_USAGE, "target stage \"%.128s\" could not be found",
			       target);
	return 0;
}

ssize_t dockerfile_find_base(const struct dockerfile *file, size_t stage, const char *name)
{
	return find_name(file, stage, name);
}

static int not_yet(const struct dockerfile *file, size_t stage, const char *from, struct error *err)
{
	auto_free char *own = xasprintf("%zu", stage);

	return err_set(err, ERR_USAGE,
		       "cannot copy from stage \"%.128s\", it needs to be defined before current "
		       "stage \"%.128s\"",
		       from, file->stages[stage].name ? file->stages[stage].name : own);
}

int dockerfile_find_from(const struct dockerfile *file, size_t stage, const char *from,
			 ssize_t *ret, struct error *err)
{
	const char *dollar = strchr(from, '$');
	size_t index;

	if (dollar && dollar[1])
		return err_set(err, ERR_USAGE,
			       "variable expansion is not supported for --from, define a new stage "
			       "with FROM using ARG from global scope as a workaround");
	*ret = find_name(file, stage, from);
	if (*ret >= 0)
		return 0;
	if (find_name(file, file->nr_stages, from) >= 0)
		return not_yet(file, stage, from, err);
	if (!parse_index(from, &index))
		return 0;
	if (index >= file->nr_stages)
		return err_set(err, ERR_USAGE, "invalid stage index %.32s", from);
	if (index >= stage)
		return not_yet(file, stage, from, err);
	*ret = (ssize_t)index;
	return 0;
}

/* ---- excerpts ---- */

/* docker: as many lines in all, around one line and around several */
#define PAD_ONE	 4
#define PAD_MORE 2

static unsigned int count_lines(const char *text, const char *end)
{
	unsigned int nr = 1;

	for (; text < end; text++)
		nr += *text == '\n';
	return nr;
}

void dockerfile_excerpt(const void *data, size_t len, const char *name,
			const struct lex_range *range, struct buf *ret)
{
	const char *at = data, *end = at + len;
	unsigned int nr_lines = count_lines(at, end), first = range->first, last = range->last;
	unsigned int pad = first == last ? PAD_ONE : PAD_MORE;

	if (!first || first > nr_lines)
		return;
	last = last < nr_lines ? last : nr_lines;
	/* One in front, one behind, in turn; what one side has not goes to neither. */
	for (unsigned int added = 0; added < pad; added++) {
		if (first > 1) {
			first--;
			added++;
		}
		if (last < nr_lines) {
			last++;
			added++;
		}
	}
	buf_printf(ret, "%s:%u\n--------------------\n", name, range->first);
	for (unsigned int nr = 1; nr <= last; nr++) {
		const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		const char *stop = newline ? newline : end;

		if (nr >= first) {
			bool marked = nr >= range->first && nr <= range->last;

			buf_printf(ret, " %3u | %s ", nr, marked ? ">>>" : "   ");
			buf_append(ret, at, (size_t)(stop - at));
			buf_putc(ret, '\n');
		}
		at = newline ? newline + 1 : end;
	}
	buf_puts(ret, "--------------------\n");
}
