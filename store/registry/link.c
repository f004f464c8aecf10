/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/link.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define BLANKS " \t"

/* Past a parameter's value, quoted or not. *ret_start and *ret_len are what it holds. */
static const char *skip_value(const char *at, const char **ret_start, size_t *ret_len)
{
	*ret_start = at;
	if (*at != '"') {
		*ret_len = strcspn(at, ";," BLANKS);
		return at + *ret_len;
	}
	*ret_start = ++at;
	while (*at && *at != '"')
		at += at[0] == '\\' && at[1] ? 2 : 1;
	*ret_len = (size_t)(at - *ret_start);
	return at + (*at == '"');
}

/* Several relations may stand in one, with blanks between them. */
static bool has_next(const char *text, size_t len)
{
	while (len) {
		size_t word = 0;

		while (word < len && !strchr(BLANKS, text[word]))
			word++;
		if (word == 4 && strncasecmp(text, "next", 4) == 0)
			return true;
		word += word < len;
		text += word;
		len -= word;
	}
	return false;
}

/* The parameters behind a target, up to the next one's. */
static const char *read_params(const char *at, bool *ret_next)
{
	*ret_next = false;
	for (;;) {
		const char *value;
		size_t name, len;
		bool is_rel;

		at += strspn(at, BLANKS);
		if (*at != ';')
			return at;
		at += 1 + strspn(at + 1, BLANKS);
		name = strcspn(at, "=;," BLANKS);
		is_rel = name == 3 && strncasecmp(at, "rel", 3) == 0;
		at += name + strspn(at + name, BLANKS);
		if (*at != '=')
			continue;
		at++;
		at += strspn(at, BLANKS);
		at = skip_value(at, &value, &len);
		*ret_next |= is_rel && has_next(value, len);
	}
}

char *link_next(const char *value)
{
	const char *at = value + strspn(value, BLANKS ",");

	while (*at == '<') {
		const char *start = at + 1;
		size_t len = strcspn(start, ">");
		bool next;

		if (!start[len])
			return NULL;
		at = read_params(start + len + 1, &next);
		if (next)
			return xasprintf("%.*s", (int)len, start);
		if (*at != ',')
			return NULL;
		at += strspn(at, BLANKS ",");
	}
	return NULL;
}

static bool is_harmless(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '#')
			return false;
	return true;
}

/* The target without scheme and host; NULL when that is another one. */
static const char *drop_host(const char *target, const char *host)
{
	size_t len = strlen(host);

	if (strncasecmp(target, "https://", 8) == 0)
		target += 8;
	else if (strncasecmp(target, "http://", 7) == 0)
		target += 7;
	else if (strncmp(target, "//", 2) == 0)
		target += 2;
	else
		return target;
	return strncasecmp(target, host, len) == 0 && target[len] == '/' ? target + len : NULL;
}

char *link_tags(const char *target, const char *host, const char *path)
{
	auto_free char *list = xasprintf("/v2/%s/tags/list?", path);
	const char *rest = is_harmless(target) ? drop_host(target, host) : NULL;

	if (!rest)
		return NULL;
	if (strncmp(rest, list, strlen(list)) == 0)
		return xasprintf("list?%s", rest + strlen(list));
	if (strncmp(rest, "list?", 5) == 0)
		return xstrdup(rest);
	return *rest == '?' ? xasprintf("list%s", rest) : NULL;
}
