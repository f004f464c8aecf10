/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_funcs.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_print.h"
#include "format/gotmpl_text.h"

/* Takes the text of buf. */
static int return_text(struct buf *buf, struct govalue *ret)
{
	*ret = govalue_string(buf->len ? buf->data : "", buf->len);
	buf_done(buf);
	return 0;
}

static const char *text_of(const struct govalue *value, size_t *ret_len)
{
	*ret_len = json_string_length(value->json);
	return json_string_value(value->json);
}

static int call_not(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	(void)nr;
	(void)err;
	*ret = govalue_bool(!govalue_truth(&args[0]));
	return 0;
}

static int call_len(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	const char *name = govalue_type_name(&args[0]);

	(void)nr;
	switch (govalue_kind(&args[0])) {
	case GO_STRING:
	case GO_LIST:
	case GO_MAP:
		*ret = govalue_int((json_int_t)govalue_len(&args[0]));
		return 0;
	case GO_NONE:
		return err_set(err, ERR_TEMPLATE,
			       "reflect: call of reflect.Value.Type on zero Value");
	case GO_NIL:
	case GO_POINTER:
		return err_set(err, ERR_TEMPLATE, "len of nil pointer");
	default:
		return err_set(err, ERR_TEMPLATE, "len of type %s", name + (*name == '*'));
	}
}

/* A place in something of len elements; len itself is allowed. */
static int parse_index(const struct govalue *index, size_t len, size_t *ret, struct error *err)
{
	json_int_t number = json_integer_value(index->json);
	enum gokind kind = govalue_kind(index);

	if (kind == GO_NONE || kind == GO_NIL)
		return err_set(err, ERR_TEMPLATE, "cannot index slice/array with nil");
	if (kind != GO_INT)
		return err_set(err, ERR_TEMPLATE, "cannot index slice/array with type %s",
			       govalue_type_name(index));
	if (number < 0 || (json_int_t)len < number)
		return err_set(err, ERR_TEMPLATE, "index out of range: %" JSON_INTEGER_FORMAT,
			       number);
	*ret = (size_t)number;
	return 0;
}

static int index_list(const struct govalue *item, const struct govalue *index, struct govalue *ret,
		      struct error *err)
{
	bool is_string = govalue_kind(item) == GO_STRING;
	size_t len = govalue_len(item), at;

	if (parse_index(index, len, &at, err) < 0)
		return -1;
	if (at == len)
		return err_set(err, ERR_TEMPLATE, "reflect: %s index out of range",
			       is_string ? "string" : "slice");
	if (is_string)
		*ret = govalue_new(json_integer((unsigned char)json_string_value(item->json)[at]),
				   &gotmpl_uint8);
	else
		*ret = govalue_item(item, at);
	return 0;
}

static int index_map(const struct govalue *item, const struct govalue *index, struct govalue *ret,
		     struct error *err)
{
	enum gokind kind = govalue_kind(index);

	if (kind == GO_NONE || kind == GO_NIL)
		return err_set(err, ERR_TEMPLATE, "value is nil; should be of type string");
	if (kind != GO_STRING)
		return err_set(err, ERR_TEMPLATE, "value has type %s; should be string",
			       govalue_type_name(index));
	*ret = govalue_entry(item, json_string_value(index->json));
	if (!ret->json)
		*ret = govalue_zero_entry(item);
	return 0;
}

static int index_once(const struct govalue *item, const struct govalue *index, struct govalue *ret,
		      struct error *err)
{
	const char *name = govalue_type_name(item);

	switch (govalue_kind(item)) {
	case GO_STRING:
	case GO_LIST:
		return index_list(item, index, ret, err);
	case GO_MAP:
		return index_map(item, index, ret, err);
	case GO_NONE:
	case GO_NIL:
	case GO_POINTER:
		return err_set(err, ERR_TEMPLATE, "index of nil pointer");
	default:
		return err_set(err, ERR_TEMPLATE, "can't index item of type %s",
			       name + (*name == '*'));
	}
}

