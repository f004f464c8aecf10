/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/setting.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "unit.h"

static struct setting_stage stage;

static void check_text(const char *got, const char *expected)
{
	CU_ASSERT_STRING_EQUAL(got, expected);
	if (strcmp(got, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", got, expected);
}

/* From `before` by a line to `after`, with the entry in the history. */
static void check(const char *before, const char *line, const char *after, const char *created_by)
{
	auto_json json_t *settings = json_loads(before, 0, NULL);
	auto_instruction struct instruction instruction = { 0 };
	auto_buf struct buf text = { 0 }, by = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, instruction_parse(line, '\\', &instruction, &err));
	if (setting_apply(settings, &instruction, &stage, &by, &err) < 0) {
		check_text(err.text, created_by);
		buf_puts(&by, created_by);
	}
	jsonfield_write(settings, &text);
	check_text(text.data, after);
	check_text(by.data, created_by);
}

static void test_history(void)
{
	stage = (struct setting_stage){ .escape = '\\' };
	check("{}", "ENV a='b c' d=$e", "{\"Env\":[\"a=b c\",\"d=\"]}", "ENV a=b c d=");
	check("{}", "label k v w", "{\"Labels\":{\"k\":\"v w\"}}", "LABEL k=v w");
	check("{}", "EXPOSE 90/udp 80-81",
	      "{\"ExposedPorts\":{\"80/tcp\":{},\"81/tcp\":{},\"90/udp\":{}}}",
	      "EXPOSE [80/tcp 81/tcp 90/udp]");
	check("{}", "VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}", "VOLUME [/a /b]");
	check("{}", "CMD a \"b\"", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a \\\"b\\\"\"]}",
	      "CMD [\"/bin/sh\" \"-c\" \"a \\\"b\\\"\"]");
	check("{}", "CMD []", "{\"Cmd\":[]}", "CMD []");
	check("{}", "ENTRYPOINT [\"x\"]", "{\"Entrypoint\":[\"x\"]}", "ENTRYPOINT [\"x\"]");
	check("{}", "SHELL [\"/bin/bash\", \"-c\"]", "{\"Shell\":[\"/bin/bash\",\"-c\"]}",
	      "SHELL [/bin/bash -c]");
	check("{}", "HEALTHCHECK --interval=90s --retries=2 CMD true",
	      "{\"Healthcheck\":{\"Interval\":90000000000,\"Retries\":2,"
	      "\"Test\":[\"CMD-SHELL\",\"true\"]}}",
	      "HEALTHCHECK {Test:[CMD-SHELL true] Interval:1m30s Timeout:0s StartPeriod:0s "
	      "StartInterval:0s Retries:2}");
	check("{}", "USER x", "{\"User\":\"x\"}", "USER x");
	check("{\"WorkingDir\":\"/a\"}", "WORKDIR b/", "{\"WorkingDir\":\"/a/b\"}", "WORKDIR /a/b");
	check("{}", "STOPSIGNAL SIGTERM", "{\"StopSignal\":\"SIGTERM\"}", "STOPSIGNAL SIGTERM");
	check("{}", "MAINTAINER a b", "{}", "MAINTAINER a b");
	check("{}", "ONBUILD run $x", "{\"OnBuild\":[\"run $x\"]}", "ONBUILD run $x");
}

static void test_variables(void)
{
	static const char *const vars[] = { "x=arg", NULL };

	stage = (struct setting_stage){ .escape = '\\' };
	check("{\"Env\":[\"x=env\"]}", "USER $x", "{\"Env\":[\"x=env\"],\"User\":\"env\"}",
	      "USER env");
	stage.vars = (char *const *)vars;
	check("{\"Env\":[\"x=env\"]}", "USER $x", "{\"Env\":[\"x=env\"],\"User\":\"arg\"}",
	      "USER arg");
	stage.escape = '`';
	check("{}", "USER `$x\\", "{\"User\":\"$x\\\\\"}", "USER $x\\");
}

static void test_inherited_command(void)
{
	stage = (struct setting_stage){ .escape = '\\' };
	check("{\"Cmd\":[\"c\"]}", "ENTRYPOINT [\"e\"]", "{\"Entrypoint\":[\"e\"]}",
	      "ENTRYPOINT [\"e\"]");
	CU_ASSERT_FALSE(stage.cmd_given);
	check("{}", "CMD [\"c\"]", "{\"Cmd\":[\"c\"]}", "CMD [\"c\"]");
	CU_ASSERT_TRUE(stage.cmd_given);
	check("{\"Cmd\":[\"c\"]}", "ENTRYPOINT [\"e\"]", "{\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"]}",
	      "ENTRYPOINT [\"e\"]");
}

static void test_failure(void)
{
	stage = (struct setting_stage){ .escape = '\\' };
	check("{\"Env\":[\"a=b\"]}", "ENV c=d $no=e", "{\"Env\":[\"a=b\"]}",
	      "ENV names can not be blank");
	check("{\"Env\":3}", "ENV c=d", "{\"Env\":3}", "config key \"Env\" must be an array");
	check("{}", "EXPOSE 1 x", "{}", "invalid containerPort: x");
	check("{}", "STOPSIGNAL $no", "{}", "invalid signal: ");
}

static void test_kinds(void)
{
	CU_ASSERT_TRUE(setting_is_metadata(INSTRUCTION_WORKDIR));
	CU_ASSERT_TRUE(setting_is_metadata(INSTRUCTION_MAINTAINER));
	CU_ASSERT_FALSE(setting_is_metadata(INSTRUCTION_RUN));
	CU_ASSERT_FALSE(setting_is_metadata(INSTRUCTION_ARG));
	CU_ASSERT_FALSE(setting_is_metadata(0));
}

UNIT_SUITE(setting, { "the history shows what was done", test_history },
	   { "variables come from the stage or the settings", test_variables },
	   { "ENTRYPOINT drops an inherited CMD only", test_inherited_command },
	   { "a failed instruction changes nothing", test_failure },
	   { "some instructions are metadata", test_kinds });
