/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "limits.h"
#include "oci/reference.h"
#include "registry/endpoint.h"
#include "registry/http.h"
#include "registry/token.h"
#include "registry/transport.h"

struct login {
	const struct curllib *lib;
	const char *host;
	const struct registry_table *table;
	struct transport transport;
	bool plain;
	char *base; /* "https://HOST/v2/" */
};

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

static int refused(const struct login *login, long status, struct error *err)
{
	const char *text = status_text(status);

	return err_set(err, status == 401 ? ERR_DENIED : ERR_REMOTE,
		       "login attempt to %.512s failed with status: %ld%s%s", login->base, status,
		       *text ? " " : "", text);
}

static void set_base(struct login *login, bool plain)
{
	free(login->base);
	login->plain = plain;
	login->base = xasprintf("%s://%s/v2/", plain ? "http" : "https", login->host);
}

/* @line: a header, or NULL */
static int ask(const struct login *login, const char *line, struct http_answer *ret,
	       struct error *err)
{
	struct http_request request = {
		.url = login->base,
		.headers = &line,
		.nr_headers = 1,
		.secret = true,
	};

	transport_apply(&login->transport, &request);
	if (http_get(login->lib, &request, LIMIT_AUTH_ANSWER_BYTES, ret, err) < 0)
		return err_add(err, "Get \"%.512s\"", login->base);
	return 0;
}

/* What the registry wants: a 401 with challenges that we know, or a 200. */
static int ping(struct login *login, struct http_answer *ret, struct error *err)
{
	struct error no_tls;

	if (ask(login, NULL, ret, &no_tls) < 0) {
		if (!login->transport.plain_allowed || !http_is_no_tls(ret->code)) {
			*err = no_tls;
			return -1;
		}
		http_answer_done(ret);
		set_base(login, true);
		if (ask(login, NULL, ret, err) < 0)
			return -1;
	}
	if (ret->head.status == 200)
		return 0;
	if (ret->head.status != 401 || (!challenge_find(&ret->head.challenges, CHALLENGE_BEARER) &&
					!challenge_find(&ret->head.challenges, CHALLENGE_BASIC)))
		return refused(login, ret->head.status, err);
	return 0;
}

static int get_token(const struct login *login, const struct challenge *bearer,
		     const struct credentials *credentials, struct token *ret, struct error *err)
{
	/* What is checked is the password. */
	const struct credentials asked = { credentials->username, credentials->password, NULL };
	const struct http_limits limits = { 0 };
	const struct token_request request = {
		.lib = login->lib,
		.limits = &limits,
		.challenge = bearer,
		.credentials = &asked,
		.secure = !login->plain,
		.offline = true,
		.table = login->table,
		.registry = &login->transport,
	};

	return token_get(&request, ret, err);
}

/* With the credentials, as the challenges say. */
static int log_in(const struct login *login, const struct challenge_list *challenges,
		  const struct credentials *credentials, char **ret_refresh, struct error *err)
{
	const struct challenge *bearer = challenge_find(challenges, CHALLENGE_BEARER);
	const struct challenge *basic = challenge_find(challenges, CHALLENGE_BASIC);
	auto_http_answer struct http_answer answer = { 0 };
	auto_token struct token token = { 0 };
	auto_secret char *line = NULL;

	if (bearer) {
		if (get_token(login, bearer, credentials, &token, err) < 0)
			return -1;
		line = xasprintf("Authorization: Bearer %s", token.text);
	} else if (basic) {
		line = token_basic_line(credentials);
	}
	if (ask(login, line, &answer, err) < 0)
		return -1;
	if (answer.head.status != 200)
		return refused(login, answer.head.status, err);
	*ret_refresh = take_ptr(token.refresh);
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
		const struct registry_table *table, char **ret_identity_token, struct error *err)
{
	auto_http_answer struct http_answer wants = { 0 };
	auto_free char *host = credentials_host(server);
	const char *domain = credentials_is_hub(host) ? REFERENCE_DEFAULT_DOMAIN : host;
	struct login login = { .lib = curllib_get(err), .table = table };
	int result;

	*ret_identity_token = NULL;
	if (!login.lib || check_host(host, err) < 0)
		return -1;
	login.host = endpoint_host(domain);
	set_base(&login, false);
	result = transport_open(table, domain, &login.transport, err);
	if (result == 0)
		result = ping(&login, &wants, err);
	if (result == 0)
		result = log_in(&login, &wants.head.challenges, credentials, ret_identity_token,
				err);
	transport_done(&login.transport);
	free(login.base);
	return result;
}
