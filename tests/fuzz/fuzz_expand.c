/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_expand - variables, quotes and patterns of substitutions. Seeds: tests/spec/expand
 *
 * "NAME=value" lines, an empty line, then words. Beyond "no crash": words are what the
 * whole is, less blanks, and the budget holds.
 */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "oci/expand.h"
#include "oci/words.h"

static void check_word(const char *word, char *const *env, char escape)
{
	struct expand_scope scope = expand_scope(env, escape), again = scope;
	auto_strlist struct strlist words = { 0 };
	auto_buf struct buf text = { 0 };
	struct error err;
	size_t total = 0;

	/* Small, so that the bound is reached by small inputs. */
	scope.left = again.left = 65536;
	scope.work_left = again.work_left = 1 << 20;
	if (expand_word(word, &scope, &text, &err) < 0) {
		must(expand_words(word, &again, &words, &err) < 0, "both fail");
		return;
	}
	must(text.len <= 65536, "the result is bounded");
	must(expand_words(word, &again, &words, &err) == 0, "both succeed");
	for (size_t i = 0; i < words.nr; i++)
		total += strlen(words.items[i]);
	must(total <= text.len, "splitting adds nothing");
	must(scope.left == again.left && scope.work_left == again.work_left, "both cost the same");
}

static void check_split(const char *line, char escape)
{
	auto_strlist struct strlist words = { 0 }, pairs = { 0 }, flags = { 0 }, json = { 0 };
	const char *rest = words_flags(line, escape, &flags);
	struct error err;
	bool is_json;

	must(rest >= line && rest <= line + strlen(line), "flags are in front");
	words_split_quoted(rest, escape, &words);
	for (size_t i = 0; i < words.nr; i++)
		must(*words.items[i], "a word is not empty");
	words_json(rest, &json, &is_json, &err);
	if (words_pairs(rest, escape, "ENV", &pairs, &err) == 0)
		must(pairs.nr % 2 == 0 && pairs.nr, "pairs are pairs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_strlist struct strlist env = { 0 };
	auto_buf struct buf input = { 0 };
	char escape = '\\';
	bool values = true;

	buf_append(&input, data, len);
	for (char *line = input.data, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!*line)
			values = false;
		else if (!values)
			check_word(line, env.items, escape);
		else if (strncmp(line, "escape ", 7) == 0)
			escape = line[7] == '`' ? '`' : '\\';
		else
			strlist_add(&env, line);
		check_split(line, escape);
	}
	return 0;
}
