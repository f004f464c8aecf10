/* SPDX-License-Identifier: Apache-2.0 */
#include "absent.h"

#include <string.h>

#include "base/cleanup.h"
#include "table.h"
#include "unit.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* @name: as the message must have it; NULL: no such command is absent */
static void check(const char *name, int status, const char *const *words)
{
	int got = 0;
	auto_free char *text = absent_refusal(words, &got);
	auto_free char *start = NULL;

	if (!name) {
		CU_ASSERT_PTR_NULL(text);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	start = xasprintf("veneer: 'veneer %s' is not in this version: ", name);
	CU_ASSERT_EQUAL(strncmp(text, start, strlen(start)), 0);
	CU_ASSERT_TRUE(strlen(text) > strlen(start));
	CU_ASSERT_EQUAL(got, status);
}

static void test_dockers_commands_are_refused_by_name(void)
{
	check("pull", 1, WORDS("pull"));
	check("pull", 1, WORDS("pull", "debian"));
	check("image pull", 1, WORDS("image", "pull", "debian"));
	check("container", 1, WORDS("container"));
	check("container", 1, WORDS("container", "ls"));
	check("system prune", 1, WORDS("system", "prune"));
	check("login", 1, WORDS("login", "--help"));
	check(NULL, 0, WORDS("pul"));
	check(NULL, 0, WORDS("pull|push"));
	check(NULL, 0, WORDS("image"));
	check(NULL, 0, WORDS("image", "run"));
	check(NULL, 0, WORDS(""));
}

static void test_a_failed_run_is_no_failed_program(void)
{
	check("run", 125, WORDS("run", "debian", "true"));
	check("container run", 125, WORDS("container", "run"));
	check("create", 125, WORDS("create"));
}

static void test_no_command_is_both_absent_and_present(void)
{
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;

		if (command->group)
			check(NULL, 0, WORDS(command->group, command->name));
		else
			check(NULL, 0, WORDS(command->name));
		if (command->top)
			check(NULL, 0, WORDS(command->top));
	}
}

UNIT_SUITE(absent,
	   { "Docker's commands are refused by name", test_dockers_commands_are_refused_by_name },
	   { "a failed run is no failed program", test_a_failed_run_is_no_failed_program },
	   { "no command is both absent and present", test_no_command_is_both_absent_and_present });
