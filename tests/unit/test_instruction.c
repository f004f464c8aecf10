/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/instruction.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

/* Name, flags and arguments joined, so that a case is one line. */
static void check(const char *line, const char *expected)
{
	auto_instruction struct instruction instruction = { 0 };
	auto_buf struct buf out = { 0 };
	struct error err = { 0 };

	if (instruction_parse(line, '\\', &instruction, &err) < 0) {
		buf_puts(&out, err.text);
	} else {
		buf_printf(&out, "%s%s", instruction.name, instruction.is_json ? " json" : "");
		for (size_t i = 0; i < instruction.flags.nr; i++)
			buf_printf(&out, " %s", instruction.flags.items[i]);
		for (size_t i = 0; i < instruction.args.nr; i++)
			buf_printf(&out, "|%s", instruction.args.items[i]);
	}
	CU_ASSERT_STRING_EQUAL(out.data, expected);
	if (strcmp(out.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", out.data, expected);
}

static void test_shapes(void)
{
	check("run  make  all ", "RUN|make  all");
	check("RUN [\"a\", \"b c\"]", "RUN json|a|b c");
	check("RUN ['a']", "RUN|['a']");
	check("COPY --from=x --link a\t b  /c/", "COPY --from=x --link|a|b|/c/");
	check("ADD [\"a b\",\"c\"]", "ADD json|a b|c");
	check("FROM --platform=linux/arm64 a As B-1._", "FROM --platform=linux/arm64|a|As|B-1._");
	check("ENV a='b c' d=e", "ENV|a|'b c'|d|e");
	check("LABEL a b c", "LABEL|a|b c");
	check("ARG a b=\"c d\" e=", "ARG|a|b=\"c d\"|e=");
	check("USER a b", "USER|a b");
	check("HEALTHCHECK --retries=3 cmd [\"a\"]", "HEALTHCHECK json --retries=3|CMD|a");
	check("HEALTHCHECK cmd a  b", "HEALTHCHECK|CMD|a  b");
	check("ONBUILD  RUN a [b", "ONBUILD|RUN a [b");
	check("SHELL [\"/bin/bash\",\"-c\"]", "SHELL json|/bin/bash|-c");
	check("CMD", "CMD");
	check("ENTRYPOINT []", "ENTRYPOINT json");
}

static void test_arity(void)
{
	check("COPY a", "COPY requires at least two arguments, but only one was provided. "
			"Destination could not be determined");
	check("ADD", "ADD requires at least two arguments, but only one was provided. "
		     "Destination could not be determined");
	check("USER", "USER requires exactly one argument");
	check("WORKDIR ", "WORKDIR requires exactly one argument");
	check("STOPSIGNAL", "STOPSIGNAL requires exactly one argument");
	check("MAINTAINER", "MAINTAINER requires exactly one argument");
	check("RUN", "RUN requires at least one argument");
	check("RUN []", "RUN requires at least one argument");
	check("SHELL []", "SHELL requires at least one argument");
	check("VOLUME", "VOLUME requires at least one argument");
	check("EXPOSE", "EXPOSE requires at least one argument");
	check("ARG", "ARG requires at least one argument");
	check("ENV", "ENV requires at least one argument");
	check("LABEL a", "LABEL must have two arguments");
	check("FROM", "FROM requires either one or three arguments");
	check("FROM a b", "FROM requires either one or three arguments");
	check("FROM a to b", "FROM requires either one or three arguments");
}

static void test_flags(void)
{
	auto_instruction struct instruction instruction = { 0 };
	auto_strlist struct strlist list = { 0 };
	struct error err;

	check("RUN --x=y make", "unknown flag: --x");
	check("COPY --parent a b", "unknown flag: --parent");
	check("ADD --from=x a b", "unknown flag: --from");
	check("COPY --chown=1 --chown=2 a b", "duplicate flag specified: --chown");
	check("COPY --link --link a b", "duplicate flag specified: --link");
	check("COPY --chmod a b", "missing a value on flag: --chmod");
	check("COPY --link= a b", "missing a value on flag: --link");
	check("COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe");
	check("COPY -- --link b", "COPY|--link|b");
	CU_ASSERT_EQUAL_FATAL(0, instruction_parse("COPY --link=FALSE --parents --from= "
						   "--exclude=a --exclude=\"b c\" --chown=1:2 a b",
						   '\\', &instruction, &err));
	CU_ASSERT_FALSE(instruction_flag_is_set(&instruction, "link"));
	CU_ASSERT_TRUE(instruction_flag_is_set(&instruction, "parents"));
	CU_ASSERT_FALSE(instruction_flag_is_set(&instruction, "chmod"));
	CU_ASSERT_STRING_EQUAL(instruction_flag(&instruction, "from"), "");
	CU_ASSERT_STRING_EQUAL(instruction_flag(&instruction, "chown"), "1:2");
	CU_ASSERT_PTR_NULL(instruction_flag(&instruction, "chmod"));
	instruction_flag_list(&instruction, "exclude", &list);
	CU_ASSERT_EQUAL_FATAL(list.nr, 2);
	CU_ASSERT_STRING_EQUAL(list.items[1], "b c");
}

static void test_meaning(void)
{
	check("FROM a AS 1b", "invalid name for build stage: \"1b\", name can't start with a "
			      "number or contain symbols");
	check("FROM a AS b/c", "invalid name for build stage: \"b/c\", name can't start with a "
			       "number or contain symbols");
	check("ARG =a", "ARG names can not be blank");
	check("ENV a=b =c", "ENV names can not be blank");
	check("VOLUME [\"a\",\" \"]", "VOLUME specified can not be an empty string");
	check("SHELL /bin/sh -c", "SHELL requires the arguments to be in JSON form");
	check("HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments");
	check("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD");
	check("HEALTHCHECK --interval=1 CMD a", "time: missing unit in duration \"1\"");
	check("ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	check("ONBUILD from a", "FROM isn't allowed as an ONBUILD trigger");
	check("ONBUILD RUN [1]",
	      "when using JSON array syntax, arrays must be comprised of strings only");
	check("ONBUILD FOO", "ONBUILD|FOO");
	check("ENV a=b c", "Syntax error - can't find = in \"c\". Must be of the form: name=value");
}

static void test_names(void)
{
	check("FOO a", "unknown instruction: FOO (did you mean FROM?)");
	check("FOOBAR a", "unknown instruction: FOOBAR");
	check("RUNN a", "unknown instruction: RUNN (did you mean RUN?)");
	check("form a", "unknown instruction: form (did you mean from?)");
	check("Cpoy a", "unknown instruction: Cpoy (did you mean copy?)");
	check("RUNRUN", "unknown instruction: RUNRUN");
	check("[a]", "unknown instruction: [a]");
	CU_ASSERT_EQUAL(instruction_find("workdir", 7), INSTRUCTION_WORKDIR);
	CU_ASSERT_EQUAL(instruction_find("addx", 3), INSTRUCTION_ADD);
	CU_ASSERT_EQUAL(instruction_find("addx", 4), 0);
}

static void test_heredocs(void)
{
	CU_ASSERT_TRUE(instruction_takes_heredocs("RUN <<E", '\\'));
	CU_ASSERT_TRUE(instruction_takes_heredocs("copy --link <<E /", '\\'));
	CU_ASSERT_TRUE(instruction_takes_heredocs("ONBUILD ADD <<E /", '\\'));
	CU_ASSERT_FALSE(instruction_takes_heredocs("RUN [\"<<E\"]", '\\'));
	CU_ASSERT_FALSE(instruction_takes_heredocs("ONBUILD RUN --network=none [\"<<E\"]", '\\'));
	CU_ASSERT_FALSE(instruction_takes_heredocs("CMD <<E", '\\'));
	CU_ASSERT_FALSE(instruction_takes_heredocs("ONBUILD ENV a <<E", '\\'));
}

UNIT_SUITE(instruction, { "each instruction has its form of arguments", test_shapes },
	   { "too few or too many arguments are refused", test_arity },
	   { "flags are known, single and complete", test_flags },
	   { "what cannot be meant is refused", test_meaning },
	   { "an unknown name gets a suggestion", test_names },
	   { "heredocs belong to three instructions", test_heredocs });
