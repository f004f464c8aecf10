/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "format/gotmpl_eval.h"
#include "format/gotmpl_print.h"
#include "unit.h"

#define SPEC_DIR "tests/spec/template"

static int run(const char *text, json_t *data, const struct gotmpl_type *type, unsigned flags,
	       struct buf *out, struct error *err)
{
	auto_gotmpl struct gotmpl *tmpl = NULL;

	buf_reset(out);
	buf_puts(out, "");
	if (gotmpl_parse(text, &tmpl, err) < 0)
		return -1;
	return gotmpl_run(tmpl, data, type, flags, out, err);
}

static json_t *parse_json(const char *text)
{
	json_error_t ignored;
	json_t *json = json_loads(text, JSON_DECODE_ANY, &ignored);

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	return json;
}

static void check_typed(const char *text, const char *data, const struct gotmpl_type *type,
			const char *expected)
{
	json_auto_t *json = parse_json(data);
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, run(text, json, type, 0, &out, &err));
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void check(const char *text, const char *data, const char *expected)
{
	check_typed(text, data, NULL, expected);
}

static void check_error(const char *text, const char *data, const struct gotmpl_type *type,
			enum err_kind kind, const char *expected)
{
	json_auto_t *json = parse_json(data);
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(-1, run(text, json, type, 0, &out, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
}

/* The spec folders: a template and a document, and what Go makes of them. */

static char *read_spec(const char *name, const char *file)
{
	auto_free char *path = xasprintf("%s/%s/%s", SPEC_DIR, name, file);
	struct buf content = { 0 };
	struct error err;

	if (io_read_file(AT_FDCWD, path, 1024 * 1024, &content, &err) < 0)
		return NULL;
	buf_puts(&content, "");
	if (content.len && content.data[content.len - 1] == '\n')
		content.data[--content.len] = '\0';
	return buf_take(&content);
}

/* The keys of the document are the row's fields. */
static void describe_row(const json_t *document, struct gotmpl_field fields[static 16])
{
	const char *key;
	json_t *value;
	size_t nr = 0;

	json_object_foreach((json_t *)document, key, value)
	{
		if (nr < 15)
			fields[nr++] = (struct gotmpl_field){ .name = key, .type = &gotmpl_string };
	}
}

static void check_spec(const char *name)
{
	auto_free char *text = read_spec(name, "template"), *input = read_spec(name, "input"),
		       *expected = read_spec(name, "expected"), *option = read_spec(name, "option");
	struct gotmpl_field fields[16] = { 0 };
	struct gotmpl_type row = { .kind = GOTMPL_STRUCT,
				   .name = "*formatter.imageContext",
				   .fields = fields,
				   .is_row = true };
	char mode = option ? option[1] : '-';
	auto_buf struct buf out = { 0 };
	json_auto_t *document = NULL;
	struct error err;

	CU_ASSERT_FATAL(text && input && expected);
	document = parse_json(input);
	describe_row(document, fields);
	if (run(text, document,
		mode == 'r'   ? &row
		: mode == 'H' ? &gotmpl_string_map
			      : NULL,
		mode == 'e'   ? GOTMPL_MISSING_KEY_ERROR
		: mode == 'H' ? GOTMPL_HEADER
			      : 0,
		&out, &err) < 0) {
		buf_reset(&out);
		buf_printf(&out, "error: template parsing error: %s", err.text);
	}
	if (strcmp(out.data, expected) != 0)
		fprintf(stderr, "\n%s:\n  got      %s\n  expected %s\n", name, out.data, expected);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void test_spec(void)
{
	auto_dir DIR *dir = opendir(SPEC_DIR);
	const struct dirent *entry;
	int nr = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check_spec(entry->d_name);
		nr++;
	}
	CU_ASSERT_TRUE(nr > 100);
}

static void test_json_escapes(void)
{
	check("{{json .}}", "\"\\b\\f\\n\\r\\t\\u001f\\\"\\\\<>&\\u2028\\u007f\"",
	      "\"\\b\\f\\n\\r\\t\\u001f\\\"\\\\<>&\\u2028\x7f\"");
	check("{{json (slice . 1)}}", "\"\\u00e4\"", "\"\\ufffd\"");
}

static void test_json_lines(void)
{
	json_auto_t *json = parse_json("{\"a\":[],\"b\":{},\"c\":[1,{\"d\":\"x\\\\\\\"{,[\"}],"
				       "\"e\":\"<\\u001f\"}");
	const struct govalue value = { .json = json };
	auto_buf struct buf out = { 0 };

	goprint_json_lines(&out, &value, 4);
	CU_ASSERT_STRING_EQUAL(out.data, "{\n    \"a\": [],\n    \"b\": {},\n    \"c\": [\n"
					 "        1,\n        {\n"
					 "            \"d\": \"x\\\\\\\"{,[\"\n        }\n    ],\n"
					 "    \"e\": \"<\\u001f\"\n}");
}

static void test_newer_go(void)
{
	check("{{range $i := 3}}{{$i}}{{end}} {{range 0}}x{{else}}n{{end}}", "{}", "012 n");
	check("{{with .a}}a{{else with .b}}{{.}}{{else}}n{{end}}", "{\"b\":5}", "5");
}

/* Structs */

static const struct gotmpl_type health_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*container.HealthConfig",
	.fields = (const struct gotmpl_field[]){ { "Test", &gotmpl_strings }, { 0 } },
};

static const struct gotmpl_type config_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*container.Config",
	.fields = (const struct gotmpl_field[]){ { "User", &gotmpl_string },
						 { "Env", &gotmpl_strings },
						 { "Labels", &gotmpl_string_map },
						 { "Tty", &gotmpl_bool },
						 { "Healthcheck", &health_type },
						 { 0 } },
};

