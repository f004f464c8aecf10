/* SPDX-License-Identifier: Apache-2.0 */
#include "build/args.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "unit.h"

/* Globals and one stage, with the config's ENV. */
struct box {
	struct build_args given;
	struct args global, stage;
	json_t *env;
};

static void box_done(struct box *box)
{
	build_args_done(&box->given);
	args_done(&box->global);
	args_done(&box->stage);
	json_decref(box->env);
}
#define auto_box __attribute__((cleanup(box_done)))

static void give(struct box *box, const char *text)
{
	static const char *const env[] = { "here=from env", NULL };
	struct error err;

	CU_ASSERT_EQUAL(0, build_args_add(&box->given, text, (char *const *)env, &err));
}

static void start(struct box *box)
{
	struct platform build, wanted;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, platform_parse("linux/amd64", &build, &err));
	CU_ASSERT_EQUAL_FATAL(0, platform_parse("linux/arm/v7", &wanted, &err));
	args_init_global(&box->global, &box->given, &build, &wanted, NULL);
	args_init_stage(&box->stage, &box->global, NULL);
	box->env = json_array();
}

/* An ARG line; what the history says of it. */
static void declare(struct box *box, struct args *args, const char *line, const char *expected)
{
	auto_instruction struct instruction instruction = { 0 };
	auto_buf struct buf by = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, instruction_parse(line, '\\', &instruction, &err));
	if (args_declare(args, &instruction, box->env, '\\', &by, &err) < 0) {
		CU_ASSERT_STRING_EQUAL(err.text, expected);
		return;
	}
	CU_ASSERT_STRING_EQUAL(by.data, expected);
	if (strcmp(by.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", by.data, expected);
}

typedef void list_fn(const struct args *args, const json_t *env, struct strlist *ret);

static void check_list(const struct box *box, list_fn *fn, const char *expected)
{
	auto_strlist struct strlist list = { 0 };
	auto_buf struct buf out = { 0 };

	fn(&box->stage, box->env, &list);
	buf_puts(&out, "");
	for (size_t i = 0; i < list.nr; i++)
		buf_printf(&out, "%s%s", i ? " " : "", list.items[i]);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void check_history(const struct box *box, const char *expected)
{
	auto_buf struct buf out = { 0 };

	buf_puts(&out, "");
	args_history(&box->stage, box->env, &out);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void check_warning(const struct box *box, const char *expected)
{
	auto_buf struct buf out = { 0 };

	buf_puts(&out, "");
	build_args_warning(&box->given, &out);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void test_defaults(void)
{
	auto_box struct box box = { 0 };

	start(&box);
	declare(&box, &box.stage, "ARG a=1 b", "ARG a=1 b");
	declare(&box, &box.stage, "ARG c=$a a=2 d=$a", "ARG c=1 a=2 d=1");
	declare(&box, &box.stage, "ARG ${c}x='$a'", "ARG 1x=$a");
	declare(&box, &box.stage, "ARG a", "ARG a");
	declare(&box, &box.stage, "ARG $none=x", "ARG names can not be blank");
	check_list(&box, args_variables, "a=2 c=1 d=1 1x=$a");
	check_history(&box, "|5 a=2 b= c=1 d=1 1x=$a ");
}

static void test_given(void)
{
	auto_box struct box box = { 0 };

	give(&box, "a=given");
	give(&box, "a=later");
	give(&box, "here");
	give(&box, "absent");
	give(&box, "unused=1");
	give(&box, "also=1");
	give(&box, "HTTP_PROXY=p");
	give(&box, "SOURCE_DATE_EPOCH=0");
	start(&box);
	declare(&box, &box.stage, "ARG a=1 here absent=2", "ARG a=later here=from env absent=2");
	check_warning(&box, "[Warning] One or more build-args [also unused] were not consumed");
	declare(&box, &box.stage, "ARG unused also", "ARG unused=1 also=1");
	check_warning(&box, "");
}

static void test_globals(void)
{
	auto_box struct box box = { 0 };

	give(&box, "v=given");
	start(&box);
	declare(&box, &box.global, "ARG v=1 w=2", "ARG v=given w=2");
	check_list(&box, args_variables, "");
	declare(&box, &box.stage, "ARG v w x", "ARG v=given w=2 x");
	declare(&box, &box.stage, "ARG w=3", "ARG w=3");
	check_list(&box, args_variables, "v=given w=3");
}

static void test_platforms(void)
{
	auto_box struct box box = { 0 };

	give(&box, "TARGETOS=plan9");
	start(&box);
	check_list(&box, args_variables, "");
	declare(&box, &box.stage,
		"ARG BUILDPLATFORM BUILDVARIANT TARGETPLATFORM TARGETOS TARGETARCH",
		"ARG BUILDPLATFORM=linux/amd64 BUILDVARIANT= TARGETPLATFORM=linux/arm/v7 "
		"TARGETOS=plan9 TARGETARCH=arm");
	declare(&box, &box.stage, "ARG TARGETVARIANT TARGETSTAGE",
		"ARG TARGETVARIANT=v7 TARGETSTAGE=default");
	check_warning(&box, "");
}

static void test_env_wins(void)
{
	auto_box struct box box = { 0 };

	start(&box);
	json_array_append_new(box.env, json_string("a=env"));
	json_array_append_new(box.env, json_string("z=1"));
	declare(&box, &box.stage, "ARG a=arg b=$a", "ARG a=arg b=env");
	check_list(&box, args_cache_env, "a=env z=1 b=env");
	check_history(&box, "|2 a=env b=env ");
}

static void test_proxies(void)
{
	auto_box struct box box = { 0 };

	give(&box, "http_proxy=p");
	give(&box, "NO_PROXY=n");
	give(&box, "Http_Proxy=odd");
	start(&box);
	declare(&box, &box.stage, "ARG NO_PROXY", "ARG NO_PROXY=n");
	check_list(&box, args_run_env, "NO_PROXY=n http_proxy=p");
	check_list(&box, args_cache_env, "NO_PROXY=n");
	check_history(&box, "|1 NO_PROXY=n ");
	check_warning(&box, "[Warning] One or more build-args [Http_Proxy] were not consumed");
}

static void test_built_from(void)
{
	auto_box struct box box = { 0 };
	auto_args struct args child = { 0 };

	start(&box);
	declare(&box, &box.stage, "ARG a=1 b", "ARG a=1 b");
	args_init_stage(&child, &box.global, &box.stage);
	declare(&box, &child, "ARG c=$a", "ARG c=1");
	CU_ASSERT_EQUAL(child.declared.nr, 3);
}

static void test_bounds(void)
{
	auto_instruction struct instruction instruction = { 0 };
	auto_box struct box box = { 0 };
	auto_buf struct buf line = { 0 };
	struct error err;
	int nr = 0;

	start(&box);
	buf_puts(&line, "ARG a=");
	for (int i = 0; i < 60000; i++)
		buf_putc(&line, 'x');
	CU_ASSERT_EQUAL(0, instruction_parse(line.data, '\\', &instruction, &err));
	while (args_declare(&box.stage, &instruction, box.env, '\\', NULL, &err) == 0)
		nr++;
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(nr, 8);
}

/* Neither settings nor a runtime could be given it. */
static void test_bytes(void)
{
	auto_box struct box box = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL(-1, build_args_add(&box.given, "x=\xff", NULL, &err));
	CU_ASSERT_STRING_EQUAL(err.text, "the build argument 'x' is not UTF-8");
	CU_ASSERT_EQUAL(0, build_args_add(&box.given, "x=\xc3\xbf", NULL, &err));
}

UNIT_SUITE(args, { "an ARG has a default or none", test_defaults },
	   { "--build-arg replaces defaults, and is missed when unused", test_given },
	   { "a global ARG is imported by its name", test_globals },
	   { "platforms are globals", test_platforms }, { "ENV wins over ARG", test_env_wins },
	   { "proxies reach RUN and nothing else", test_proxies },
	   { "a stage has the ARGs of the stage it is built from", test_built_from },
	   { "the ARGs of a stage are bounded", test_bounds },
	   { "a build argument is UTF-8", test_bytes });
