/* SPDX-License-Identifier: Apache-2.0 */
#include "build/parse.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "build/history.h"
#include "oci/words.h"
#include "unit.h"

static void parse(const char *text, struct dockerfile *ret)
{
	struct lex_range where;
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(
		0, dockerfile_parse(text, strlen(text), "Dockerfile", ret, &where, &err));
}

static const char *const staged = "ARG v\n"
				  "FROM a AS One\n"
				  "RUN x\n"
				  "RUN y \\\n"
				  "  z\n"
				  "FROM --platform=p one AS two\n"
				  "FROM b\n"
				  "COPY <<E /x\n"
				  "body\n"
				  "E\n";

static void test_stages(void)
{
	auto_dockerfile struct dockerfile file = { 0 };

	parse(staged, &file);
	CU_ASSERT_EQUAL(file.nr_globals, 1);
	CU_ASSERT_EQUAL_FATAL(file.nr_stages, 3);
	CU_ASSERT_STRING_EQUAL(file.stages[0].name, "one");
	CU_ASSERT_EQUAL(file.stages[0].first, 2);
	CU_ASSERT_EQUAL(file.stages[0].nr, 2);
	CU_ASSERT_STRING_EQUAL(file.stages[1].platform, "p");
	CU_ASSERT_EQUAL(file.stages[1].nr, 0);
	CU_ASSERT_PTR_NULL(file.stages[2].name);
	CU_ASSERT_STRING_EQUAL(file.stages[2].base, "b");
	CU_ASSERT_EQUAL(file.steps[3].line->range.first, 4);
	CU_ASSERT_EQUAL(file.steps[3].line->range.last, 5);
	CU_ASSERT_EQUAL(file.steps[6].line->range.first, 8);
	CU_ASSERT_EQUAL(file.steps[6].line->range.last, 10);
}

static void check_target(const struct dockerfile *file, const char *target, int expected)
{
	struct error err = { 0 };
	size_t index = 99;

	if (dockerfile_find_target(file, target, &index, &err) < 0) {
		auto_free char *text = xasprintf("target stage \"%s\" could not be found", target);

		CU_ASSERT_EQUAL(expected, -1);
		CU_ASSERT_STRING_EQUAL(err.text, text);
		return;
	}
	CU_ASSERT_EQUAL((int)index, expected);
}

static void test_targets(void)
{
	auto_dockerfile struct dockerfile file = { 0 };

	parse(staged, &file);
	check_target(&file, NULL, 2);
	check_target(&file, "", 2);
	check_target(&file, "ONE", 0);
	check_target(&file, "1", 1);
	check_target(&file, "3", -1);
	check_target(&file, "x", -1);
	check_target(&file, "99999999999999999999", -1);
	CU_ASSERT_EQUAL(dockerfile_find_base(&file, 1, "ONE"), 0);
	CU_ASSERT_EQUAL(dockerfile_find_base(&file, 0, "one"), -1);
	CU_ASSERT_EQUAL(dockerfile_find_base(&file, 1, "0"), -1);
}

static void check_from(const struct dockerfile *file, size_t stage, const char *from, int expected,
		       const char *why)
{
	struct error err = { 0 };
	ssize_t index = 99;

	if (dockerfile_find_from(file, stage, from, &index, &err) < 0)
		CU_ASSERT_STRING_EQUAL(err.text, why)
	else
		CU_ASSERT_EQUAL((int)index, expected);
}

static void test_copy_from(void)
{
	auto_dockerfile struct dockerfile file = { 0 };

	parse(staged, &file);
	check_from(&file, 2, "Two", 1, "");
	check_from(&file, 2, "0", 0, "");
	check_from(&file, 2, "alpine", -1, "");
	check_from(&file, 0, "two", 0,
		   "cannot copy from stage \"two\", it needs to be defined before current stage "
		   "\"one\"");
	check_from(
		&file, 2, "2", 0,
		"cannot copy from stage \"2\", it needs to be defined before current stage \"2\"");
	check_from(&file, 2, "3", 0, "invalid stage index 3");
	check_from(&file, 2, "$x", 0,
		   "variable expansion is not supported for --from, define a new stage with FROM "
		   "using ARG from global scope as a workaround");
}

static void test_triggers(void)
{
	auto_dockerfile struct dockerfile file = { 0 }, trigger = { 0 };
	auto_buf struct buf text = { 0 };
	struct error err;

	parse("FROM a\nONBUILD COPY <<-E \\\n  <<F /x/\n\ta\n\tE\nb\nF\n", &file);
	dockerfile_trigger_text(&file.steps[1], &text);
	CU_ASSERT_STRING_EQUAL(text.data, "COPY <<-E   <<F /x/\n\ta\nE\nb\nF");
	CU_ASSERT_EQUAL_FATAL(0, dockerfile_parse_trigger(text.data, &trigger, &err));
	CU_ASSERT_EQUAL(trigger.nr_steps, 1);
	CU_ASSERT_EQUAL(trigger.nr_stages, 0);
	CU_ASSERT_STRING_EQUAL(trigger.lex.lines[0].heredocs[1].body.data, "b\n");
	dockerfile_done(&trigger);
	CU_ASSERT_EQUAL(-1, dockerfile_parse_trigger("FOOBAR", &trigger, &err));
	CU_ASSERT_STRING_EQUAL(err.text,
			       "dockerfile parse error on line 1: unknown instruction: FOOBAR");
}

