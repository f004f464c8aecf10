/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/base64.h"
#include "registry/refusal.h"

#define CLIENT_ID	"veneer"
#define TOKEN_SECONDS	60 /* a token that does not say how long it lives */
#define RENEWAL_SECONDS 10 /* before its end */

struct auth {
	const struct curllib *lib;
	char *scope;
	struct credentials credentials;
	struct http_limits limits;
	char *line;	    /* secret; NULL: none */
	time_t ends;	    /* monotonic; 0: never */
	bool basic_refused; /* the credentials are wrong */
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

struct auth *auth_new(const struct curllib *lib, const char *scope, struct credentials *credentials,
		      const struct http_limits *limits)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->lib = lib;
	auth->scope = xstrdup(scope);
	auth->credentials = *credentials;
	auth->limits = *limits;
	*credentials = (struct credentials){ 0 };
	return auth;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	credentials_done(&auth->credentials);
	secret_free(auth->line);
	free(auth->scope);
	free(auth);
}

static void set_line(struct auth *auth, char *line, time_t ends)
{
	secret_free(auth->line);
	auth->line = line;
	auth->ends = ends;
}

const char *auth_line(struct auth *auth)
{
	if (auth->ends && now() >= auth->ends)
		set_line(auth, NULL, 0); /* the registry will ask again */
	return auth->line;
}

static char *basic_line(const struct credentials *credentials)
{
	auto_secret char *pair =
		xasprintf("%s:%s", credentials->username, credentials->password ?: "");
	struct buf text;
	char *line;

	base64_encode(pair, strlen(pair), &text);
	line = xasprintf("Authorization: Basic %s", text.data);
	secret_buf_done(&text);
	return line;
}

static bool has_password(const struct auth *auth)
{
	return auth->credentials.username && auth->credentials.password;
}

static bool has_scheme(const char *url, const char *scheme)
{
	return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* ---- the token server ---- */

static void put_scopes(const struct auth *auth, const struct challenge *challenge, struct buf *ret)
{
	const char *scope = challenge->scope && *challenge->scope ? challenge->scope : auth->scope;

	buf_puts(ret, "&scope=");
	http_escape(scope, ret);
}

/* The answer's token becomes the line. */
static int take_token(struct auth *auth, const struct buf *body, struct error *err)
{
	auto_json json_t *json = NULL;
	const char *token;
	json_int_t seconds;

	if (jsonfield_load(body->data, body->len, LIMIT_AUTH_ANSWER_BYTES, &json, err) < 0)
		return err_set(err, ERR_REMOTE, "unable to decode token response");
	token = json_string_value(json_object_get(json, "token"));
	if (!token || !*token)
		token = json_string_value(json_object_get(json, "access_token"));
	if (!token || !*token)
		return err_set(err, ERR_REMOTE,
			       "authorization server did not include a token in "
			       "the response");
	for (const char *at = token; *at; at++)
		if (*at <= ' ' || *at == 0x7f)
			return err_set(err, ERR_REMOTE, "authorization server sent no valid token");
	seconds = json_integer_value(json_object_get(json, "expires_in"));
	if (seconds <= 0)
		seconds = TOKEN_SECONDS;
	set_line(auth, xasprintf("Authorization: Bearer %s", token),
		 now() + (seconds > 2 * RENEWAL_SECONDS ? seconds - RENEWAL_SECONDS : seconds));
	return 0;
}

static int ask(struct auth *auth, const char *url, const char *form, const char *line,
	       struct http_answer *ret, struct error *err)
{
	const struct http_request request = {
		.url = url,
		.headers = &line,
		.nr_headers = 1,
		.form = form,
		.limits = auth->limits,
	};

	return http_get(auth->lib, &request, LIMIT_AUTH_ANSWER_BYTES, ret, err);
}

static int finish(struct auth *auth, struct http_answer *answer, struct error *err)
{
	int result;

	if (answer->head.status / 100 != 2) {
		refusal_read(&answer->head, &answer->body, err);
		return -1;
	}
	if (answer->too_long)
		return err_set(err, ERR_LIMIT, "the token is longer than %u bytes",
			       LIMIT_AUTH_ANSWER_BYTES);
	result = take_token(auth, &answer->body, err);
	if (answer->body.len)
		explicit_bzero(answer->body.data, answer->body.len);
	return result;
}

/* Returns 1 when the server does not know this way. */
static int refresh(struct auth *auth, const struct challenge *challenge, struct error *err)
{
	auto_http_answer struct http_answer answer = { 0 };
	auto_buf struct buf form = { 0 };
	int result;

	buf_puts(&form, "grant_type=refresh_token&client_id=" CLIENT_ID "&service=");
	http_escape(challenge->service ?: "", &form);
	put_scopes(auth, challenge, &form);
	buf_puts(&form, "&refresh_token=");
	http_escape(auth->credentials.identity_token, &form);
	result = ask(auth, challenge->realm, form.data, NULL, &answer, err);
	explicit_bzero(form.data, form.len);
	if (result < 0)
		return -1;
	if (answer.head.status == 404 || answer.head.status == 405)
		return 1;
	return finish(auth, &answer, err);
}

static int get_token(struct auth *auth, const struct challenge *challenge, struct error *err)
{
	auto_http_answer struct http_answer answer = { 0 };
	auto_secret char *line = has_password(auth) ? basic_line(&auth->credentials) : NULL;
	auto_buf struct buf url = { 0 };

	buf_printf(&url, "%s%cservice=", challenge->realm,
		   strchr(challenge->realm, '?') ? '&' : '?');
	http_escape(challenge->service ?: "", &url);
	put_scopes(auth, challenge, &url);
	if (line) {
		buf_puts(&url, "&account=");
		http_escape(auth->credentials.username, &url);
	}
	if (ask(auth, url.data, NULL, line, &answer, err) < 0)
		return -1;
	return finish(auth, &answer, err);
}

static int check_realm(const struct auth *auth, const struct challenge *challenge, bool secure,
		       struct error *err)
{
	const char *realm = challenge->realm;

	if (!realm || (!has_scheme(realm, "http://") && !has_scheme(realm, "https://")))
		return err_set(err, ERR_REMOTE, "the registry names no token server");
	if (secure && !has_scheme(realm, "https://") &&
	    (has_password(auth) || auth->credentials.identity_token))
		return err_set(err, ERR_DENIED,
			       "the registry wants the credentials to be sent unencrypted to "
			       "'%.256s'",
			       realm);
	return 0;
}

static int answer_bearer(struct auth *auth, const struct challenge *challenge, bool secure,
			 struct error *err)
{
	int result = 1;

	if (check_realm(auth, challenge, secure, err) < 0)
		return -1;
	if (auth->credentials.identity_token)
		result = refresh(auth, challenge, err);
	if (result > 0)
		result = get_token(auth, challenge, err);
	return result < 0 ? -1 : 1;
}

int auth_answer(struct auth *auth, const struct http_head *head, bool secure, struct error *err)
{
	const struct challenge *bearer = challenge_find(&head->challenges, CHALLENGE_BEARER);
	const struct challenge *basic = challenge_find(&head->challenges, CHALLENGE_BASIC);

	if (head->redirected)
		return 0; /* that is not who our credentials are for */
	if (bearer)
		return answer_bearer(auth, bearer, secure, err);
	if (!basic || !has_password(auth) || auth->basic_refused)
		return 0;
	auth->basic_refused = true; /* unless this is accepted, we are not asked again */
	set_line(auth, basic_line(&auth->credentials), 0);
	return 1;
}
