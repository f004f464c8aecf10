/* SPDX-License-Identifier: Apache-2.0 */
#include "absent.h"

#include <string.h>

#include "base/cleanup.h"
#include "table.h"
#include "unit.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* @name: as the message must have it; NULL: no such command is absent */
static void check(const char *name, const char *const *words)
{
	auto_free char *text = absent_refusal(words);
	auto_free char *start = NULL;

	if (!name) {
		CU_ASSERT_PTR_NULL(text);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	start = xasprintf("veneer: 'veneer %s' is not in this version: ", name);
	CU_ASSERT_EQUAL(strncmp(text, start, strlen(start)), 0);
	CU_ASSERT_TRUE(strlen(text) > strlen(start));
}

static void test_dockers_commands_are_refused_by_name(void)
{
	check("top", WORDS("top"));
	check("top", WORDS("top", "x"));
	check("pause", WORDS("pause"));
	check("stats", WORDS("stats"));
	check("top", WORDS("top", "--help"));
	check(NULL, WORDS("pul"));
	check(NULL, WORDS("pull|search"));
	check(NULL, WORDS("image"));
	check(NULL, WORDS("image", "run"));
	check(NULL, WORDS(""));
}

static void test_no_command_is_both_absent_and_present(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;

		if (command->group)
			check(NULL, WORDS(command->group, command->name));
		else
			check(NULL, WORDS(command->name));
		if (command->top)
			check(NULL, WORDS(command->top));
	}
}

UNIT_SUITE(absent,
	   { "Docker's commands are refused by name", test_dockers_commands_are_refused_by_name },
	   { "no command is both absent and present", test_no_command_is_both_absent_and_present });
