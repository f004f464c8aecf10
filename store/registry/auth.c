/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "registry/token.h"

#define RENEWAL_SECONDS 10 /* before the end of a token */

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

static int answer_bearer(struct auth *auth, const struct challenge *bearer, bool secure,
			 struct error *err)
{
	const struct token_request request = {
		.lib = auth->lib,
		.limits = &auth->limits,
		.challenge = bearer,
		.credentials = &auth->credentials,
		.scope = auth->scope,
		.secure = secure,
	};
	auto_token struct token token = { 0 };

	if (token_get(&request, &token, err) < 0)
		return -1;
	set_line(auth, xasprintf("Authorization: Bearer %s", token.text),
		 now() + (token.seconds > 2 * RENEWAL_SECONDS ? token.seconds - RENEWAL_SECONDS
							      : token.seconds));
	return 1;
}

int auth_answer(struct auth *auth, const struct http_head *head, bool secure, struct error *err)
{
	const struct challenge *bearer = challenge_find(&head->challenges, CHALLENGE_BEARER);
	const struct challenge *basic = challenge_find(&head->challenges, CHALLENGE_BASIC);

	if (head->redirected)
		return 0; /* that is not who our credentials are for */
	if (bearer)
		return answer_bearer(auth, bearer, secure, err);
	if (!basic || !auth->credentials.username || !auth->credentials.password ||
	    auth->basic_refused)
		return 0;
	auth->basic_refused = true; /* unless this is accepted, we are not asked again */
	set_line(auth, token_basic_line(&auth->credentials), 0);
	return 1;
}
