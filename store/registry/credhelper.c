/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credhelper.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/proc.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/authfile.h"

#define DEADLINE_MS 120000
#define TOKEN_USER  "<token>"
#define NOT_FOUND   "credentials not found in native keychain"

/* Of what a helper says, that much is shown. */
#define SHOWN_BYTES 256

static int check_name(const char *name, struct error *err)
{
	if (!*name || strlen(name) > LIMIT_HELPER_NAME_BYTES)
		return err_set(err, ERR_USAGE, "a credential helper's name is empty or too long");
	for (const char *at = name; *at; at++)
		if (*at == '/' || (unsigned char)*at <= ' ' || *at == 0x7f)
			return err_set(err, ERR_USAGE, "'%s' is no name for a credential helper",
				       name);
	return 0;
}

/* Blanks and line ends around it go. */
static void trim(struct buf *text)
{
	size_t front = strspn(text->data, " \t\r\n");

	while (text->len > front && strchr(" \t\r\n", text->data[text->len - 1]))
		text->data[--text->len] = '\0';
	memmove(text->data, text->data + front, text->len - front + 1);
	text->len -= front;
}

/* Returns the exit status or -1. */
static int ask(const struct credhelper *helper, const char *verb, const void *request, size_t len,
	       struct buf *ret, struct error *err)
{
	auto_free char *program = xasprintf("docker-credential-%s", helper->name);
	const char *const argv[] = { program, verb, NULL };
	const struct proc_talk talk = {
		.argv = argv,
		.input = request,
		.input_len = len,
		.output_max = LIMIT_HELPER_BYTES,
		.deadline_ms = helper->deadline_ms ?: DEADLINE_MS,
	};

	if (check_name(helper->name, err) < 0)
		return -1;
	secret_buf_init(ret, talk.output_max);
	return proc_talk(&talk, ret, err);
}

/* @secret: must not be shown; may be NULL */
static int refused(int status, const char *doing, struct buf *answer, const char *secret,
		   struct error *err)
{
	bool has_secret = secret && *secret && strstr(answer->data, secret);

	return err_set(err, ERR_REMOTE, "error %s credentials - err: exit status %d, out: `%.*s`",
		       doing, status, SHOWN_BYTES, has_secret ? "***" : answer->data);
}

static int read_answer(const struct buf *answer, struct credentials *ret, struct error *err)
{
	auto_json json_t *document = NULL;
	const char *username, *secret;

	if (authfile_load(answer->data, answer->len, LIMIT_HELPER_BYTES, &document, err) < 0)
		return -1;
	username = json_string_value(json_object_get(document, "Username"));
	secret = json_string_value(json_object_get(document, "Secret"));
	if (!username || !secret)
		return err_set(err, ERR_CORRUPT, "no text for Username or Secret");
	if (strlen(username) > LIMIT_CREDENTIAL_BYTES || strlen(secret) > LIMIT_CREDENTIAL_BYTES)
		return err_set(err, ERR_LIMIT, "more than %u bytes", LIMIT_CREDENTIAL_BYTES);
	if (!*username && !*secret)
		return 0;
	*ret = (struct credentials){ 0 };
	if (strcmp(username, TOKEN_USER) == 0) {
		ret->identity_token = xstrdup(secret);
	} else {
		ret->username = xstrdup(username);
		ret->password = xstrdup(secret);
	}
	credentials_hold();
	return 1;
}

int credhelper_get(const struct credhelper *helper, const char *key, struct credentials *ret,
		   struct error *err)
{
	auto_secret_buf struct buf answer = { 0 };
	int status = ask(helper, "get", key, strlen(key), &answer, err), result;

	if (status < 0)
		return err_add(err, "error getting credentials");
	if (status) {
		trim(&answer);
		if (strcmp(answer.data, NOT_FOUND) == 0)
			return 0;
		return refused(status, "getting", &answer, NULL, err);
	}
	result = read_answer(&answer, ret, err);
	if (result < 0)
		return err_add(err, "error getting credentials: answer of docker-credential-%s",
			       helper->name);
	return result;
}

int credhelper_store(const struct credhelper *helper, const char *key,
		     const struct credentials *credentials, struct error *err)
{
	const char *token = credentials->identity_token;
	const char *secret = token ?: credentials->password ?: "";
	auto_json json_t *request = json_pack("{s:s, s:s, s:s}", "ServerURL", key, "Username",
					      token ? TOKEN_USER : credentials->username ?: "",
					      "Secret", secret);
	auto_secret_buf struct buf text = { 0 }, answer = { 0 };
	int status;

	if (!request)
		return err_set(err, ERR_USAGE, "error storing credentials: not UTF-8");
	secret_buf_init(&text, json_dumpb(request, NULL, 0, JSON_COMPACT));
	text.len = json_dumpb(request, text.data, text.cap - 1, JSON_COMPACT);
	status = ask(helper, "store", text.data, text.len, &answer, err);
	if (status < 0)
		return err_add(err, "error storing credentials");
	trim(&answer);
	return status ? refused(status, "storing", &answer, secret, err) : 0;
}

int credhelper_erase(const struct credhelper *helper, const char *key, struct error *err)
{
	auto_secret_buf struct buf answer = { 0 };
	int status = ask(helper, "erase", key, strlen(key), &answer, err);

	if (status < 0)
		return err_add(err, "error erasing credentials");
	trim(&answer);
	if (status && strcmp(answer.data, NOT_FOUND) != 0)
		return refused(status, "erasing", &answer, NULL, err);
	return 0;
}
