/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/authfile.h"
#include "registry/login_challenge.h"
#include "registry/login_request.h"

#define HUB_HOST      "registry-1.docker.io"
#define CLIENT_ID     "veneer"
#define MESSAGE_BYTES 512 /* of what a server says, that much is shown */

/* ---- what a server says ---- */

static const char *status_text(long status)
{
	static const struct {
		long status;
		const char *text;
	} rows[] = {
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "";
}

/* "UNAUTHORIZED" is "unauthorized", as Docker shows it. */
static char *shown_code(const char *code)
{
	char *text = xstrdup(code);

	for (char *at = text; *at; at++)
		*at = *at == '_' ? ' ' : (char)tolower((unsigned char)*at);
	return text;
}

/*
 * The registry's own words, {"errors":[{"code","message"}]} or {"details"}; new, or NULL. One
 * that says the secret back is not quoted.
 */
static char *message_of(const struct login_answer *answer, const struct credentials *credentials)
{
	auto_json json_t *document = NULL;
	auto_free char *code = NULL, *ret = NULL;
	const json_t *first;
	const char *message, *password;
	struct error ignored;

	if (authfile_load(answer->body.data, answer->body.len, LIMIT_AUTH_ANSWER_BYTES, &document,
			  &ignored) < 0)
		return NULL;
	first = json_array_get(json_object_get(document, "errors"), 0);
	message = json_string_value(json_object_get(first, "message"));
	if (message && json_is_string(json_object_get(first, "code")))
		code = shown_code(json_string_value(json_object_get(first, "code")));
	if (!message)
		message = json_string_value(json_object_get(document, "details"));
	if (!message)
		return NULL;
	ret = xasprintf("%.64s: %.*s", code ?: "unauthorized", MESSAGE_BYTES, message);
	password = credentials->password;
	return password && *password && strstr(ret, password) ? NULL : take_ptr(ret);
}

static int refused(const char *url, const struct login_answer *answer, struct error *err)
{
	const char *text = status_text(answer->status);

	return err_set(err, answer->status == 401 ? ERR_DENIED : ERR_REMOTE,
		       "login attempt to %.512s failed with status: %ld%s%s", url, answer->status,
		       *text ? " " : "", text);
}

/* ---- the token server ---- */

static void put_parameter(struct buf *url, const char *key, const char *value)
{
	buf_printf(url, "%c%s=", strchr(url->data, '?') ? '&' : '?', key);
	for (; *value; value++) {
		if (isalnum((unsigned char)*value) || strchr("-._~", *value))
			buf_putc(url, *value);
		else
			buf_printf(url, "%%%02X", (unsigned char)*value);
	}
}

/* Plain HTTP is for a token server on this machine, of a registry on this machine. */
static int check_realm(const char *base, const char *realm, struct error *err)
{
	auto_free char *host = login_url_host(realm);
	bool plain = strncasecmp(base, "http://", 7) == 0;

	for (const char *at = realm; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '#')
			return err_set(err, ERR_CORRUPT, "malformed realm of the registry");
	if (!host || !*host)
		return err_set(err, ERR_CORRUPT, "malformed realm of the registry");
	if (strncasecmp(realm, "https://", 8) == 0)
		return 0;
	if (strncasecmp(realm, "http://", 7) == 0 && plain && login_is_loopback(host))
		return 0;
	return err_set(err, ERR_REMOTE, "no credentials are sent to the realm '%.512s': not https",
		       realm);
}

/* Returns new: a text that may stand in a header, or NULL. */
static char *get_token(const json_t *document, const char *key)
{
	const char *text = json_string_value(json_object_get(document, key));

	if (!text || !*text || strlen(text) > LIMIT_CREDENTIAL_BYTES)
		return NULL;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return NULL;
	return xstrdup(text);
}

static int read_tokens(const struct login_answer *answer, char **ret_token, char **ret_refresh,
		       struct error *err)
{
	auto_json json_t *document = NULL;

	if (authfile_load(answer->body.data, answer->body.len, LIMIT_AUTH_ANSWER_BYTES, &document,
			  err) < 0)
		return err_add(err, "answer of the token server");
	*ret_token = get_token(document, "token") ?: get_token(document, "access_token");
	if (!*ret_token)
		return err_set(err, ERR_CORRUPT, "the token server gave no token");
	*ret_refresh = get_token(document, "refresh_token");
	return 0;
}

static int ask_for_token(const char *base, const struct login_challenge *challenge,
			 const struct credentials *credentials, char **ret_token,
			 char **ret_refresh, struct error *err)
{
	auto_login_answer struct login_answer answer = { 0 };
	auto_free char *message = NULL;
	auto_buf struct buf url = { 0 };

	if (check_realm(base, challenge->realm, err) < 0)
		return -1;
	buf_puts(&url, challenge->realm);
	put_parameter(&url, "account", credentials->username);
	put_parameter(&url, "client_id", CLIENT_ID);
	put_parameter(&url, "offline_token", "true");
	if (challenge->service)
		put_parameter(&url, "service", challenge->service);
	struct login_request request = { .url = url.data,
					 .username = credentials->username,
					 .password = credentials->password };

	if (login_get(&request, &answer, err) < 0)
		return -1;
	if (answer.status / 100 == 2)
		return read_tokens(&answer, ret_token, ret_refresh, err);
	message = message_of(&answer, credentials);
	if (message)
		return err_set(err, answer.status == 401 ? ERR_DENIED : ERR_REMOTE, "%s", message);
	return refused(challenge->realm, &answer, err);
}

/* ---- the registry ---- */

/* base: "https://HOST/v2/" */
static int log_in(const char *base, const struct login_challenge *challenge,
		  const struct credentials *credentials, char **ret_refresh, struct error *err)
{
	auto_login_answer struct login_answer answer = { 0 };
	auto_secret char *token = NULL, *refresh = NULL;
	struct login_request request = { .url = base };

	if (challenge->scheme == LOGIN_BEARER) {
		if (ask_for_token(base, challenge, credentials, &token, &refresh, err) < 0)
			return -1;
		request.bearer = token;
	} else if (challenge->scheme == LOGIN_BASIC) {
		request.username = credentials->username;
		request.password = credentials->password;
	}
	if (login_get(&request, &answer, err) < 0)
		return -1;
	if (answer.status != 200)
		return refused(base, &answer, err);
	*ret_refresh = take_ptr(refresh);
	return 0;
}

/* What the registry wants. @base: becomes http for a machine that speaks no TLS: this one */
static int ping(const char *host, char **base, struct login_challenge *ret, struct error *err)
{
	auto_login_answer struct login_answer answer = { 0 };
	auto_free char *name = login_url_host(*base);
	struct login_request request = { .url = *base };
	struct error why;
	int result = login_get(&request, &answer, &why);

	if (result < 0 && answer.no_tls && name && login_is_loopback(name)) {
		free(*base);
		*base = xasprintf("http://%s/v2/", host);
		request.url = *base;
		login_answer_done(&answer);
		result = login_get(&request, &answer, &why);
	}
	if (result < 0) {
		*err = why;
		return -1;
	}
	if (answer.status != 200 && answer.status != 401)
		return refused(*base, &answer, err);
	login_challenge_choose(&answer.challenges, ret);
	if (ret->scheme == LOGIN_NONE && answer.status != 200)
		return refused(*base, &answer, err);
	return 0;
}

static int check_host(const char *host, struct error *err)
{
	size_t len = strlen(host);

	if (strchr(host, '@'))
		return err_set(err, ERR_USAGE, "a registry's name with credentials in it");
	if (!len || len > LIMIT_DOMAIN_BYTES ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") <
		    len)
		return err_set(err, ERR_USAGE, "invalid registry host '%.255s'", host);
	return 0;
}

int login_check(const char *server, const struct credentials *credentials,
		char **ret_identity_token, struct error *err)
{
	auto_login_challenge struct login_challenge challenge = { 0 };
	auto_free char *host = credentials_host(server);
	auto_free char *base = NULL;

	*ret_identity_token = NULL;
	if (check_host(host, err) < 0)
		return -1;
	if (credentials_is_hub(host)) {
		free(host);
		host = xstrdup(HUB_HOST);
	}
	base = xasprintf("https://%s/v2/", host);
	if (ping(host, &base, &challenge, err) < 0)
		return -1;
	return log_in(base, &challenge, credentials, ret_identity_token, err);
}
