/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "format/human.h"

const struct gotmpl_type gotmpl_any = { .kind = GOTMPL_ANY };
const struct gotmpl_type gotmpl_bool = { .kind = GOTMPL_BOOL, .name = "bool" };
const struct gotmpl_type gotmpl_int = { .kind = GOTMPL_INT, .name = "int" };
const struct gotmpl_type gotmpl_int64 = { .kind = GOTMPL_INT, .name = "int64" };
const struct gotmpl_type gotmpl_uint8 = { .kind = GOTMPL_INT, .name = "uint8" };
const struct gotmpl_type gotmpl_float = { .kind = GOTMPL_FLOAT, .name = "float64" };
const struct gotmpl_type gotmpl_string = { .kind = GOTMPL_STRING, .name = "string" };
const struct gotmpl_type gotmpl_strings = { .kind = GOTMPL_LIST,
					    .name = "[]string",
					    .elem = &gotmpl_string };
const struct gotmpl_type gotmpl_string_map = { .kind = GOTMPL_MAP,
					       .name = "map[string]string",
					       .elem = &gotmpl_string };

static char *duration_text(const json_t *ns)
{
	return xstrdup(human_go_duration(json_integer_value(ns)).text);
}

const struct gotmpl_type gotmpl_duration = {
	.kind = GOTMPL_INT,
	.name = "time.Duration",
	.text = duration_text,
};

void govalue_done(struct govalue *value)
{
	json_decref(value->json);
	*value = (struct govalue){ 0 };
}

struct govalue govalue_new(json_t *json, const struct gotmpl_type *type)
{
	return (struct govalue){ .json = json, .type = type };
}

struct govalue govalue_copy(const struct govalue *value)
{
	struct govalue copy = *value;

	json_incref(copy.json);
	return copy;
}

/* What a list, map or struct holds at some place. Takes json. */
static struct govalue new_inner(json_t *json, const struct gotmpl_type *type)
{
	struct govalue value = govalue_new(json, type);

	value.boxed = !type || type->kind == GOTMPL_ANY;
	return value;
}

struct govalue govalue_string(const char *text, size_t len)
{
	json_t *json = json_stringn_nocheck(text, len);

	if (!json)
		abort(); /* only without memory */
	return govalue_new(json, &gotmpl_string);
}

struct govalue govalue_int(json_int_t number)
{
	return govalue_new(json_integer(number), &gotmpl_int);
}

struct govalue govalue_bool(bool truth)
{
	return govalue_new(json_boolean(truth), &gotmpl_bool);
}

enum gokind govalue_kind(const struct govalue *value)
{
	enum gotmpl_kind wanted = value->type ? value->type->kind : GOTMPL_ANY;

	if (!value->json)
		return GO_NONE;
	switch (json_typeof(value->json)) {
	case JSON_OBJECT:
		return wanted == GOTMPL_STRUCT ? GO_STRUCT : GO_MAP;
	case JSON_ARRAY:
		return GO_LIST;
	case JSON_STRING:
		return GO_STRING;
	case JSON_INTEGER:
		return GO_INT;
	case JSON_REAL:
		return GO_FLOAT;
	case JSON_TRUE:
	case JSON_FALSE:
		return GO_BOOL;
	case JSON_NULL:
		break;
	}
	if (wanted == GOTMPL_STRUCT)
		return GO_POINTER;
	return wanted == GOTMPL_LIST ? GO_LIST : wanted == GOTMPL_MAP ? GO_MAP : GO_NIL;
}

/* Does what the JSON is go together with what the description says it is? */
static bool type_fits(const struct govalue *value, enum gokind kind)
{
	static const enum gokind kinds[] = {
		[GOTMPL_BOOL] = GO_BOOL,     [GOTMPL_INT] = GO_INT,   [GOTMPL_FLOAT] = GO_FLOAT,
		[GOTMPL_STRING] = GO_STRING, [GOTMPL_LIST] = GO_LIST, [GOTMPL_MAP] = GO_MAP,
	};

	if (!value->type || !value->type->name)
		return false;
	if (value->type->kind == GOTMPL_STRUCT)
		return kind == GO_STRUCT || kind == GO_POINTER;
	return kinds[value->type->kind] == kind;
}