static int call_index(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct govalue item = govalue_copy(&args[0]);

	if (govalue_kind(&item) == GO_NONE || govalue_kind(&item) == GO_NIL) {
		govalue_done(&item);
		return err_set(err, ERR_TEMPLATE, "index of untyped nil");
	}
	for (size_t i = 1; i < nr; i++) {
		struct govalue inner = { 0 };
		int result = index_once(&item, &args[i], &inner, err);

		govalue_done(&item);
		if (result < 0)
			return -1;
		item = inner;
	}
	*ret = item;
	return 0;
}

static struct govalue cut_list(const struct govalue *list, size_t from, size_t to)
{
	json_t *cut = json_array();

	for (size_t i = from; i < to; i++)
		json_array_append(cut, json_array_get(list->json, i));
	return govalue_new(cut, list->type);
}

static int call_slice(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	size_t len = govalue_len(&args[0]), at[3] = { 0, len, len };
	enum gokind kind = govalue_kind(&args[0]);

	if (kind == GO_NONE || kind == GO_NIL)
		return err_set(err, ERR_TEMPLATE, "slice of untyped nil");
	if (nr > 4)
		return err_set(err, ERR_TEMPLATE, "too many slice indexes: %zu", nr - 1);
	if (kind == GO_STRING && nr == 4)
		return err_set(err, ERR_TEMPLATE, "cannot 3-index slice a string");
	if (kind != GO_STRING && kind != GO_LIST)
		return err_set(err, ERR_TEMPLATE, "can't slice item of type %s",
			       govalue_type_name(&args[0]));
	for (size_t i = 1; i < nr; i++)
		if (parse_index(&args[i], len, &at[i - 1], err) < 0)
			return -1;
	for (size_t i = 0; i < 2; i++)
		if (at[i] > at[i + 1])
			return err_set(err, ERR_TEMPLATE, "invalid slice index: %zu > %zu", at[i],
				       at[i + 1]);
	if (kind == GO_STRING)
		*ret = govalue_string(json_string_value(args[0].json) + at[0], at[1] - at[0]);
	else
		*ret = cut_list(&args[0], at[0], at[1]);
	return 0;
}

static bool is_basic(enum gokind kind)
{
	return kind == GO_BOOL || kind == GO_INT || kind == GO_FLOAT || kind == GO_STRING;
}

/* <0, 0, >0 of two values of the same basic kind */
static int compare(const struct govalue *a, const struct govalue *b)
{
	switch (govalue_kind(a)) {
	case GO_INT: {
		json_int_t x = json_integer_value(a->json), y = json_integer_value(b->json);

		return x < y ? -1 : x > y;
	}
	case GO_FLOAT: {
		double x = json_real_value(a->json), y = json_real_value(b->json);

		return x < y ? -1 : x > y;
	}
	case GO_STRING: {
		size_t x = json_string_length(a->json), y = json_string_length(b->json);
		int order = memcmp(json_string_value(a->json), json_string_value(b->json),
				   x < y ? x : y);

		return order ? order : x < y ? -1 : x > y;
	}
	default:
		return json_is_true(a->json) - json_is_true(b->json);
	}
}

static bool is_nil(const struct govalue *value)
{
	return !value->json || json_is_null(value->json);
}

/* "non-comparable ...", with Go's way of showing the values */
static int refuse_comparison(const struct govalue *a, const struct govalue *b, struct error *err)
{
	bool same = govalue_kind(a) == govalue_kind(b);
	const char *format =
		same ? "non-comparable type %s: %v" : "non-comparable types %s: %v, %s: %v";
	const char *a_name = govalue_type_name(a), *b_name = govalue_type_name(b);
	struct govalue a_type = govalue_string(a_name, strlen(a_name));
	struct govalue b_type = govalue_string(b_name, strlen(b_name));
	const struct govalue two[] = { *b, b_type }, four[] = { *a, a_type, b_type, *b };
	auto_buf struct buf text = { 0 };

	goprint_format(&text, format, strlen(format), same ? two : four, same ? 2 : 4,
		       sizeof(err->text));
	govalue_done(&a_type);
	govalue_done(&b_type);
	return err_set(err, ERR_TEMPLATE, "%s", text.data);
}

