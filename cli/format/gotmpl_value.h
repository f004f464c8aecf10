/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_value - JSON values seen as Go would see them: with types, zero values and truth
 *
 * Without a description an object is Go's map[string]interface {}, an array a
 * []interface {}. A description makes an object a struct: its fields are known,
 * so that an absent one has a zero value and an unknown one is an error.
 */
#ifndef FORMAT_GOTMPL_VALUE_H
#define FORMAT_GOTMPL_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum gotmpl_kind {
	GOTMPL_ANY, /* whatever the JSON says */
	GOTMPL_BOOL,
	GOTMPL_INT,
	GOTMPL_FLOAT,
	GOTMPL_STRING,
	GOTMPL_LIST,
	GOTMPL_MAP,
	GOTMPL_STRUCT, /* a pointer to one when its name starts with '*' */
};

struct gotmpl_type {
	enum gotmpl_kind kind;
	const char *name;		   /* Go's, for messages: "*formatter.imageContext" */
	const struct gotmpl_field *fields; /* of a struct, ended by { 0 } */
	const struct gotmpl_type *elem;	   /* of a list or map; NULL: anything */
	/*
	 * A struct whose fields are methods, as Docker's table rows: passing an
	 * argument to one is another error, and as a whole it becomes JSON with
	 * sorted keys and escaped '<', '>', '&'.
	 */
	bool is_row;
	/* Methods that take one string, as `.Label "x"`: their names, NULL terminated, or NULL. */
	const char *const *methods;
	/* Returns new; NULL prints "<no value>". */
	json_t *(*call)(const json_t *object, const char *method, const char *arg);
	/* Returns new: what Go's String() says, as of a time.Duration; NULL: it has none. */
	char *(*text)(const json_t *json);
};

struct gotmpl_field {
	const char *name;		/* in templates, also the JSON key unless key is set */
	const struct gotmpl_type *type; /* NULL: anything */
	const char *key;
};

/* Ready descriptions for the type of a field or the elem of a list */
extern const struct gotmpl_type gotmpl_any, gotmpl_bool, gotmpl_int, gotmpl_int64, gotmpl_uint8,
	gotmpl_float, gotmpl_string, gotmpl_strings, gotmpl_string_map, gotmpl_duration;

/* What a value is at the moment, by JSON and description together */
enum gokind {
	GO_NONE, /* no value: a missing key */
	GO_NIL,	 /* null where anything could be */
	GO_BOOL,
	GO_INT,
	GO_FLOAT,
	GO_STRING,
	GO_LIST, /* json is an array, or null: nil list */
	GO_MAP,	 /* json is an object, or null: nil map */
	GO_STRUCT,
	GO_POINTER, /* a nil pointer to a struct */
};

struct govalue {
	json_t *json; /* owned; NULL: no value */
	const struct gotmpl_type *type;
	bool boxed; /* straight out of a place that holds anything: Go's interface {} */
};

void govalue_done(struct govalue *value);
#define auto_govalue __attribute__((cleanup(govalue_done)))

/* Takes json. */
struct govalue govalue_new(json_t *json, const struct gotmpl_type *type);
/* Returns new; shares the JSON. */
struct govalue govalue_copy(const struct govalue *value);
struct govalue govalue_string(const char *text, size_t len);
struct govalue govalue_int(json_int_t number);
struct govalue govalue_bool(bool truth);

enum gokind govalue_kind(const struct govalue *value);
const char *govalue_type_name(const struct govalue *value);
/* Returns new: what String() says of it, or NULL when its type has no such method. */
char *govalue_text(const struct govalue *value);
/* Go's "not the zero of its type" */
bool govalue_truth(const struct govalue *value);
/* Elements of a list or map, bytes of a string; 0 for the rest. */
size_t govalue_len(const struct govalue *value);

/* Returns new: element i of a list, which must exist. */
struct govalue govalue_item(const struct govalue *list, size_t i);
/* Returns new: the entry of a map, no value when there is none. */
struct govalue govalue_entry(const struct govalue *map, const char *key);
/* Returns new: a field with its zero value when the JSON has none. */
struct govalue govalue_field(const struct govalue *object, const struct gotmpl_field *field);
/* The description of a struct's field, or NULL. */
const struct gotmpl_field *govalue_find_field(const struct govalue *object, const char *name);
/* Returns new: the zero value of a type, no value for anything. */
struct govalue govalue_zero(const struct gotmpl_type *type);
/* The zero of what a map holds: null where it holds anything. */
struct govalue govalue_zero_entry(const struct govalue *map);

/* Returns new: the keys of an object in order, borrowed, NULL terminated; free() them. */
const char **govalue_sorted_keys(const json_t *object, size_t *ret_nr);

#endif
