/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reference - image names, filter patterns, platforms and times
 *
 * The input is a name, a newline, and a pattern. Seeds: tests/spec/reference.
 *
 * Beyond "no crash": every form of a name that is printed is read as the same name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "oci/glob.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/rfc3339.h"

/* Takes text. */
static void check_same(const struct reference *ref, char *text, const char *what)
{
	auto_reference struct reference again = { 0 };
	struct error err;

	must(reference_parse(text, &again, &err) == 0, what);
	must(reference_equal(ref, &again), what);
	free(text);
}

static void check_name(const char *text, const char *pattern)
{
	auto_reference struct reference ref = { 0 };
	struct error err;

	if (reference_parse(text, &ref, &err) < 0)
		return;
	check_same(&ref, reference_canonical(&ref), "canonical form");
	check_same(&ref, reference_familiar(&ref), "familiar form");
	must(reference_match(&ref, "[", &err) == -1, "a bad pattern is refused");
	reference_match(&ref, pattern, &err);
	must(!reference_is_id(text, NULL) || ref.tag, "an id is no name");
}

static void check_target(const char *text)
{
	auto_reference struct reference target = { 0 };
	auto_reference struct reference tagged = { 0 };
	struct error err;

	if (reference_parse_target(text, &target, &err) == 0)
		must(target.tag && !digest_is_set(&target.digest), "a target has a tag only");
	if (reference_parse_tagged(text, &tagged, &err) == 0) {
		must(tagged.tag && !digest_is_set(&tagged.digest), "a tagged name has a tag only");
		check_same(&tagged, reference_key(&tagged), "key");
	}
}

static void check_platform(const char *text)
{
	struct platform platform, again;
	char shown[PLATFORM_TEXT_SIZE];
	struct error err;

	if (platform_parse(text, &platform, &err) < 0)
		return;
	must(platform_rank(&platform, &platform) == 0, "a platform fits itself");
	must(platform_parse(platform_text(&platform, shown), &again, &err) == 0, "shown platform");
	must(platform_rank(&platform, &again) == 0, "a shown platform is the same");
}

static void check_time(const char *text)
{
	char shown[RFC3339_SIZE];
	struct error err;
	int64_t ns, again;

	if (rfc3339_parse(text, &ns, &err) < 0)
		return;
	must(rfc3339_parse(rfc3339_format(ns, shown), &again, &err) == 0 && again == ns,
	     "a shown time is the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_buf struct buf input = { 0 };
	const char *hex, *pattern;
	struct error err;
	char *newline;

	buf_append(&input, data, len);
	buf_puts(&input, "");
	newline = strchr(input.data, '\n');
	pattern = newline ? newline + 1 : input.data;
	if (newline)
		*newline = '\0';
	check_name(input.data, pattern);
	check_target(input.data);
	check_platform(input.data);
	check_time(input.data);
	glob_match(pattern, input.data, &err);
	if (reference_is_id_prefix(input.data, &hex))
		must(hex >= input.data && *hex, "an id prefix points into its text");
	return 0;
}