/* Values without a basic kind: only nil can be compared. */
static int equal_others(const struct govalue *a, const struct govalue *b, bool *ret,
			struct error *err)
{
	enum gokind x = govalue_kind(a), y = govalue_kind(b);

	if ((x != y && x > GO_NIL && y > GO_NIL) || (!is_nil(a) && !is_nil(b)))
		return refuse_comparison(a, b, err);
	*ret = is_nil(a) == is_nil(b);
	return 0;
}

static int equal(const struct govalue *a, const struct govalue *b, bool *ret, struct error *err)
{
	enum gokind x = govalue_kind(a), y = govalue_kind(b);

	if (!is_basic(x) && !is_basic(y))
		return equal_others(a, b, ret, err);
	*ret = x == y && compare(a, b) == 0;
	if (x == y || x <= GO_NIL || y <= GO_NIL)
		return 0;
	return err_set(err, ERR_TEMPLATE, "incompatible types for comparison");
}

static int call_eq(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	bool same = false;

	if (nr < 2)
		return err_set(err, ERR_TEMPLATE, "missing argument for comparison");
	for (size_t i = 1; i < nr && !same; i++)
		if (equal(&args[0], &args[i], &same, err) < 0)
			return -1;
	*ret = govalue_bool(same);
	return 0;
}

static int call_ne(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	bool same;

	(void)nr;
	if (equal(&args[0], &args[1], &same, err) < 0)
		return -1;
	*ret = govalue_bool(!same);
	return 0;
}

static int order(const struct govalue *args, int *ret, struct error *err)
{
	enum gokind x = govalue_kind(&args[0]), y = govalue_kind(&args[1]);

	if (!is_basic(x) || !is_basic(y) || (x == GO_BOOL && y == GO_BOOL))
		return err_set(err, ERR_TEMPLATE, "invalid type for comparison");
	if (x != y)
		return err_set(err, ERR_TEMPLATE, "incompatible types for comparison");
	*ret = compare(&args[0], &args[1]);
	return 0;
}

static int call_lt(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	int sign;

	(void)nr;
	if (order(args, &sign, err) < 0)
		return -1;
	*ret = govalue_bool(sign < 0);
	return 0;
}

static int call_le(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	int sign;

	(void)nr;
	if (order(args, &sign, err) < 0)
		return -1;
	*ret = govalue_bool(sign <= 0);
	return 0;
}

static int call_gt(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	int sign;

	(void)nr;
	if (order(args, &sign, err) < 0)
		return -1;
	*ret = govalue_bool(sign > 0);
	return 0;
}

static int call_ge(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	int sign;

	(void)nr;
	if (order(args, &sign, err) < 0)
		return -1;
	*ret = govalue_bool(sign >= 0);
	return 0;
}

static int call_print(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };

	(void)err;
	goprint_all(&out, args, nr);
	return return_text(&out, ret);
}

static int call_println(const struct govalue *args, size_t nr, struct govalue *ret,
			struct error *err)
{
	struct buf out = { 0 };

	(void)err;
	goprint_line(&out, args, nr);
	return return_text(&out, ret);
}

static int call_printf(const struct govalue *args, size_t nr, struct govalue *ret,
		       struct error *err)
{
	struct buf out = { 0 };
	size_t len;
	const char *format = text_of(&args[0], &len);

	(void)err;
	goprint_format(&out, format, len, args + 1, nr - 1, GOTMPL_MAX_OUTPUT + 1);
	return return_text(&out, ret);
}