static const struct gotmpl_type image_type = {
	.kind = GOTMPL_STRUCT,
	.name = "image.InspectResponse",
	.fields = (const struct gotmpl_field[]){ { "ID", &gotmpl_string, "Id" },
						 { "Size", &gotmpl_int64 },
						 { "Config", &config_type },
						 { 0 } },
};

static void test_structs_have_zero_values(void)
{
	static const char image[] = "{\"Id\":\"x\",\"Config\":{\"Env\":[\"A=b\"]}}";

	check_typed("{{.ID}} {{.Size}} [{{.Config.User}}] {{.Config.Labels}} {{.Config.Tty}}",
		    image, &image_type, "x 0 [] map[] false");
	check_typed("{{.Config.Labels.a}} {{index .Config.Labels \"a\"}}|{{len .Config.Labels}}",
		    image, &image_type, "<no value> |0");
	check_typed("{{json .Config.Labels}} {{json .Config}} {{.Config.Healthcheck}}", image,
		    &image_type, "null {\"Env\":[\"A=b\"]} <nil>");
	check_typed(
		"{{range .Config.Labels}}x{{else}}none{{end}}{{if .Config.Healthcheck}}h{{end}}",
		image, &image_type, "none");
	check_typed("{{.Config}}", image, &image_type, "{ [A=b] map[] false <nil>}");
	check_typed("{{printf \"%T %T\" .Config.Env .Size}}", image, &image_type, "[]string int64");
}

static void test_struct_errors(void)
{
	static const char image[] = "{\"Id\":\"x\",\"Config\":{}}";

	check_error("{{.Id}}", image, &image_type, ERR_TEMPLATE,
		    "template: :1:2: executing \"\" at <.Id>: can't evaluate field Id in type "
		    "image.InspectResponse");
	check_error("{{.Config.Healthcheck.Test}}", image, &image_type, ERR_TEMPLATE,
		    "template: :1:9: executing \"\" at <.Config.Healthcheck.Test>: nil pointer "
		    "evaluating *container.HealthConfig.Test");
	check_error("{{.Config.Healthcheck.X}}", image, &image_type, ERR_TEMPLATE,
		    "template: :1:9: executing \"\" at <.Config.Healthcheck.X>: can't evaluate "
		    "field X in type *container.HealthConfig");
	check_error("{{.ID 1}}", image, &image_type, ERR_TEMPLATE,
		    "template: :1:2: executing \"\" at <.ID>: ID has arguments but cannot be "
		    "invoked as function");
}

static json_t *call_label(const json_t *object, const char *method, const char *arg)
{
	CU_ASSERT_STRING_EQUAL(method, "Label");
	return json_incref(json_object_get(json_object_get(object, "_labels"), arg));
}

static const struct gotmpl_type container_row_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.ContainerContext",
	.fields = (const struct gotmpl_field[]){ { "ID", &gotmpl_string }, { 0 } },
	.methods = (const char *const[]){ "Label", NULL },
	.call = call_label,
	.is_row = true,
};

