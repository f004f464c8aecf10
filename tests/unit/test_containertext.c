/* SPDX-License-Identifier: Apache-2.0 */
#include "containertext.h"

#include <string.h>

#include "base/cleanup.h"
#include "containerfilter.h"
#include "envfile.h"
#include "unit.h"

#define SECOND INT64_C(1000000000)

static void check_command(const char *config, bool no_trunc, const char *expected)
{
	json_auto_t *document = json_pack("{s:o}", "Config", json_loads(config, 0, NULL));
	auto_free char *text = container_command_text(document, no_trunc);

	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_commands(void)
{
	check_command("{\"Cmd\":[\"bash\"]}", false, "\"bash\"");
	check_command("{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"a\",\"b c\"]}", false, "\"/e a 'b c'\"");
	check_command("{\"Cmd\":[\"sh\",\"-c\",\"echo hello world\"]}", false,
		      "\"sh -c 'echo hello w…\"");
	check_command("{\"Cmd\":[\"sh\",\"-c\",\"echo hello world\"]}", true,
		      "\"sh -c 'echo hello world'\"");
	check_command("{\"Cmd\":[\"a\\nb\\\"\"]}", false, "\"a\\nb\\\"\"");
	check_command("{}", false, "\"\"");
}

static void check_status(struct container_row *row, const char *expected)
{
	struct timespec now = { .tv_sec = 1000000 };
	auto_free char *text = container_status_text(row, &now);

	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_status(void)
{
	struct container_row row = { .state = CONTAINER_CREATED };

	check_status(&row, "Created");
	row.state = CONTAINER_RUNNING;
	row.started_ns = (1000000 - 7200) * SECOND;
	check_status(&row, "Up 2 hours");
	row.state = CONTAINER_EXITED;
	row.exit_code = 137;
	row.finished_ns = (1000000 - 180) * SECOND;
	check_status(&row, "Exited (137) 3 minutes ago");
}

static int matches(const char *word, const struct container_row *row)
{
	json_auto_t *document = json_loads(
		"{\"Config\":{\"Labels\":{\"a\":\"1\",\"b\":\"\"}},\"Mounts\":[]}", 0, NULL);
	auto_container_filter struct container_filter filter = { 0 };
	auto_strlist struct strlist words = { 0 };
	struct container_rows rows = { 0 };
	struct error err;

	strlist_add(&words, word);
	if (container_filter_parse(NULL, &words, &rows, false, &filter, &err) < 0)
		return -1;
	return container_filter_match(&filter, row, document, &err);
}

static void test_filters(void)
{
	struct container_row row = { .id = (char *)"abcdef0123456789",
				     .name = (char *)"web-1",
				     .state = CONTAINER_EXITED,
				     .exit_code = 3 };

	CU_ASSERT_EQUAL(matches("name=eb", &row), 1);
	CU_ASSERT_EQUAL(matches("name=^web-[0-9]$", &row), 1);
	CU_ASSERT_EQUAL(matches("name=^/web", &row), 1);
	CU_ASSERT_EQUAL(matches("name=^eb", &row), 0);
	CU_ASSERT_EQUAL(matches("name=(", &row), -1);
	CU_ASSERT_EQUAL(matches("id=^abc", &row), 1);
	CU_ASSERT_EQUAL(matches("id=zzz", &row), 0);
	CU_ASSERT_EQUAL(matches("label=a", &row), 1);
	CU_ASSERT_EQUAL(matches("label=a=2", &row), 0);
	CU_ASSERT_EQUAL(matches("label!=c", &row), 1);
	CU_ASSERT_EQUAL(matches("exited=3", &row), 1);
	CU_ASSERT_EQUAL(matches("exited=0", &row), 0);
	CU_ASSERT_EQUAL(matches("status=exited", &row), 1);
	CU_ASSERT_EQUAL(matches("status=running", &row), 0);
	CU_ASSERT_EQUAL(matches("status=odd", &row), -1);
	CU_ASSERT_EQUAL(matches("network=x", &row), -1);
}

static void test_env_files(void)
{
	auto_strlist struct strlist env = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(
		envfile_text("# c\n\nA=1\r\n  B=two words \nNOT_SET_ANYWHERE\n", &env, &err), 0);
	CU_ASSERT_EQUAL_FATAL(env.nr, 2);
	CU_ASSERT_STRING_EQUAL(env.items[0], "A=1");
	CU_ASSERT_STRING_EQUAL(env.items[1], "B=two words ");
	CU_ASSERT_EQUAL(envfile_text("=x", &env, &err), -1);
	CU_ASSERT_EQUAL(envfile_text("a b=x", &env, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "variable 'a b' contains whitespaces");
	CU_ASSERT_EQUAL(envfile_text("a=1\nb=\xff", &env, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "invalid utf8 bytes at line 2: b=\xff");
}

UNIT_SUITE(containertext, { "a command is shown as a shell would have it", test_commands },
	   { "a state in words", test_status }, { "filters of ps", test_filters },
	   { "environment files", test_env_files });