/* The operands as one text; nil is "<no value>", as an action prints it. */
static void join_operands(struct buf *out, const struct govalue *args, size_t nr)
{
	auto_free struct govalue *shown = xcalloc(nr, sizeof(*shown));

	for (size_t i = 0; i < nr; i++)
		shown[i] = is_nil(&args[i]) ? govalue_string("<no value>", 10)
					    : govalue_copy(&args[i]);
	buf_puts(out, ""); /* so that there is a text in any case */
	goprint_all(out, shown, nr);
	for (size_t i = 0; i < nr; i++)
		govalue_done(&shown[i]);
}

static int call_html(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct buf out = { 0 };

	(void)err;
	join_operands(&text, args, nr);
	gotext_html(&out, text.data, text.len);
	return return_text(&out, ret);
}

static int call_js(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct buf out = { 0 };

	(void)err;
	join_operands(&text, args, nr);
	gotext_js(&out, text.data, text.len);
	return return_text(&out, ret);
}

static int call_urlquery(const struct govalue *args, size_t nr, struct govalue *ret,
			 struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct buf out = { 0 };

	(void)err;
	join_operands(&text, args, nr);
	gotext_urlquery(&out, text.data, text.len);
	return return_text(&out, ret);
}

static int call_json(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };

	(void)nr;
	(void)err;
	goprint_json(&out, &args[0], false);
	return return_text(&out, ret);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Go's order of a map is none, so Docker sorts the values. */
static void join_map(struct buf *out, const struct govalue *map, const char *separator, size_t len)
{
	auto_strlist struct strlist texts = { 0 };
	json_t *json;
	const char *key;

	json_object_foreach(map->json, key, json)
	{
		const struct govalue value = { .json = json };
		struct buf text = { 0 };

		goprint_all(&text, &value, 1);
		strlist_take(&texts, buf_take(&text));
	}
	if (texts.nr)
		qsort(texts.items, texts.nr, sizeof(*texts.items), compare_texts);
	for (size_t i = 0; i < texts.nr; i++) {
		buf_append(out, separator, i ? len : 0);
		buf_puts(out, texts.items[i]);
	}
}

static int call_join(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };
	size_t len;
	const char *separator = text_of(&args[1], &len);

	(void)nr;
	switch (govalue_kind(&args[0])) {
	case GO_NONE:
	case GO_NIL:
		break;
	case GO_LIST:
		for (size_t i = 0; i < govalue_len(&args[0]); i++) {
			auto_govalue struct govalue item = govalue_item(&args[0], i);

			buf_append(&out, separator, i ? len : 0);
			goprint_all(&out, &item, 1);
			if (out.len > GOTMPL_MAX_OUTPUT)
				break; /* the evaluator refuses it */
		}
		break;
	case GO_MAP:
		join_map(&out, &args[0], separator, len);
		break;
	default:
		return err_set(err, ERR_TEMPLATE, "expected slice, got %s",
			       govalue_type_name(&args[0]));
	}
	return return_text(&out, ret);
}

static int call_split(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	size_t len, separator_len;
	const char *text = text_of(&args[0], &len);
	const char *separator = text_of(&args[1], &separator_len);

	(void)nr;
	(void)err;
	*ret = govalue_new(gotext_split(text, len, separator, separator_len), &gotmpl_strings);
	return 0;
}

static int call_lower(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };
	size_t len;
	const char *text = text_of(&args[0], &len);

	(void)nr;
	(void)err;
	gotext_lower(&out, text, len);
	return return_text(&out, ret);
}

static int call_upper(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };
	size_t len;
	const char *text = text_of(&args[0], &len);

	(void)nr;
	(void)err;
	gotext_upper(&out, text, len);
	return return_text(&out, ret);
}

static int call_title(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	struct buf out = { 0 };
	size_t len;
	const char *text = text_of(&args[0], &len);

	(void)nr;
	(void)err;
	gotext_title(&out, text, len);
	return return_text(&out, ret);
}

