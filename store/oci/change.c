/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/change.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "oci/instruction.h"
#include "oci/setting.h"
#include "oci/words.h"

#define ESCAPE '\\'

static int check_text(const char *text, struct error *err)
{
	auto_json json_t *probe = NULL;

	if (strnlen(text, WORDS_LINE_MAX + 1) > WORDS_LINE_MAX)
		return err_set(err, ERR_LIMIT, "a change is longer than %d bytes", WORDS_LINE_MAX);
	probe = json_string(text);
	if (!probe)
		return err_set(err, ERR_USAGE, "a change is not valid UTF-8");
	return 0;
}

/* docker: validCommitCommands */
static bool is_allowed(enum instruction_kind kind)
{
	return setting_is_metadata(kind) && kind != INSTRUCTION_SHELL &&
	       kind != INSTRUCTION_MAINTAINER;
}

static int apply_line(json_t *settings, struct buf *line, struct setting_stage *stage,
		      struct error *err)
{
	auto_instruction struct instruction instruction = { 0 };
	size_t len = strcspn(line->data, " \t\n\v\f\r");

	if (!is_allowed(instruction_find(line->data, len))) {
		for (size_t i = 0; i < len; i++)
			line->data[i] = (char)tolower((unsigned char)line->data[i]);
		return err_set(err, ERR_USAGE, "%.*s is not a valid change command",
			       len < 64 ? (int)len : 64, line->data);
	}
	if (instruction_parse(line->data, ESCAPE, &instruction, err) < 0)
		return -1;
	return setting_apply(settings, &instruction, stage, NULL, err);
}

int change_apply(json_t *settings, const char *text, struct error *err)
{
	/* As with docker, the settings hold only what other changes gave. */
	bool cmd_given = true;

	return change_apply_over(settings, text, &cmd_given, err);
}

int change_apply_over(json_t *settings, const char *text, bool *cmd_given, struct error *err)
{
	struct setting_stage stage = { .escape = ESCAPE, .cmd_given = *cmd_given };
	struct words_source source = { .at = text, .escape = ESCAPE };
	auto_json json_t *changed = NULL;
	auto_buf struct buf line = { 0 };
	bool any = false;

	if (check_text(text, err) < 0)
		return -1;
	changed = json_deep_copy(settings);
	for (; words_logical_line(&source, &line); any = true)
		if (apply_line(changed, &line, &stage, err) < 0)
			return -1;
	if (!any)
		return err_set(err, ERR_USAGE, "a change holds no instruction");
	json_object_clear(settings);
	json_object_update(settings, changed);
	*cmd_given = stage.cmd_given;
	return 0;
}
