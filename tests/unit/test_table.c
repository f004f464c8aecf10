/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "complete.h"
#include "help.h"
#include "man.h"
#include "unit.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The C type behind each kind, so that an offset beyond the struct is seen. */
static size_t kind_size(enum opt_kind kind)
{
	switch (kind) {
	case OPT_BOOL:
		return sizeof(bool);
	case OPT_LIST:
	case OPT_FILTER:
		return sizeof(struct strlist);
	case OPT_INT:
	case OPT_SIZE:
		return sizeof(int64_t);
	case OPT_STRING:
	case OPT_PATH:
	case OPT_DEVICE:
		break;
	}
	return sizeof(char *);
}

static void check_options(const struct opt *opts, size_t values_size)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(opt->help);
		CU_ASSERT_TRUE(*opt->help && opt->help[strlen(opt->help) - 1] != '.');
		CU_ASSERT_EQUAL(opt->kind == OPT_BOOL, opt->placeholder == NULL);
		CU_ASSERT_TRUE(opt->offset + kind_size(opt->kind) <= values_size);
		CU_ASSERT_TRUE(!opt->letter || isalpha((unsigned char)opt->letter));
		for (const struct opt *other = opts; other < opt; other++) {
			CU_ASSERT_STRING_NOT_EQUAL(opt->name, other->name);
			CU_ASSERT_TRUE(!opt->letter || opt->letter != other->letter);
			CU_ASSERT_NOT_EQUAL(opt->offset, other->offset);
		}
	}
}

static void test_every_row_is_well_formed(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;
		auto_free void *values = xcalloc(1, command->options_size + 1);
		struct opts_words words;
		struct error err;

		CU_ASSERT_PTR_NOT_NULL_FATAL(command->name);
		CU_ASSERT_PTR_NOT_NULL_FATAL(command->synopsis);
		CU_ASSERT_PTR_NOT_NULL_FATAL(command->summary);
		CU_ASSERT_PTR_NOT_NULL_FATAL(command->run);
		CU_ASSERT_TRUE(*command->summary &&
			       command->summary[strlen(command->summary) - 1] != '.');
		CU_ASSERT_TRUE(command->min_words >= 0);
		CU_ASSERT_TRUE(command->max_words == -1 ||
			       command->max_words >= command->min_words);
		CU_ASSERT_TRUE(command->group || !command->top);
		check_options(command->options, command->options_size);
		/* presets are values that the parser takes */
		CU_ASSERT_EQUAL(
			opts_parse(command->options, false, WORDS("--"), values, &words, &err), 0);
		opts_words_done(&words);
		opts_done(command->options, values);
	}
	check_options(global_options, sizeof(struct global_opts));
}

static void test_a_synopsis_tells_whether_there_are_options(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		bool shown = false;

		for (const struct opt *opt = (*at)->options; opt && opt->name; opt++)
			shown |= !opt->hidden;
		CU_ASSERT_EQUAL(shown, strncmp((*at)->synopsis, "[OPTIONS]", 9) == 0);
	}
}

static void test_every_command_is_found_by_its_path_only_once(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		struct command_match match;

		if ((*at)->group)
			command_find(WORDS((*at)->group, (*at)->name), &match);
		else
			command_find(WORDS((*at)->name), &match);
		CU_ASSERT_PTR_EQUAL(match.command, *at);
		if ((*at)->top) {
			command_find(WORDS((*at)->top), &match);
			CU_ASSERT_PTR_EQUAL(match.command, *at);
			CU_ASSERT_TRUE(match.by_top);
		}
	}
}

static void test_groups_and_unknown_words(void)
{
	struct command_match match;

	command_find(WORDS("image"), &match);
	CU_ASSERT_PTR_NOT_NULL_FATAL(match.group);
	CU_ASSERT_STRING_EQUAL(match.group->name, "image");
	CU_ASSERT_PTR_NULL(match.command);
	CU_ASSERT_PTR_NULL(match.unknown);
	command_find(WORDS("image", "--help"), &match);
	CU_ASSERT_PTR_NULL(match.unknown);
	command_find(WORDS("image", "foo"), &match);
	CU_ASSERT_STRING_EQUAL(match.unknown, "foo");
	command_find(WORDS("foo"), &match);
	CU_ASSERT_PTR_NULL(match.group);
	CU_ASSERT_STRING_EQUAL(match.unknown, "foo");
}

static void test_help_names_every_option(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		auto_buf struct buf help = { 0 };
		auto_buf struct buf man = { 0 };

		help_command(*at, false, &help);
		man_command(*at, &man);
		CU_ASSERT_EQUAL(strncmp(help.data, "Usage:  veneer ", 15), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(man.data, ".SH SYNOPSIS"));
		for (const struct opt *opt = (*at)->options; opt && opt->name; opt++) {
			auto_free char *spelling = xasprintf("--%s ", opt->name);

			CU_ASSERT_EQUAL(strstr(help.data, spelling) != NULL, !opt->hidden);
		}
	}
}

struct layout {
	bool all;
	const char *filter;
};

static void test_the_option_list_is_aligned_and_sorted(void)
{
	static const struct opt opts[] = {
		OPT_VALUE(OPT_STRING, "filter", 'f', layout, filter, "filter", "Which\nto show"),
		OPT_FLAG("all", 'a', layout, all, "Everything"),
		{ 0 },
	};
	auto_buf struct buf text = { 0 };

	help_options(opts, &text);
	CU_ASSERT_STRING_EQUAL(text.data, "  -a, --all             Everything\n"
					  "  -f, --filter filter   Which\n"
					  "                        to show\n");
}

static void test_completion_knows_every_command(void)
{
	auto_buf struct buf script = { 0 };

	complete_bash(&script);
	for (const struct command *const *at = command_table; *at; at++) {
		auto_free char *step =
			xasprintf("\t%s/%s) ", (*at)->group ? (*at)->group : "", (*at)->name);

		CU_ASSERT_EQUAL(strstr(script.data, step) != NULL, !(*at)->hidden);
	}
}

UNIT_SUITE(table, { "every row is well-formed", test_every_row_is_well_formed },
	   { "a synopsis tells whether there are options",
	     test_a_synopsis_tells_whether_there_are_options },
	   { "every command is found by its path, and only it",
	     test_every_command_is_found_by_its_path_only_once },
	   { "groups and unknown words are told apart", test_groups_and_unknown_words },
	   { "help and man page name every option", test_help_names_every_option },
	   { "the option list is aligned and sorted", test_the_option_list_is_aligned_and_sorted },
	   { "completion knows every command", test_completion_knows_every_command });
