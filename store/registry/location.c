/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/location.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/http.h"

/* The length of "https://host:port"; 0: it is no such URL. */
static size_t origin_len(const char *url)
{
	size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
			: strncasecmp(url, "http://", 7) == 0 ? 7
							      : 0;

	return scheme ? scheme + strcspn(url + scheme, "/?#") : 0;
}

/* "https:" of any URL, else 0. */
static size_t scheme_len(const char *text)
{
	size_t len = strcspn(text, ":/?#");

	return text[len] == ':' ? len + 1 : 0;
}

static int check(const char *base, const char *url, struct error *err)
{
	size_t len = origin_len(url);

	if (!len || url[len - 1] == '/') /* no scheme, or no host behind it */
		return err_set(err, ERR_REMOTE, "the registry sends us on to no address");
	if (memchr(url, '@', len))
		return err_set(err, ERR_REMOTE,
			       "the registry sends us on to an address with a user's name");
	for (const char *at = url; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return err_set(err, ERR_REMOTE,
				       "the registry sends us on to a malformed address");
	if (strncasecmp(base, "https:", 6) == 0 && strncasecmp(url, "https:", 6) != 0)
		return err_set(err, ERR_REMOTE, "the registry sends us on from https to http");
	return 0;
}

int location_resolve(const char *base, const char *location, char **ret, struct error *err)
{
	auto_free char *url = NULL;
	size_t len = origin_len(base);
	size_t path = strcspn(base, "?#");

	if (scheme_len(location)) {
		url = xstrdup(location);
	} else if (strncmp(location, "//", 2) == 0) {
		url = xasprintf("%.*s%s", (int)scheme_len(base), base, location);
	} else if (*location == '/') {
		url = xasprintf("%.*s%s", (int)len, base, location);
	} else if (*location == '?') {
		url = xasprintf("%.*s%s", (int)path, base, location);
	} else if (!*location) {
		return err_set(err, ERR_REMOTE, "the registry sends us on to no address");
	} else {
		while (path > len && base[path - 1] != '/')
			path--;
		url = xasprintf("%.*s%s%s", (int)path, base, path == len ? "/" : "", location);
	}
	url[strcspn(url, "#")] = '\0';
	if (check(base, url, err) < 0)
		return -1;
	*ret = take_ptr(url);
	return 0;
}

/* The port is there, said or not. Returns new. */
static char *origin_of(const char *url)
{
	size_t len = origin_len(url);
	bool secure = strncasecmp(url, "https:", 6) == 0;
	const char *host = url + (secure ? 8 : 7);
	size_t host_len = len - (size_t)(host - url);
	const char *colon = memrchr(host, ':', host_len);
	const char *bracket = memrchr(host, ']', host_len);
	bool has_port = colon && (!bracket || colon > bracket);

	return xasprintf("%.*s%s", (int)len, url, has_port ? "" : secure ? ":443" : ":80");
}

bool location_same_origin(const char *a, const char *b)
{
	auto_free char *of_a = NULL, *of_b = NULL;

	if (!origin_len(a) || !origin_len(b))
		return false;
	of_a = origin_of(a);
	of_b = origin_of(b);
	return strcasecmp(of_a, of_b) == 0;
}

char *location_with(const char *url, const char *key, const char *value)
{
	auto_buf struct buf text = { 0 };

	buf_printf(&text, "%s%c%s=", url, strchr(url, '?') ? '&' : '?', key);
	http_escape(value, &text);
	return buf_take(&text);
}