static int call_pad(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	json_int_t before = json_integer_value(args[1].json),
		   after = json_integer_value(args[2].json);
	struct buf out = { 0 };
	size_t len;
	const char *text = text_of(&args[0], &len);

	(void)nr;
	if (len == 0) {
		*ret = govalue_copy(&args[0]);
		return 0;
	}
	if (before < 0 || after < 0)
		return err_set(err, ERR_TEMPLATE, "strings: negative Repeat count");
	if (before > GOTMPL_MAX_OUTPUT || after > GOTMPL_MAX_OUTPUT)
		return err_set(err, ERR_TEMPLATE, "strings: Repeat output length overflow");
	while (before-- > 0)
		buf_putc(&out, ' ');
	buf_append(&out, text, len);
	while (after-- > 0)
		buf_putc(&out, ' ');
	return return_text(&out, ret);
}

static int call_truncate(const struct govalue *args, size_t nr, struct govalue *ret,
			 struct error *err)
{
	json_int_t most = json_integer_value(args[1].json);
	size_t len;
	const char *text = text_of(&args[0], &len);

	(void)nr;
	if (most < 0)
		return err_set(err, ERR_TEMPLATE,
			       "runtime error: slice bounds out of range [:%" JSON_INTEGER_FORMAT
			       "]",
			       most);
	*ret = govalue_string(text, len < (size_t)most ? len : (size_t)most);
	return 0;
}

/* JSON holds no functions. */
static int call_call(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	(void)nr;
	(void)ret;
	if (govalue_kind(&args[0]) == GO_NONE || govalue_kind(&args[0]) == GO_NIL)
		return err_set(err, ERR_TEMPLATE, "call of nil");
	return err_set(err, ERR_TEMPLATE, "non-function of type %s", govalue_type_name(&args[0]));
}

static int call_first(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err)
{
	(void)nr;
	(void)err;
	*ret = govalue_copy(&args[0]);
	return 0;
}

static const struct gofunc functions[] = {
	{ "and", "vv*", NULL },
	{ "or", "vv*", NULL },
	{ "not", "v", call_not },
	{ "len", "v", call_len },
	{ "call", "vv*", call_call },
	{ "index", "vv*", call_index },
	{ "slice", "vv*", call_slice },
	{ "eq", "vv*", call_eq },
	{ "ne", "vv", call_ne },
	{ "lt", "vv", call_lt },
	{ "le", "vv", call_le },
	{ "gt", "vv", call_gt },
	{ "ge", "vv", call_ge },
	{ "print", "a*", call_print },
	{ "println", "a*", call_println },
	{ "printf", "sa*", call_printf },
	{ "html", "a*", call_html },
	{ "js", "a*", call_js },
	{ "urlquery", "a*", call_urlquery },
	{ "json", "a", call_json },
	{ "join", "as", call_join },
	{ "split", "ss", call_split },
	{ "lower", "s", call_lower },
	{ "upper", "s", call_upper },
	{ "title", "s", call_title },
	{ "pad", "sii", call_pad },
	{ "truncate", "si", call_truncate },
};

static const struct gofunc header_functions[] = {
	{ "json", "s", call_first },	  { "join", "ss", call_first },
	{ "split", "ss", call_first },	  { "lower", "s", call_first },
	{ "upper", "s", call_first },	  { "title", "s", call_first },
	{ "truncate", "si", call_first },
};

static const struct gofunc *find(const struct gofunc *table, size_t nr, const char *name,
				 size_t len)
{
	for (size_t i = 0; i < nr; i++)
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

const struct gofunc *gofunc_find(const char *name, size_t len, bool header)
{
	const struct gofunc *func = NULL;

	if (header)
		func = find(header_functions, sizeof(header_functions) / sizeof(*header_functions),
			    name, len);
	if (!func)
		func = find(functions, sizeof(functions) / sizeof(*functions), name, len);
	return func;
}
