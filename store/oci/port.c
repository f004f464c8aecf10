/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/port.h"

#include <ctype.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* A decimal number up to max, ended by `end` or the text's end; -1 otherwise. */
static int64_t take_number(const char **at, char end, int64_t max)
{
	const char *p = *at;
	int64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -1;
	for (; isdigit((unsigned char)*p); p++) {
		value = 10 * value + (*p - '0');
		if (value > max)
			return -1;
	}
	if (*p && *p != end)
		return -1;
	*at = p + (*p == end && *p);
	return value;
}

/* Behind the '/', in lower case; NULL when there is no such protocol. */
static const char *find_proto(const char *name)
{
	static const char *const protos[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++)
		if (strcasecmp(protos[i], name) == 0)
			return protos[i];
	return *name ? NULL : "tcp";
}

int port_expand(const char *word, size_t max, struct strlist *ret, struct error *err)
{
	size_t len = strcspn(word, "/");
	const char *proto = find_proto(word + len + (word[len] == '/'));
	auto_free char *range = xasprintf("%.*s", (int)len, word);
	const char *at = range;
	int64_t first, last;

	if (strchr(word, ':'))
		return err_set(err, ERR_USAGE,
			       "EXPOSE instruction should not define an IP address or host-port "
			       "mapping, found '%.64s'",
			       word);
	if (!len)
		return err_set(err, ERR_USAGE, "no port specified: %.64s<empty>", word);
	if (!proto)
		return err_set(err, ERR_USAGE, "invalid proto: %.64s", word + len + 1);
	first = last = take_number(&at, '-', UINT16_MAX);
	if (first >= 0 && at[-1] == '-')
		last = take_number(&at, '\0', UINT16_MAX);
	if (first < 0 || last < first)
		return err_set(err, ERR_USAGE, "invalid containerPort: %.64s", range);
	for (int64_t port = first; port <= last; port++) {
		if (ret->nr >= max)
			return err_set(err, ERR_LIMIT, "more than %zu exposed ports", max);
		strlist_take(ret, xasprintf("%d/%s", (int)port, proto));
	}
	return 0;
}

/* "RTMIN", "RTMIN+3", "RTMAX-1": the kernel's range, not what the C library leaves of it. */
static bool is_realtime_signal(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	const char *at = name + 6;
	int64_t offset;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return false;
	if (!name[5])
		return true;
	if (name[5] != (from_min ? '+' : '-'))
		return false;
	offset = take_number(&at, '\0', from_min ? 15 : 14);
	return offset > 0 && name[6] != '0';
}

bool signal_is_known(const char *text)
{
	static const char *const aliases[] = { "CLD", "IO", "IOT" };
	const char *at = text;

	if (isdigit((unsigned char)*text))
		return take_number(&at, '\0', 64) > 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
			return true;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (strcasecmp(aliases[i], text) == 0)
			return true;
	return is_realtime_signal(text);
}