const char *govalue_type_name(const struct govalue *value)
{
	static const char *const names[] = {
		[GO_NONE] = "<nil>",	      [GO_NIL] = "interface {}",
		[GO_BOOL] = "bool",	      [GO_INT] = "int64",
		[GO_FLOAT] = "float64",	      [GO_STRING] = "string",
		[GO_LIST] = "[]interface {}", [GO_MAP] = "map[string]interface {}",
		[GO_STRUCT] = "struct {}",    [GO_POINTER] = "*struct {}",
	};
	enum gokind kind = govalue_kind(value);

	return type_fits(value, kind) ? value->type->name : names[kind];
}

char *govalue_text(const struct govalue *value)
{
	if (!value->type || !value->type->text || !type_fits(value, govalue_kind(value)))
		return NULL;
	return value->type->text(value->json);
}

size_t govalue_len(const struct govalue *value)
{
	if (json_is_string(value->json))
		return json_string_length(value->json);
	if (json_is_array(value->json))
		return json_array_size(value->json);
	return json_object_size(value->json); /* 0 for everything but objects */
}

bool govalue_truth(const struct govalue *value)
{
	switch (govalue_kind(value)) {
	case GO_BOOL:
		return json_is_true(value->json);
	case GO_INT:
		return json_integer_value(value->json) != 0;
	case GO_FLOAT:
		return json_real_value(value->json) != 0;
	case GO_STRING:
	case GO_LIST:
	case GO_MAP:
		return govalue_len(value) > 0;
	case GO_STRUCT:
		return true;
	default:
		return false;
	}
}

static const struct gotmpl_type *elem_type(const struct govalue *value)
{
	return value->type ? value->type->elem : NULL;
}

struct govalue govalue_item(const struct govalue *list, size_t i)
{
	return new_inner(json_incref(json_array_get(list->json, i)), elem_type(list));
}

struct govalue govalue_entry(const struct govalue *map, const char *key)
{
	json_t *json = json_object_get(map->json, key);

	if (!json)
		return (struct govalue){ 0 };
	return new_inner(json_incref(json), elem_type(map));
}

struct govalue govalue_zero(const struct gotmpl_type *type)
{
	switch (type ? type->kind : GOTMPL_ANY) {
	case GOTMPL_BOOL:
		return govalue_new(json_false(), type);
	case GOTMPL_INT:
		return govalue_new(json_integer(0), type);
	case GOTMPL_FLOAT:
		return govalue_new(json_real(0), type);
	case GOTMPL_STRING:
		return govalue_new(json_string(""), type);
	case GOTMPL_STRUCT:
		if (type->name && *type->name != '*')
			return govalue_new(json_object(), type);
		return govalue_new(json_null(), type);
	case GOTMPL_LIST:
	case GOTMPL_MAP:
		return govalue_new(json_null(), type);
	default:
		return (struct govalue){ 0 };
	}
}

struct govalue govalue_zero_entry(const struct govalue *map)
{
	struct govalue zero = govalue_zero(elem_type(map));

	return zero.json ? zero : govalue_new(json_null(), NULL);
}

struct govalue govalue_field(const struct govalue *object, const struct gotmpl_field *field)
{
	json_t *json = json_object_get(object->json, field->key ? field->key : field->name);

	if (!json || json_is_null(json)) {
		struct govalue zero = govalue_zero(field->type);

		return zero.json ? zero : govalue_new(json_null(), NULL);
	}
	return new_inner(json_incref(json), field->type);
}

const struct gotmpl_field *govalue_find_field(const struct govalue *object, const char *name)
{
	const struct gotmpl_field *field = object->type ? object->type->fields : NULL;

	for (; field && field->name; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **govalue_sorted_keys(const json_t *object, size_t *ret_nr)
{
	const char **keys = xcalloc(json_object_size(object) + 1, sizeof(*keys)), *key;
	json_t *value;
	size_t nr = 0;

	/* jansson's iteration does not change the object */
	json_object_foreach((json_t *)object, key, value)
	{
		keys[nr++] = key;
	}
	qsort(keys, nr, sizeof(*keys), compare_keys);
	*ret_nr = nr;
	return keys;
}
