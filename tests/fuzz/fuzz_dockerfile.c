/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dockerfile - Dockerfiles. Seeds: tests/spec/dockerfile
 *
 * Beyond "no crash": ranges are lines of the file and rise, a trigger is read again,
 * metadata makes a config that is JSON and no larger than allowed.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "build/args.h"
#include "build/copyspec.h"
#include "build/history.h"
#include "build/parse.h"
#include "build/runmount.h"
#include "fuzz.h"
#include "limits.h"
#include "oci/setting.h"

static void check_ranges(const struct dockerfile *file)
{
	unsigned int last = 0;

	for (size_t i = 0; i < file->nr_steps; i++) {
		const struct lex_range *range = &file->steps[i].line->range;

		must(range->first > last && range->last >= range->first, "lines rise");
		last = range->last;
	}
}

static void check_run(const struct dockerfile_step *step, const json_t *settings)
{
	auto_strlist struct strlist mounts = { 0 };
	auto_json json_t *argv = NULL;
	auto_buf struct buf by = { 0 }, target = { 0 };
	const struct lex_heredoc *script;
	struct error err;

	history_run_argv(step, settings, &argv, &script);
	history_run(argv, "", &by);
	must(json_array_size(argv) > 0, "a RUN has a command");
	for (size_t i = 0; i < json_array_size(argv); i++)
		must(json_string_value(json_array_get(argv, i)) != NULL, "a command is text");
	instruction_flag_list(&step->instruction, "mount", &mounts);
	for (size_t i = 0; i < mounts.nr; i++) {
		struct expand_scope scope = expand_scope(NULL, '\\');
		auto_runmount struct runmount mount = { 0 };

		if (runmount_parse(mounts.items[i], &scope, &mount, &err) == 0 &&
		    runmount_target(&mount, "/w", &target, &err) == 0)
			must(!target.len || (*target.data == '/' && target.len > 1),
			     "a target is absolute");
	}
}

static void check_trigger(const struct dockerfile_step *step)
{
	auto_dockerfile struct dockerfile trigger = { 0 };
	auto_buf struct buf text = { 0 };
	struct error err;

	dockerfile_trigger_text(step, &text);
	if (dockerfile_parse_trigger(text.data, &trigger, &err) == 0)
		must(trigger.lex.lines[0].nr_heredocs <= step->line->nr_heredocs,
		     "a trigger has no other heredocs");
}

static void check_copy(const struct instruction *instruction)
{
	const char *mode = instruction_flag(instruction, "chmod");
	const char *owner = instruction_flag(instruction, "chown");
	auto_free char *user = NULL, *group = NULL;
	struct chmod_spec spec;
	struct error err;

	if (mode && chmod_parse(mode, &spec, &err) == 0)
		must(chmod_apply(&spec, 0755, true) <= 07777, "a mode has twelve bits");
	if (owner)
		chown_split(owner, &user, &group, &err);
	for (size_t i = 0; i < instruction->args.nr; i++) {
		auto_free char *name = copy_url_name(instruction->args.items[i]);

		must(!name || (*name && !strchr(name, '/')), "a name is one component");
	}
}

/* All steps one after the other, as if they were one stage. */
static void apply(const struct dockerfile *file)
{
	auto_build_args struct build_args given = { 0 };
	auto_args struct args global = { 0 }, stage = { 0 };
	auto_json json_t *settings = json_object();
	struct setting_stage state = { .escape = file->lex.escape };
	auto_buf struct buf by = { 0 };
	struct platform host;
	struct error err;

	platform_host(&host);
	args_init_global(&global, &given, &host, &host, NULL);
	args_init_stage(&stage, &global, NULL);
	for (size_t i = 0; i < file->nr_steps && i < 64; i++) {
		const struct dockerfile_step *step = &file->steps[i];
		const struct instruction *instruction = &step->instruction;
		const json_t *env = json_object_get(settings, "Env");
		auto_strlist struct strlist vars = { 0 };

		args_variables(&stage, env, &vars);
		strlist_add(&vars, "none=");
		state.vars = vars.items;
		buf_reset(&by);
		if (instruction->kind == INSTRUCTION_ARG)
			args_declare(&stage, instruction, env, state.escape, &by, &err);
		else if (instruction->kind == INSTRUCTION_RUN)
			check_run(step, settings);
		else if (instruction->kind == INSTRUCTION_ONBUILD)
			check_trigger(step);
		else if (setting_is_metadata(instruction->kind))
			setting_apply(settings, instruction, &state, &by, &err);
		else
			check_copy(instruction);
	}
	buf_reset(&by);
	jsonfield_write(settings, &by);
	must(by.len <= LIMIT_JSON_BYTES / 2, "a config is bounded");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_dockerfile struct dockerfile file = { 0 };
	auto_buf struct buf excerpt = { 0 };
	struct lex_range where;
	struct error err;
	size_t index;

	if (dockerfile_parse(data, len, "Dockerfile", &file, &where, &err) < 0) {
		must(!file.nr_steps && !file.steps, "a failure leaves nothing");
		dockerfile_excerpt(data, len, "Dockerfile", &where, &excerpt);
		must(!where.first || excerpt.len, "a line of the file is shown");
		return 0;
	}
	check_ranges(&file);
	apply(&file);
	if (file.nr_stages)
		must(dockerfile_find_target(&file, NULL, &index, &err) == 0,
		     "there is a last stage");
	return 0;
}