static void test_methods(void)
{
	static const char row[] = "{\"ID\":\"a\",\"_labels\":{\"x.y\":\"z\"}}";

	check_typed("{{.Label \"x.y\"}} {{\"x.y\" | .Label | upper}} {{json .}}", row,
		    &container_row_type, "z Z {\"ID\":\"a\"}");
	check_error("{{.Label}}", row, &container_row_type, ERR_TEMPLATE,
		    "template: :1:2: executing \"\" at <.Label>: wrong number of args for Label: "
		    "want 1 got 0");
	check_error("{{.Label 1}}", row, &container_row_type, ERR_TEMPLATE,
		    "template: :1:9: executing \"\" at <1>: expected string; found 1");
	check_error("{{._labels}}", row, &container_row_type, ERR_TEMPLATE,
		    "template: :1:2: executing \"\" at <._labels>: can't evaluate field _labels in "
		    "type *formatter.ContainerContext");
}

/* Limits */

static char *repeat(const char *before, const char *part, const char *after, int nr)
{
	struct buf text = { 0 };

	buf_puts(&text, before);
	for (int i = 0; i < nr; i++)
		buf_puts(&text, part);
	buf_puts(&text, after);
	return buf_take(&text);
}

static void test_nesting_is_bounded(void)
{
	auto_free char *parens = repeat("{{", "(", "", 60000),
		       *blocks = repeat("", "{{if 1}}", "", 8000),
		       *chain = repeat("{{if 0}}", "{{else if 0}}", "{{end}}", 4000),
		       *fine = repeat("{{", "(", "", 90), *long_text = repeat("", "x", "", 70000);
	auto_gotmpl struct gotmpl *tmpl = NULL;
	struct error err;

	CU_ASSERT_EQUAL(-1, gotmpl_parse(parens, &tmpl, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(-1, gotmpl_parse(blocks, &tmpl, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(-1, gotmpl_parse(chain, &tmpl, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(-1, gotmpl_parse(fine, &tmpl, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_TEMPLATE);
	CU_ASSERT_EQUAL(-1, gotmpl_parse(long_text, &tmpl, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_work_is_bounded(void)
{
	auto_free char *loops = repeat("", "{{range $}}", "", 30);
	auto_free char *ends = repeat(loops, "{{end}}", "", 30);
	auto_free char *doubling =
		repeat("{{$x := \"xxxxxxxx\"}}", "{{$x = print $x $x}}", "{{len $x}}", 60);

	check_error(ends, "[1,2,3,4,5,6,7,8,9]", NULL, ERR_LIMIT, "template: it takes too long");
	check_error("{{range 9000000000000}}{{end}}", "{}", NULL, ERR_LIMIT,
		    "template: it takes too long");
	check_error(doubling, "{}", NULL, ERR_LIMIT, "template: it takes too long");
}

static void test_output_is_bounded(void)
{
	check_error("{{printf \"%999999d\" .}}{{range .}}{{printf \"%999999d\" $}}{{end}}",
		    "[1,2,3,4,5,6,7,8,9]", NULL, ERR_LIMIT, "template: too much output");
	check_error(
		"{{printf \"%1000000d%1000000d\" . .}}",
		"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
		"30,31,32,33,34,35,36,37,38,39,40]",
		NULL, ERR_LIMIT, "template: too much output");
	check_error(
		"{{pad \"x\" 9000000000 1}}", "{}", NULL, ERR_TEMPLATE,
		"template: :1:2: executing \"\" at <pad \"x\" 9000000000 1>: error calling pad: "
		"strings: Repeat output length overflow");
}

UNIT_SUITE(gotmpl, { "the spec folders give what Go gives", test_spec },
	   { "JSON is escaped as Go does", test_json_escapes },
	   { "JSON over lines is indented as Go does", test_json_lines },
	   { "loops over numbers and else-with of newer Go work", test_newer_go },
	   { "an absent field of a struct has its zero value", test_structs_have_zero_values },
	   { "an unknown field of a struct is an error", test_struct_errors },
	   { "methods get their operand", test_methods },
	   { "length and nesting of a template are bounded", test_nesting_is_bounded },
	   { "the work of a template is bounded", test_work_is_bounded },
	   { "the output of a template is bounded", test_output_is_bounded });
