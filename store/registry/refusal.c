/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/refusal.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"

#define DENIED	     "denied: requested access to the resource is denied"
#define UNAUTHORIZED "unauthorized: authentication required"

static enum refusal refusal_of_code(const char *code)
{
	static const struct {
		const char *code;
		enum refusal refusal;
	} known[] = {
		{ "UNAUTHORIZED", REFUSAL_UNAUTHORIZED },
		{ "DENIED", REFUSAL_DENIED },
		{ "NAME_UNKNOWN", REFUSAL_NO_NAME },
		{ "MANIFEST_UNKNOWN", REFUSAL_NO_MANIFEST },
		{ "TOOMANYREQUESTS", REFUSAL_TOO_MANY },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].code, code) == 0)
			return known[i].refusal;
	return REFUSAL_OTHER;
}

static bool is_registered(const char *code)
{
	static const char *const codes[] = {
		"UNKNOWN",
		"UNSUPPORTED",
		"UNAUTHORIZED",
		"DENIED",
		"UNAVAILABLE",
		"TOOMANYREQUESTS",
		"DIGEST_INVALID",
		"SIZE_INVALID",
		"NAME_INVALID",
		"TAG_INVALID",
		"NAME_UNKNOWN",
		"MANIFEST_UNKNOWN",
		"MANIFEST_INVALID",
		"MANIFEST_UNVERIFIED",
		"MANIFEST_BLOB_UNKNOWN",
		"BLOB_UNKNOWN",
		"BLOB_UPLOAD_UNKNOWN",
		"BLOB_UPLOAD_INVALID",
		"RANGE_INVALID",
		"PAGINATION_NUMBER_INVALID",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(codes[i], code) == 0)
			return true;
	return false;
}

static void put_words(const char *code, struct buf *ret)
{
	for (; *code; code++)
		buf_putc(ret, *code == '_' ? ' ' : (char)tolower((unsigned char)*code));
}

static const json_t *first_error(const json_t *document)
{
	const json_t *errors = json_object_get(document, "errors");

	return json_is_array(errors) ? json_array_get(errors, 0) : NULL;
}

static int set(struct error *err, enum err_kind kind, const char *text)
{
	return err_set(err, kind, "%s", text);
}

static enum refusal read_document(const json_t *error, enum err_kind kind, struct error *err)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	auto_buf struct buf text = { 0 };

	if (!code)
		code = "UNKNOWN";
	put_words(is_registered(code) ? code : "UNKNOWN", &text);
	if (message && *message)
		buf_printf(&text, ": %.512s", message);
	set(err, kind, text.data);
	return refusal_of_code(code);
}

/* {"details": "..."}, as Docker Hub's token server has it. */
static enum refusal read_details(const struct http_head *head, const char *details,
				 enum err_kind kind, struct error *err)
{
	const char *code = head->status == 401	 ? "unauthorized"
			   : head->status == 429 ? "toomanyrequests"
						 : "unknown";

	err_set(err, kind, "%s: %.512s", code, details);
	return head->status == 401   ? REFUSAL_UNAUTHORIZED
	       : head->status == 429 ? REFUSAL_TOO_MANY
				     : REFUSAL_OTHER;
}

/* What a token lacked, RFC 6750 section 3.1: said in the header, whatever the body says. */
static bool lacks_scope(const struct http_head *head)
{
	const struct challenge *bearer = challenge_find(&head->challenges, CHALLENGE_BEARER);

	return bearer && bearer->error && strcmp(bearer->error, "insufficient_scope") == 0;
}

enum refusal refusal_read(const struct http_head *head, const struct buf *body, struct error *err)
{
	enum err_kind kind = head->status == 401 || head->status == 403 ? ERR_DENIED
			     : head->status == 404			? ERR_NOT_FOUND
									: ERR_REMOTE;
	auto_json json_t *json = NULL;
	struct error no_json;

	if (lacks_scope(head)) {
		set(err, ERR_DENIED, DENIED);
		return REFUSAL_DENIED;
	}
	if (body->len &&
	    jsonfield_load(body->data, body->len, LIMIT_REFUSAL_BYTES, &json, &no_json) == 0) {
		const char *details = json_string_value(json_object_get(json, "details"));

		if (json_is_object(first_error(json)))
			return read_document(first_error(json), kind, err);
		if (details && *details)
			return read_details(head, details, kind, err);
	}
	switch (head->status) {
	case 401:
		set(err, kind, UNAUTHORIZED);
		return REFUSAL_UNAUTHORIZED;
	case 403:
		set(err, kind, DENIED);
		return REFUSAL_DENIED;
	case 429:
		set(err, kind, "toomanyrequests: too many requests");
		return REFUSAL_TOO_MANY;
	default:
		err_set(err, kind, "received unexpected HTTP status: %ld", head->status);
		return REFUSAL_OTHER;
	}
}
