/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonfield - a JSON object into a C struct, by a table
 *
 *	static const struct jsonfield fields[] = {
 *		{ "mediaType", JSONFIELD_STRING, offsetof(struct thing, media_type), true },
 *		{ "size", JSONFIELD_INT64, offsetof(struct thing, size_bytes), true },
 *		{ 0 }
 *	};
 *
 * Documents come from outside: size, depth and number of values are bounded
 * before a tree is built, a key that occurs twice, a NUL in a string and text
 * that is not UTF-8 are refused. Keys are compared with their case.
 */
#ifndef BASE_JSONFIELD_H
#define BASE_JSONFIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

/* Real documents nest eight deep; jansson recurses once for each level. */
#define JSONFIELD_DEPTH_MAX 128
/* "{}," in a tree is a hundred times its text, so the size of the text alone is no bound. */
#define JSONFIELD_VALUES_MAX 131072

enum jsonfield_kind {
	JSONFIELD_STRING = 1, /* char *, new; NULL when absent */
	JSONFIELD_INT64,      /* int64_t within min and max of its row */
	JSONFIELD_BOOL,	      /* bool */
	JSONFIELD_DIGEST,     /* struct digest; "" counts as absent */
	JSONFIELD_STRLIST,    /* struct strlist; a null in it counts as "" */
	JSONFIELD_STRMAP,     /* json_t *: object of strings and nulls, a reference of our own */
	JSONFIELD_OBJECT,     /* json_t *, a reference of our own; NULL when absent */
	JSONFIELD_ARRAY,      /* likewise */
};

struct jsonfield {
	const char *key; /* NULL ends the table */
	enum jsonfield_kind kind;
	size_t offset;
	bool required;	  /* neither absent nor null */
	int64_t min, max; /* JSONFIELD_INT64; max 0: no upper bound */
};

enum jsonfield_mode {
	JSONFIELD_TOLERANT, /* keys outside the table are somebody else's */
	JSONFIELD_STRICT,   /* they are an error that names them: our own configuration */
};

/**
 * jsonfield_load - parse a document
 * @max: bytes allowed
 * @ret: new reference; any JSON value, a lone null or number too
 *
 * Returns 0, or -1: ERR_LIMIT for what is too large or too deep, ERR_CORRUPT
 * with line and column for what is not JSON.
 */
int jsonfield_load(const void *data, size_t len, size_t max, json_t **ret, struct error *err);

/**
 * jsonfield_decode - fill the fields of a struct
 * @object: borrowed; anything but an object is an error
 * @ret:    what the fields held before is overwritten, not released; an absent
 *          or null field becomes NULL, 0, false or empty
 *
 * Returns 0, or -1 with ERR_CORRUPT and the key's name; then the fields hold
 * nothing.
 */
int jsonfield_decode(const json_t *object, const struct jsonfield fields[],
		     enum jsonfield_mode mode, void *ret, struct error *err);

/* Releases what decode allocated and empties the fields; half-filled is fine. */
void jsonfield_done(const struct jsonfield fields[], void *record);

/* A string of what a user gave, new: bytes that are no UTF-8 become U+FFFD, as Go writes them. */
json_t *jsonfield_text(const char *text);

/* Appends a document of our own: compact, keys sorted, so equal content is equal bytes. */
void jsonfield_write(const json_t *json, struct buf *ret);

static inline void jsonfield_decref_(json_t **json)
{
	json_decref(*json);
}
#define auto_json __attribute__((cleanup(jsonfield_decref_)))

#endif
