/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "limits.h"

#define TOKEN_CHARACTERS                                      \
	"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz"

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* Between two challenges or two parameters; empty elements are allowed. */
static const char *skip_commas(const char *at)
{
	return at + strspn(at, " \t,");
}

/* A token or a quoted string; new. *at moves behind it. NULL without one. */
static char *take_value(const char **at)
{
	auto_buf struct buf text = { 0 };
	const char *from = *at;
	size_t len;

	if (*from != '"') {
		len = strspn(from, TOKEN_CHARACTERS "/:?=@");
		*at += len;
		return len ? xasprintf("%.*s", (int)len, from) : NULL;
	}
	for (from++; *from && *from != '"'; from++) {
		if (*from == '\\' && from[1])
			from++;
		buf_putc(&text, *from);
	}
	if (!*from)
		return NULL;
	*at = from + 1;
	return buf_take(&text);
}

/* Returns false, and does not move, where no "name=value" begins. */
static bool take_parameter(const char **at, struct challenge *ret)
{
	const struct {
		const char *name;
		char **value;
	} known[] = { { "realm", &ret->realm },
		      { "service", &ret->service },
		      { "scope", &ret->scope },
		      { "error", &ret->error } };
	size_t len = strspn(*at, TOKEN_CHARACTERS);
	const char *name = *at, *rest = skip_blanks(*at + len);
	char *value;

	if (!len || *rest != '=')
		return false;
	rest = skip_blanks(rest + 1);
	value = take_value(&rest);
	if (!value)
		return false;
	*at = rest;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i].name) != len || strncasecmp(known[i].name, name, len) != 0 ||
		    *known[i].value)
			continue;
		*known[i].value = value;
		return true;
	}
	free(value);
	return true;
}

static enum challenge_scheme scheme_of(const char *name, size_t len)
{
	if (len == 5 && strncasecmp(name, "basic", len) == 0)
		return CHALLENGE_BASIC;
	if (len == 6 && strncasecmp(name, "bearer", len) == 0)
		return CHALLENGE_BEARER;
	return CHALLENGE_OTHER;
}

void challenge_parse(const char *value, struct challenge_list *ret)
{
	for (const char *at = skip_commas(value); *at; at = skip_commas(at)) {
		size_t len = strspn(at, TOKEN_CHARACTERS);
		struct challenge *challenge;

		if (!len || ret->nr == LIMIT_CHALLENGES)
			return;
		ret->items = xrealloc(ret->items, (ret->nr + 1) * sizeof(*ret->items));
		challenge = &ret->items[ret->nr++];
		*challenge = (struct challenge){ .scheme = scheme_of(at, len) };
		at = skip_blanks(at + len);
		while (take_parameter(&at, challenge)) {
			const char *next = skip_commas(at);

			if (next == at)
				break;
			at = next;
		}
	}
}

void challenge_list_done(struct challenge_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->items[i].realm);
		free(list->items[i].service);
		free(list->items[i].scope);
		free(list->items[i].error);
	}
	free(list->items);
	*list = (struct challenge_list){ 0 };
}

const struct challenge *challenge_find(const struct challenge_list *list,
				       enum challenge_scheme scheme)
{
	for (size_t i = 0; i < list->nr; i++)
		if (list->items[i].scheme == scheme)
			return &list->items[i];
	return NULL;
}