static void test_heredoc_words(void)
{
	static const struct {
		const char *word, *name;
		unsigned int fd;
		bool expand, strip;
	} cases[] = {
		{ "<<E", "E", 0, true, false },
		{ "3<<-E", "E", 3, true, true },
		{ "<<'E F'", "E F", 0, false, false },
		{ "<<\"E\"", "E", 0, false, false },
		{ "<<E\\ F", "E F", 0, false, false },
		{ "<<$x", "$x", 0, true, false },
		{ "<<", NULL },
		{ "<<-", NULL },
		{ "<<<E", NULL },
		{ "a<<E", NULL },
		{ "<E", NULL },
		{ "<<'E", NULL },
		{ "<<''", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lex_heredoc heredoc = { 0 };

		if (!lex_heredoc_word(cases[i].word, &heredoc)) {
			CU_ASSERT_PTR_NULL(cases[i].name);
			continue;
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(cases[i].name);
		CU_ASSERT_STRING_EQUAL(heredoc.name, cases[i].name);
		CU_ASSERT_EQUAL(heredoc.fd, cases[i].fd);
		CU_ASSERT_EQUAL(heredoc.expand, cases[i].expand);
		CU_ASSERT_EQUAL(heredoc.strip_tabs, cases[i].strip);
		lex_heredoc_done(&heredoc);
	}
}

/* The command line of a RUN as JSON, its entry in the history, and the script's name. */
static void check_run(const char *run, const char *args, const char *argv_text, const char *by_text,
		      const char *script)
{
	auto_free char *text = xasprintf("FROM a\n%s", run);
	auto_dockerfile struct dockerfile file = { 0 };
	auto_json json_t *argv = NULL,
			 *settings = json_loads("{\"Shell\":[\"sh\",\"-c\"]}", 0, NULL);
	auto_buf struct buf json = { 0 }, by = { 0 };
	const struct lex_heredoc *heredoc;

	parse(text, &file);
	history_run_argv(&file.steps[1], settings, &argv, &heredoc);
	jsonfield_write(argv, &json);
	history_run(argv, args, &by);
	CU_ASSERT_STRING_EQUAL(json.data, argv_text);
	CU_ASSERT_STRING_EQUAL(by.data, by_text);
	CU_ASSERT_EQUAL(heredoc != NULL, script != NULL);
	if (heredoc && script)
		CU_ASSERT_STRING_EQUAL(heredoc->name, script);
}

static void test_run(void)
{
	check_run("RUN make  all", "", "[\"sh\",\"-c\",\"make  all\"]",
		  "RUN sh -c make  all # buildkit", NULL);
	check_run("RUN [\"make\",\"all\"]", "|1 a=b ", "[\"make\",\"all\"]",
		  "RUN |1 a=b make all # buildkit", NULL);
	check_run("RUN <<-E\n\ta\n\tb\n\tE\n", "", "[\"sh\",\"-c\",\"a\\nb\\n\"]",
		  "RUN sh -c a\nb\n # buildkit", NULL);
	check_run("RUN cat <<-E\n\ta\nE\n", "", "[\"sh\",\"-c\",\"cat <<-E\\n\\ta\\nE\"]",
		  "RUN sh -c cat <<-E\n\ta\nE # buildkit", NULL);
	check_run("RUN <<E\n#!/bin/x\nE\n", "", "[\"sh\",\"-c\",\"/dev/pipes/E\"]",
		  "RUN sh -c /dev/pipes/E # buildkit", "E");
	check_run("RUN <<E\n\xff\nE\n", "", "[\"sh\",\"-c\",\"\xef\xbf\xbd\\n\"]",
		  "RUN sh -c \xef\xbf\xbd\n # buildkit", NULL);
}

static void test_copy(void)
{
	auto_instruction struct instruction instruction = { 0 };
	auto_strlist struct strlist words = { 0 };
	auto_buf struct buf by = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, instruction_parse("COPY --parents --from=x --chown=$u <<E b /c/",
						   '\\', &instruction, &err));
	words_split("<<E b /c/", &words);
	history_copy(&instruction, "1:1", NULL, &words, &by);
	CU_ASSERT_STRING_EQUAL(by.data, "COPY --parents --chown=1:1 <<E b /c/ # buildkit");
}

UNIT_SUITE(dockerfile, { "stages have names, numbers and steps", test_stages },
	   { "a target is a name or a number", test_targets },
	   { "COPY --from is an earlier stage or an image", test_copy_from },
	   { "a trigger is stored with its heredocs", test_triggers },
	   { "a heredoc begins with two signs and a name", test_heredoc_words },
	   { "RUN is a command line", test_run },
	   { "the history shows what COPY copied", test_copy });
