/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login_challenge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define BLANKS " \t"

void login_challenge_done(struct login_challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	*challenge = (struct login_challenge){ 0 };
}

/* The length of a token, 0 for none. */
static size_t token_len(const char *text)
{
	return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* A quoted text without its quotes and backslashes; new, or NULL when it does not end. */
static char *read_quoted(const char **at)
{
	auto_buf struct buf text = { 0 };
	const char *from = *at + 1;

	for (; *from && *from != '"'; from++) {
		if (*from == '\\' && from[1])
			from++;
		buf_putc(&text, *from);
	}
	if (*from != '"')
		return NULL;
	*at = from + 1;
	return buf_take(&text);
}

/* What stands behind "name="; new, or NULL. */
static char *read_value(const char **at)
{
	size_t len;
	char *value;

	*at += strspn(*at, BLANKS);
	if (**at == '"')
		return read_quoted(at);
	len = strcspn(*at, ", \t");
	value = xasprintf("%.*s", (int)len, *at);
	*at += len;
	return value;
}

static void set_once(char **at, char **value)
{
	if (!*at)
		*at = take_ptr(*value);
}

/* Keeps the better of two. */
static void offer(struct login_challenge *best, struct login_challenge *challenge)
{
	if (challenge->scheme == LOGIN_BEARER && !challenge->realm)
		challenge->scheme = LOGIN_NONE;
	if (challenge->scheme > best->scheme) {
		login_challenge_done(best);
		*best = *challenge;
		*challenge = (struct login_challenge){ 0 };
	}
	login_challenge_done(challenge);
}

static enum login_scheme scheme_of(const char *name, size_t len)
{
	if (len == 5 && strncasecmp(name, "Basic", len) == 0)
		return LOGIN_BASIC;
	if (len == 6 && strncasecmp(name, "Bearer", len) == 0)
		return LOGIN_BEARER;
	return LOGIN_NONE;
}

/* A header that is malformed counts as far as it was read. */
static void read_header(const char *at, struct login_challenge *best)
{
	auto_login_challenge struct login_challenge now = { 0 };

	for (;;) {
		const char *name = at + strspn(at, BLANKS ",");
		size_t len = token_len(name);
		auto_free char *value = NULL;

		if (!len)
			break;
		at = name + len + strspn(name + len, BLANKS);
		if (*at != '=') {
			offer(best, &now);
			now.scheme = scheme_of(name, len);
			continue;
		}
		at++;
		value = read_value(&at);
		if (!value) {
			login_challenge_done(&now);
			return;
		}
		if (len == 5 && strncasecmp(name, "realm", len) == 0)
			set_once(&now.realm, &value);
		else if (len == 7 && strncasecmp(name, "service", len) == 0)
			set_once(&now.service, &value);
	}
	offer(best, &now);
}

void login_challenge_choose(const struct strlist *headers, struct login_challenge *ret)
{
	*ret = (struct login_challenge){ 0 };
	for (size_t i = 0; i < headers->nr; i++)
		read_header(headers->items[i], ret);
}
