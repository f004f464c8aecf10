/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/secret.h"
#include "registry/token.h"

#define RENEWAL_SECONDS 10 /* before the end of a token */

/* What was got for one set of rights. */
struct pass {
	char *more;   /* NULL: none besides the common ones */
	char *line;   /* secret; NULL: none */
	time_t ends;  /* monotonic; 0: never */
	bool too_few; /* what our own scope gave was not enough */
};

struct auth {
	const struct curllib *lib;
	char *scope;
	struct credentials credentials;
	struct http_limits limits;
	const struct registry_table *table;
	const struct transport *transport; /* NULL: nothing special */
	struct pass *passes;
	size_t nr_passes;
	bool insists;	    /* on its own scope */
	bool basic_refused; /* the credentials are wrong */
};

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

void auth_set_transport(struct auth *auth, const struct registry_table *table,
			const struct transport *transport)
{
	auth->table = table;
	auth->transport = transport;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	for (size_t i = 0; i < auth->nr_passes; i++) {
		secret_free(auth->passes[i].line);
		free(auth->passes[i].more);
	}
	free(auth->passes);
	credentials_done(&auth->credentials);
	free(auth->scope);
	free(auth);
}

void auth_insist(struct auth *auth)
{
	auth->insists = true;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* There are few. */
static struct pass *pass_for(struct auth *auth, const char *more)
{
	for (size_t i = 0; i < auth->nr_passes; i++)
		if (is_same(auth->passes[i].more, more))
			return &auth->passes[i];
	auth->passes = xrealloc(auth->passes, (auth->nr_passes + 1) * sizeof(*auth->passes));
	auth->passes[auth->nr_passes] = (struct pass){ .more = more ? xstrdup(more) : NULL };
	return &auth->passes[auth->nr_passes++];
}

static void set_line(struct pass *pass, char *line, time_t ends)
{
	secret_free(pass->line);
	pass->line = line;
	pass->ends = ends;
}

const char *auth_line(struct auth *auth, const char *more)
{
	struct pass *pass = pass_for(auth, more);

	if (pass->ends && clock_ms() / 1000 >= pass->ends)
		set_line(pass, NULL, 0); /* the registry will ask again */
	if (!pass->line && auth->basic_refused)
		pass = pass_for(auth, NULL);
	return pass->line;
}

static int answer_bearer(struct auth *auth, struct pass *pass, const struct challenge *bearer,
			 bool secure, struct error *err)
{
	auto_free char *scope =
		pass->more ? xasprintf("%s %s", auth->scope, pass->more) : xstrdup(auth->scope);
	const struct token_request request = {
		.lib = auth->lib,
		.limits = &auth->limits,
		.challenge = bearer,
		.credentials = &auth->credentials,
		.scope = scope,
		.own_scope = (auth->insists || pass->more) && !pass->too_few,
		.secure = secure,
		.table = auth->table,
		.registry = auth->transport,
	};
	auto_token struct token token = { 0 };

	if (token_get(&request, &token, err) < 0)
		return -1;
	pass->too_few = request.own_scope; /* if this is not accepted */
	set_line(pass, xasprintf("Authorization: Bearer %s", token.text),
		 clock_ms() / 1000 + (token.seconds > 2 * RENEWAL_SECONDS
					      ? token.seconds - RENEWAL_SECONDS
					      : token.seconds));
	return 1;
}

int auth_answer(struct auth *auth, const char *more, const struct http_head *head, bool secure,
		struct error *err)
{
	const struct challenge *bearer = challenge_find(&head->challenges, CHALLENGE_BEARER);
	const struct challenge *basic = challenge_find(&head->challenges, CHALLENGE_BASIC);

	if (head->redirected)
		return 0; /* that is not who our credentials are for */
	if (bearer)
		return answer_bearer(auth, pass_for(auth, more), bearer, secure, err);
	if (!basic || !auth->credentials.username || !auth->credentials.password ||
	    auth->basic_refused)
		return 0;
	auth->basic_refused = true; /* unless this is accepted, we are not asked again */
	set_line(pass_for(auth, NULL), token_basic_line(&auth->credentials), 0);
	return 1;
}
