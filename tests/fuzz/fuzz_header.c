/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_header - the beginning of an answer: status, challenges, Link, Retry-After, ranges
 *
 * Seeds: tests/spec/header.
 *
 * Beyond "no crash": numbers are -1 or fit, a link never leads away from its host, a location
 * never from https to http, and there is an end to how much is taken.
 */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "limits.h"
#include "registry/http.h"
#include "registry/link.h"
#include "registry/location.h"

static void check_link(const char *value)
{
	auto_free char *target = link_next(value);
	auto_free char *page = target ? link_tags(target, "h:1", "a/b") : NULL;

	must(!page || strncmp(page, "list?", 5) == 0, "a page is one of the list");
	must(!page || !strpbrk(page, " \t\r\n#"), "a page can stand in a request");
}

static void check_location(const char *location)
{
	static const char base[] = "https://h:1/v2/a/uploads/1?x=y";
	auto_free char *url = NULL, *more = NULL;
	struct error err = { 0 };

	if (location_resolve(base, location, &url, &err) < 0) {
		must(strlen(location) < 8 || !strstr(err.text, location), "it is not quoted");
		return;
	}
	must(strncasecmp(url, "https://", 8) == 0, "never from https to http");
	must(!strpbrk(url, " \t\r\n"), "it can stand in a request");
	more = location_with(url, "digest", "sha256:&");
	must(strncasecmp(more, "https://", 8) == 0, "a value changes nothing before it");
}

static void check_head(const struct http_head *head)
{
	must(head->retry_after_seconds >= -1, "a pause is no time before now");
	must(head->range_start >= -1, "a range begins in the file");
	must(head->content_length >= -1, "a length is none, or is one");
	must(head->challenges.nr <= LIMIT_CHALLENGES, "challenges are bounded");
	if (head->link)
		check_link(head->link);
	if (head->location)
		check_location(head->location);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_transfer transfer = { 0 };
	struct error err;
	size_t taken = 1;

	transfer.lib = curllib_get(&err);
	must(transfer.lib != NULL, "there is libcurl");
	http_head_done(&transfer.head);
	while (len && taken) {
		const uint8_t *newline = memchr(data, '\n', len);
		size_t size = newline ? (size_t)(newline - data) + 1 : len;
		auto_free char *line = xmalloc(size);

		memcpy(line, data, size); /* so that a byte too many is seen */
		taken = http_take_line(&transfer, line, size);
		must(taken == 0 || taken == size, "a line is taken as a whole");
		check_head(&transfer.head);
		data += size;
		len -= size;
	}
	http_head_done(&transfer.head);
	return 0;
}
