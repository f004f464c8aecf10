/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/token.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/authfile.h"
#include "registry/base64.h"
#include "registry/endpoint.h"
#include "registry/refusal.h"

#define CLIENT_ID   "veneer"
#define SECONDS	    60 /* of a token that does not say how long it lives */
#define SECONDS_MAX (24u * 60 * 60)

void token_done(struct token *token)
{
	secret_free(token->text);
	secret_free(token->refresh);
	*token = (struct token){ 0 };
}

static bool has_password(const struct credentials *credentials)
{
	return credentials->username && credentials->password;
}

char *token_basic_line(const struct credentials *credentials)
{
	auto_secret char *pair =
		xasprintf("%s:%s", credentials->username, credentials->password ?: "");
	auto_secret_buf struct buf text = { 0 };

	base64_encode(pair, strlen(pair), &text);
	return xasprintf("Authorization: Basic %s", text.data);
}

/* ---- the realm ---- */

static bool has_scheme(const char *url, const char *scheme)
{
	return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* Host and port of the realm; new. */
static char *realm_host(const char *realm)
{
	const char *host = strstr(realm, "://") + 3;

	return xasprintf("%.*s", (int)strcspn(host, "/?"), host);
}

static bool is_trusted_plain(const struct token_request *request, const char *realm)
{
	auto_free char *host = realm_host(realm);
	const struct registry_row *row = registry_table_find(request->table, host);

	return endpoint_is_loopback(host) || (row && row->insecure);
}

static int check_realm(const struct token_request *request, struct error *err)
{
	const char *realm = request->challenge->realm;
	const struct credentials *credentials = request->credentials;
	bool plain = realm && has_scheme(realm, "http://");

	if (!realm || (!plain && !has_scheme(realm, "https://")))
		return err_set(err, ERR_REMOTE, "the registry names no token server");
	for (const char *at = realm; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '#')
			return err_set(err, ERR_REMOTE,
				       "the registry names a malformed token server");
	if (!plain || (!has_password(credentials) && !credentials->identity_token))
		return 0;
	if (request->secure || !is_trusted_plain(request, realm))
		return err_set(err, ERR_DENIED,
			       "the registry wants the credentials to be sent unencrypted to "
			       "'%.256s'",
			       realm);
	return 0;
}

/* ---- the answer ---- */

/* Returns new: a text that may stand in a header, or NULL. */
static char *take_text(const json_t *document, const char *key)
{
	const char *text = json_string_value(json_object_get(document, key));

	if (!text || !*text || strlen(text) > LIMIT_CREDENTIAL_BYTES)
		return NULL;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return NULL;
	return xstrdup(text);
}

static int read_tokens(const struct buf *body, struct token *ret, struct error *err)
{
	auto_json json_t *document = NULL;
	struct error ignored;
	json_int_t seconds;

	if (authfile_load(body->data, body->len, LIMIT_AUTH_ANSWER_BYTES, &document, &ignored) < 0)
		return err_set(err, ERR_REMOTE, "unable to decode token response");
	ret->text = take_text(document, "token") ?: take_text(document, "access_token");
	if (!ret->text)
		return err_set(err, ERR_REMOTE,
			       "authorization server did not include a token in the response");
	ret->refresh = take_text(document, "refresh_token");
	seconds = json_integer_value(json_object_get(document, "expires_in"));
	ret->seconds = seconds <= 0	       ? SECONDS
		       : seconds < SECONDS_MAX ? (unsigned)seconds
					       : SECONDS_MAX;
	return 0;
}

static bool says(const char *text, const char *secret)
{
	return secret && *secret && strstr(text, secret);
}

static int read_answer(const struct token_request *request, const struct http_answer *answer,
		       struct token *ret, struct error *err)
{
	if (answer->head.status / 100 != 2) {
		refusal_read(&answer->head, &answer->body, err);
		if (says(err->text, request->credentials->password) ||
		    says(err->text, request->credentials->identity_token))
			err_set(err, err->kind, "the token server refuses with status %ld",
				answer->head.status);
		return -1;
	}
	if (answer->too_long)
		return err_set(err, ERR_LIMIT, "the token is longer than %u bytes",
			       LIMIT_AUTH_ANSWER_BYTES);
	return read_tokens(&answer->body, ret, err);
}

/* ---- the request ---- */

/*
 * What holds for the realm's host; and the registry's roots, as Docker has it. Only an
 * insecure host may have any certificate: the loopback alone is no reason here.
 */
static int set_transport(const struct token_request *request, struct transport *ret,
			 struct http_request *http, struct error *err)
{
	auto_free char *host = realm_host(request->challenge->realm);
	const struct registry_row *row = registry_table_find(request->table, host);
	const struct transport *registry = request->registry;

	if (transport_open(request->table, host, ret, err) < 0)
		return -1;
	if (registry && registry->roots.len)
		buf_append(&ret->roots, registry->roots.data, registry->roots.len);
	ret->unverified = row && row->insecure;
	transport_apply(ret, http);
	return 0;
}

static int ask(const struct token_request *request, const char *url, const char *form,
	       const char *line, struct http_answer *ret, struct error *err)
{
	auto_transport struct transport transport = { 0 };
	struct http_request http = {
		.url = url,
		.headers = &line,
		.nr_headers = 1,
		.form = form,
		.secret = true,
		.limits = *request->limits,
	};
	int shown = (int)strcspn(url, "?");

	if (set_transport(request, &transport, &http, err) < 0)
		return -1;
	if (http_get(request->lib, &http, LIMIT_AUTH_ANSWER_BYTES, ret, err) < 0)
		return err_add(err, "Get \"%.*s\"", shown < 512 ? shown : 512, url);
	return 0;
}

static void put(struct buf *ret, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(ret, "%s%s=", ret->len ? "&" : "", name);
	http_escape(value, ret);
}

static const char *scope_of(const struct token_request *request)
{
	const char *asked = request->challenge->scope;

	return request->scope && !request->own_scope && asked && *asked ? asked : request->scope;
}

/* Each of them by itself, as distribution's server wants it. */
static void put_scopes(struct buf *ret, const char *scopes)
{
	while (scopes && *scopes) {
		size_t len = strcspn(scopes, " ");
		auto_free char *scope = xasprintf("%.*s", (int)len, scopes);

		if (len)
			put(ret, "scope", scope);
		scopes += len + (scopes[len] == ' ');
	}
}

/* With the refresh token. Returns 1 when the server does not know this way. */
static int post(const struct token_request *request, struct token *ret, struct error *err)
{
	auto_http_answer struct http_answer answer = { 0 };
	auto_secret_buf struct buf form = { 0 };

	secret_buf_init(&form, 4096 + 3 * LIMIT_CREDENTIAL_BYTES);
	put(&form, "grant_type", "refresh_token");
	put(&form, "client_id", CLIENT_ID);
	put(&form, "service", request->challenge->service ?: "");
	put(&form, "scope", scope_of(request));
	put(&form, "refresh_token", request->credentials->identity_token);
	if (ask(request, request->challenge->realm, form.data, NULL, &answer, err) < 0)
		return -1;
	if (answer.head.status == 404 || answer.head.status == 405)
		return 1;
	return read_answer(request, &answer, ret, err);
}

static int get(const struct token_request *request, struct token *ret, struct error *err)
{
	const struct credentials *credentials = request->credentials;
	const char *realm = request->challenge->realm;
	auto_http_answer struct http_answer answer = { 0 };
	auto_secret char *line = has_password(credentials) ? token_basic_line(credentials) : NULL;
	auto_buf struct buf query = { 0 };
	auto_free char *url = NULL;

	put(&query, "service", request->challenge->service);
	put_scopes(&query, scope_of(request));
	put(&query, "account", line ? credentials->username : NULL);
	if (request->offline) {
		put(&query, "client_id", CLIENT_ID);
		put(&query, "offline_token", "true");
	}
	url = query.len ? xasprintf("%s%c%s", realm, strchr(realm, '?') ? '&' : '?', query.data)
			: xstrdup(realm);
	if (ask(request, url, NULL, line, &answer, err) < 0)
		return -1;
	return read_answer(request, &answer, ret, err);
}

int token_get(const struct token_request *request, struct token *ret, struct error *err)
{
	int result = 1;

	*ret = (struct token){ 0 };
	if (check_realm(request, err) < 0)
		return -1;
	if (request->credentials->identity_token)
		result = post(request, ret, err);
	return result > 0 ? get(request, ret, err) : result;
}
