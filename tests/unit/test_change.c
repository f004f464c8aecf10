/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/change.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "oci/words.h"
#include "unit.h"

static void check_settings(const json_t *settings, const char *expected)
{
	auto_buf struct buf text = { 0 };

	jsonfield_write(settings, &text);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
	if (strcmp(text.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", text.data, expected);
}

/* From `before` by `text` to `after`; keys sorted. */
static void check_from(const char *before, const char *text, const char *after)
{
	auto_json json_t *settings = json_loads(before, 0, NULL);
	struct error err = { 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
	CU_ASSERT_EQUAL(0, change_apply(settings, text, &err));
	check_settings(settings, after);
}

static void check(const char *text, const char *after)
{
	check_from("{}", text, after);
}

static void check_bad_from(const char *before, const char *text, enum err_kind kind,
			   const char *expected)
{
	auto_json json_t *settings = json_loads(before, 0, NULL);
	struct error err = { 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
	CU_ASSERT_EQUAL(-1, change_apply(settings, text, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
	check_settings(settings, before);
}

static void check_bad(const char *text, const char *expected)
{
	check_bad_from("{}", text, ERR_USAGE, expected);
}

static void test_other_instructions(void)
{
	check_bad("RUN x", "run is not a valid change command");
	check_bad("FROM x", "from is not a valid change command");
	check_bad("Envy=a b", "envy=a is not a valid change command");
	check_bad("ENV a=b\nCOPY . .", "copy is not a valid change command");
	check_bad("", "a change holds no instruction");
	check_bad(" \n# ENV a=b\n", "a change holds no instruction");
	check_bad("ENV a=\xff", "a change is not valid UTF-8");
	check_bad("USER --x=y a", "unknown flag: --x");
}

static void test_commands(void)
{
	check("CMD [\"a\", \"b c\"]", "{\"Cmd\":[\"a\",\"b c\"]}");
	check("cmd echo  $x", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo  $x\"]}");
	check("CMD ['a']", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"['a']\"]}");
	check("CMD []", "{\"Cmd\":[]}");
	check("\tEntryPoint\t[\"/x\"]  ", "{\"Entrypoint\":[\"/x\"]}");
	check("ENTRYPOINT exec x", "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"exec x\"]}");
	check_from("{\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"]}", "ENTRYPOINT []",
		   "{\"Cmd\":[\"c\"]}");
	check_from("{\"Cmd\":[\"c\"]}", "ENTRYPOINT [\"e\"]",
		   "{\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"]}");
	check_from("{\"Shell\":[\"/bin/bash\",\"-ec\"]}", "CMD a",
		   "{\"Cmd\":[\"/bin/bash\",\"-ec\",\"a\"],\"Shell\":[\"/bin/bash\",\"-ec\"]}");
	check_bad("CMD [\"a\", 1]",
		  "when using JSON array syntax, arrays must be comprised of strings only");
}

static void test_env(void)
{
	check("ENV A=b C=\"d e\" F=g\\ h", "{\"Env\":[\"A=b\",\"C=d e\",\"F=g h\"]}");
	check("ENV A b  \"c\"", "{\"Env\":[\"A=b  c\"]}");
	check_from("{\"Env\":[\"A=1\",\"B=2\",\"AB=3\"]}", "ENV B=x C=y A=z",
		   "{\"Env\":[\"A=z\",\"B=x\",\"AB=3\",\"C=y\"]}");
	check_from("{\"Env\":[\"PATH=/bin\"]}", "ENV PATH=/x:$PATH",
		   "{\"Env\":[\"PATH=/x:/bin\"]}");
	check_from("{\"Env\":[\"a=1\"]}", "ENV a=2 b=$a c=${d:-e}",
		   "{\"Env\":[\"a=2\",\"b=1\",\"c=e\"]}");
	check_from("{\"Env\":null}", "ENV a='$b'", "{\"Env\":[\"a=$b\"]}");
	check_bad("ENV", "ENV requires at least one argument");
	check_bad("ENV a", "ENV must have two arguments");
	check_bad("ENV =a", "ENV names can not be blank");
	check_bad("ENV $x=a", "ENV names can not be blank");
	check_bad("ENV a='b",
		  "unexpected end of statement while looking for matching single-quote");
	check_bad_from("{\"Env\":\"a=b\"}", "ENV a=b", ERR_CORRUPT,
		       "config key \"Env\" must be an array");
}

static void test_label(void)
{
	check("LABEL a=b \"c d\"='e f'", "{\"Labels\":{\"a\":\"b\",\"c d\":\"e f\"}}");
	check("LABEL a b c", "{\"Labels\":{\"a\":\"b c\"}}");
	check("LABEL a=\"x\\\n  y\"", "{\"Labels\":{\"a\":\"x  y\"}}");
	check_from("{\"Env\":[\"v=1\"],\"Labels\":{\"a\":\"old\",\"z\":\"\"}}", "LABEL a=$v",
		   "{\"Env\":[\"v=1\"],\"Labels\":{\"a\":\"1\",\"z\":\"\"}}");
	check_bad("LABEL a=b c",
		  "Syntax error - can't find = in \"c\". Must be of the form: name=value");
}

static void test_expose(void)
{
	check("EXPOSE 80 53/UDP 90/",
	      "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{},\"90/tcp\":{}}}");
	check("EXPOSE 8-10/sctp",
	      "{\"ExposedPorts\":{\"10/sctp\":{},\"8/sctp\":{},\"9/sctp\":{}}}");
	check_from("{\"Env\":[\"p=1 2\"],\"ExposedPorts\":{\"3/tcp\":{}}}", "EXPOSE $p",
		   "{\"Env\":[\"p=1 2\"],"
		   "\"ExposedPorts\":{\"1/tcp\":{},\"2/tcp\":{},\"3/tcp\":{}}}");
	check_bad("EXPOSE", "EXPOSE requires at least one argument");
	check_bad("EXPOSE x", "invalid containerPort: x");
	check_bad("EXPOSE 65536", "invalid containerPort: 65536");
	check_bad("EXPOSE 10-8", "invalid containerPort: 10-8");
	check_bad("EXPOSE 1-", "invalid containerPort: 1-");
	check_bad("EXPOSE 1-2-3", "invalid containerPort: 1-2-3");
	check_bad("EXPOSE -1", "invalid containerPort: -1");
	check_bad("EXPOSE 80/x", "invalid proto: x");
	check_bad("EXPOSE 80/tcp/x", "invalid proto: tcp/x");
	check_bad("EXPOSE /tcp", "no port specified: /tcp<empty>");
	check_bad("EXPOSE 80:80", "EXPOSE instruction should not define an IP address or host-port "
				  "mapping, found '80:80'");
	check_bad_from("{}", "EXPOSE 0-65535", ERR_LIMIT, "more than 32768 exposed ports");
}

static void test_healthcheck(void)
{
	check("HEALTHCHECK none", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
	check("HEALTHCHECK CMD curl  x || exit 1",
	      "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl  x || exit 1\"]}}");
	check("HEALTHCHECK --interval=5s --timeout=1m30s --start-period=0s --start-interval=1ms "
	      "--retries=3 cmd [\"a\",\"b\"]",
	      "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":3,\"StartInterval\":1000000,"
	      "\"Test\":[\"CMD\",\"a\",\"b\"],\"Timeout\":90000000000}}");
	check_from("{\"Healthcheck\":{\"Interval\":1,\"Test\":[\"NONE\"]}}", "HEALTHCHECK CMD x",
		   "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"x\"]}}");
	check_bad("HEALTHCHECK", "HEALTHCHECK requires at least one argument");
	check_bad("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments");
	check_bad("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD");
	check_bad("HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD");
	check_bad("HEALTHCHECK exec x", "Unknown type \"EXEC\" in HEALTHCHECK (try CMD)");
	check_bad("HEALTHCHECK --x=1 CMD a", "unknown flag: --x");
	check_bad("HEALTHCHECK --timeout CMD a", "missing a value on flag: --timeout");
	check_bad("HEALTHCHECK --timeout=1s --timeout=1s CMD a",
		  "duplicate flag specified: --timeout");
	check_bad("HEALTHCHECK --timeout=5 CMD a", "time: missing unit in duration \"5\"");
	check_bad("HEALTHCHECK --interval=1us CMD a",
		  "Interval \"interval\" cannot be less than 1ms");
	check_bad("HEALTHCHECK --retries=x CMD a", "invalid value \"x\" for flag --retries");
	check_bad("HEALTHCHECK --retries=2147483648 CMD a",
		  "invalid value \"2147483648\" for flag --retries");
}

static void test_onbuild(void)
{
	check("ONBUILD run  make $x ", "{\"OnBuild\":[\"run  make $x\"]}");
	check_from("{\"OnBuild\":[\"A\"]}", "onbuild COPY . /",
		   "{\"OnBuild\":[\"A\",\"COPY . /\"]}");
	check_bad("ONBUILD", "ONBUILD requires at least one argument");
	check_bad("ONBUILD onbuild RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	check_bad("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger");
	check_bad("ONBUILD MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger");
}

static void test_stopsignal(void)
{
	static const char *const good[] = { "SIGTERM", "term",	 "9",	     "SIGRTMIN+15",
					    "RTMAX-1", "SIGCLD", "SIGSTKFLT" };
	static const char *const bad[] = { "0",	      "65",	"-1",	    "SIG", "RTMIN+16",
					   "RTMIN-1", "RTMIN+", "RTMAX-15", "9x",  "SIGSIGTERM" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		auto_free char *text = xasprintf("STOPSIGNAL %s", good[i]);
		auto_free char *after = xasprintf("{\"StopSignal\":\"%s\"}", good[i]);

		check(text, after);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		auto_free char *text = xasprintf("STOPSIGNAL %s", bad[i]);
		auto_free char *why = xasprintf("invalid signal: %s", bad[i]);

		check_bad(text, why);
	}
	check_bad("STOPSIGNAL", "STOPSIGNAL requires exactly one argument");
	check_from("{\"Env\":[\"s=HUP\"]}", "STOPSIGNAL SIG$s",
		   "{\"Env\":[\"s=HUP\"],\"StopSignal\":\"SIGHUP\"}");
}

static void test_user(void)
{
	check("USER www:data", "{\"User\":\"www:data\"}");
	check_from("{\"Env\":[\"u=7\"],\"User\":\"x\"}", "USER ${u}:$u",
		   "{\"Env\":[\"u=7\"],\"User\":\"7:7\"}");
	check_bad("USER", "USER requires exactly one argument");
}

static void test_volume(void)
{
	check("VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}");
	check_from("{\"Env\":[\"d=/x y\"],\"Volumes\":{\"/a\":{}}}", "VOLUME [\"$d\"]",
		   "{\"Env\":[\"d=/x y\"],\"Volumes\":{\"/a\":{},\"/x y\":{}}}");
	check_bad("VOLUME", "VOLUME requires at least one argument");
	check_bad("VOLUME []", "VOLUME requires at least one argument");
	check_bad("VOLUME [\"\"]", "VOLUME specified can not be an empty string");
	check_bad("VOLUME $none", "VOLUME specified can not be an empty string");
}

static void test_workdir(void)
{
	check("WORKDIR /a//b/./../c/", "{\"WorkingDir\":\"/a/c\"}");
	check("WORKDIR a b", "{\"WorkingDir\":\"/a b\"}");
	check("WORKDIR /..", "{\"WorkingDir\":\"/\"}");
	check_from("{\"WorkingDir\":\"/a/b\"}", "WORKDIR c", "{\"WorkingDir\":\"/a/b/c\"}");
	check_from("{\"WorkingDir\":\"/a/b\"}", "WORKDIR ../../../c", "{\"WorkingDir\":\"/c\"}");
	check_from("{\"WorkingDir\":\"/a/b\"}", "WORKDIR /c", "{\"WorkingDir\":\"/c\"}");
	check_from("{\"WorkingDir\":\"a\"}", "WORKDIR .", "{\"WorkingDir\":\"/a\"}");
	check_bad("WORKDIR", "WORKDIR requires exactly one argument");
	check_bad("WORKDIR $none", "cannot normalize nothing");
}

static void test_lines(void)
{
	check("ENV a=1\nENV b=$a\n# c\n\nLABEL l=$b \\\n m=2\r\n",
	      "{\"Env\":[\"a=1\",\"b=1\"],\"Labels\":{\"l\":\"1\",\"m\":\"2\"}}");
	check_bad("USER a\nEXPOSE x", "invalid containerPort: x");
}

static void test_bounds(void)
{
	auto_json json_t *settings = json_object();
	auto_buf struct buf text = { 0 };
	struct error err;

	buf_puts(&text, "ENV a=");
	while (text.len < WORDS_LINE_MAX)
		buf_putc(&text, 'x');
	CU_ASSERT_EQUAL(0, change_apply(settings, text.data, &err));
	buf_putc(&text, 'x');
	CU_ASSERT_EQUAL(-1, change_apply(settings, text.data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);

	buf_reset(&text);
	for (int i = 0; i < 40; i++)
		buf_printf(&text, "ENV b%d=$a\n", i);
	CU_ASSERT_EQUAL(-1, change_apply(settings, text.data, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(settings, "Env")), 1);
	for (int i = 0; i < 40; i++) {
		auto_free char *more = xasprintf("ENV c%d=$a", i);

		CU_ASSERT_EQUAL(i < 31 ? 0 : -1, change_apply(settings, more, &err));
	}
	CU_ASSERT_EQUAL(json_array_size(json_object_get(settings, "Env")), 32);
}

static void test_number_of_values(void)
{
	auto_json json_t *settings = json_object();
	struct error err;

	CU_ASSERT_EQUAL(0, change_apply(settings, "EXPOSE 1-32700", &err));
	CU_ASSERT_EQUAL(0, change_apply(settings, "LABEL a=\",,,,\\\"{{{{\"", &err));
	CU_ASSERT_EQUAL(-1, change_apply(settings, "EXPOSE 32701-32768", &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(json_object_size(json_object_get(settings, "ExposedPorts")), 32700);
}

UNIT_SUITE(change, { "other instructions are refused", test_other_instructions },
	   { "CMD and ENTRYPOINT have two forms", test_commands },
	   { "ENV keeps the place of a key", test_env }, { "LABEL merges by key", test_label },
	   { "EXPOSE takes ports, ranges and protocols", test_expose },
	   { "HEALTHCHECK is stored in nanoseconds", test_healthcheck },
	   { "ONBUILD stores the text", test_onbuild },
	   { "STOPSIGNAL must name a signal", test_stopsignal },
	   { "USER is stored as it is", test_user }, { "VOLUME takes JSON or words", test_volume },
	   { "WORKDIR is joined and cleaned", test_workdir },
	   { "several lines are several instructions, or none", test_lines },
	   { "text and settings are bounded", test_bounds },
	   { "the number of values is bounded", test_number_of_values });
