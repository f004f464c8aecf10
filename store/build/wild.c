/* SPDX-License-Identifier: Apache-2.0 */
#include "build/wild.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "limits.h"
#include "oci/glob.h"

enum token_kind {
	TOKEN_CHAR,
	TOKEN_ANY,     /* '?' */
	TOKEN_CLASS,   /* "[a-c]" */
	TOKEN_RUN,     /* '*' */
	TOKEN_FOLDERS, /* "**" before more: nothing, or anything up to a '/' */
	TOKEN_ALL,     /* "**" at the end */
};

struct token {
	enum token_kind kind;
	uint32_t c;
	const char *class; /* behind its '[', in the pattern */
};

/* Most patterns are no more than a name, or a suffix: those are compared as text. */
enum form { FORM_TOKENS, FORM_TEXT, FORM_SUFFIX };

struct wild {
	char *pattern;
	enum form form;
	struct token *tokens;
	size_t nr;
};

void wild_free(struct wild *wild)
{
	if (!wild)
		return;
	free(wild->tokens);
	free(wild->pattern);
	free(wild);
}

static void add_star(const char **at, struct token *token)
{
	if ((*at)[1] != '*') {
		token->kind = TOKEN_RUN;
		++*at;
		return;
	}
	*at += 2;
	*at += **at == '/';
	token->kind = **at ? TOKEN_FOLDERS : TOKEN_ALL;
}

static void compile(struct wild *wild)
{
	const char *at = wild->pattern;

	while (*at) {
		struct token *token = &wild->tokens[wild->nr++];
		bool ignored;

		if (*at == '*') {
			add_star(&at, token);
		} else if (*at == '?') {
			token->kind = TOKEN_ANY;
			at++;
		} else if (*at == '[') {
			token->kind = TOKEN_CLASS;
			token->class = at + 1;
			at = glob_class(at + 1, 0, &ignored);
		} else {
			at += *at == '\\';
			token->c = glob_next(&at);
		}
	}
}

static enum form find_form(const char *pattern)
{
	if (!glob_has_wildcard(pattern))
		return FORM_TEXT;
	/* Docker takes "**x" for any end, not for a name: "**.txt" is a common one. */
	if (pattern[0] == '*' && pattern[1] == '*' && pattern[2] && !glob_has_wildcard(pattern + 2))
		return FORM_SUFFIX;
	return FORM_TOKENS;
}

int wild_new(const char *pattern, struct wild **ret, struct error *err)
{
	struct wild *wild;

	if (strlen(pattern) > LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "a pattern is longer than %d bytes",
			       LIMIT_PATH_BYTES);
	if (glob_check(pattern, err) < 0)
		return -1;
	wild = xcalloc(1, sizeof(*wild));
	wild->pattern = xstrdup(pattern);
	wild->form = find_form(pattern);
	wild->tokens = xcalloc(strlen(pattern), sizeof(*wild->tokens));
	compile(wild);
	*ret = wild;
	return 0;
}

/* ---- matching: the set of tokens that the path read so far may stand at ---- */

/* A bit for each token, and one for the end. */
#define SET_WORDS (LIMIT_PATH_BYTES / 64 + 1)

struct set {
	uint64_t bits[SET_WORDS];
};

static void add_place(const struct wild *wild, struct set *set, size_t place)
{
	/* All but single characters may stand for nothing. */
	for (;; place++) {
		set->bits[place / 64] |= UINT64_C(1) << place % 64;
		if (place == wild->nr || wild->tokens[place].kind < TOKEN_RUN)
			return;
	}
}

static bool takes_char(const struct token *token, uint32_t c)
{
	bool matched = false;

	if (token->kind == TOKEN_CHAR)
		return token->c == c;
	if (token->kind == TOKEN_ANY)
		return c != '/';
	glob_class(token->class, c, &matched);
	return matched;
}

static void step(const struct wild *wild, size_t place, uint32_t c, struct set *next)
{
	const struct token *token = &wild->tokens[place];

	switch (token->kind) {
	case TOKEN_RUN:
		if (c != '/')
			add_place(wild, next, place);
		return;
	case TOKEN_ALL:
		add_place(wild, next, place);
		return;
	case TOKEN_FOLDERS:
		/* Within folders it stands for nothing only behind a '/'. */
		if (c == '/')
			add_place(wild, next, place);
		else
			next[1].bits[place / 64] |= UINT64_C(1) << place % 64;
		return;
	default:
		if (takes_char(token, c))
			add_place(wild, next, place + 1);
	}
}

/*
 * now and next are pairs: the places, and those within folders that no '/' has ended yet.
 * Returns false when no place is left.
 */
static bool advance(const struct wild *wild, const struct set *now, uint32_t c, struct set *next)
{
	size_t words = wild->nr / 64 + 1;
	bool alive = false;

	memset(next[0].bits, 0, words * sizeof(*next[0].bits));
	memset(next[1].bits, 0, words * sizeof(*next[1].bits));
	for (size_t i = 0; i < words; i++) {
		uint64_t left = now[0].bits[i] | now[1].bits[i];

		for (; left; left &= left - 1) {
			size_t place = 64 * i + (size_t)__builtin_ctzll(left);

			if (place < wild->nr)
				step(wild, place, c, next);
		}
	}
	for (size_t i = 0; i < words; i++)
		alive = alive || next[0].bits[i] || next[1].bits[i];
	return alive;
}

/* Reads a text from the places in sets[0]; returns the pair it ends in, or NULL. */
static struct set *run(const struct wild *wild, struct set sets[2][2], const char *text)
{
	int now = 0;

	while (*text) {
		uint32_t c = glob_next(&text);

		if (!advance(wild, sets[now], c, sets[!now]))
			return NULL;
		now = !now;
	}
	return sets[now];
}

static void start(const struct wild *wild, struct set sets[2][2])
{
	memset(sets[0][0].bits, 0, (wild->nr / 64 + 1) * sizeof(uint64_t));
	memset(sets[0][1].bits, 0, (wild->nr / 64 + 1) * sizeof(uint64_t));
	add_place(wild, &sets[0][0], 0);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

bool wild_match(const struct wild *wild, const char *path)
{
	struct set sets[2][2], *end;

	if (wild->form == FORM_TEXT)
		return strcmp(wild->pattern, path) == 0;
	if (wild->form == FORM_SUFFIX) {
		const char *suffix = wild->pattern + 2;

		return ends_with(path, suffix) || (*suffix == '/' && !strcmp(path, suffix + 1));
	}
	start(wild, sets);
	end = run(wild, sets, path);
	return end && end[0].bits[wild->nr / 64] >> wild->nr % 64 & 1;
}

bool wild_may_match_below(const struct wild *wild, const char *folder)
{
	auto_buf struct buf text = { 0 };
	struct set sets[2][2], *end;
	uint64_t left = 0;

	if (wild->form == FORM_SUFFIX)
		return true;
	if (*folder)
		buf_printf(&text, "%s/", folder);
	start(wild, sets);
	end = run(wild, sets, text.data ? text.data : "");
	if (!end)
		return false;
	/* The end of the pattern alone matches nothing more. */
	end[0].bits[wild->nr / 64] &= ~(UINT64_C(1) << wild->nr % 64);
	for (size_t i = 0; i <= wild->nr / 64; i++)
		left |= end[0].bits[i] | end[1].bits[i];
	return left != 0;
}
