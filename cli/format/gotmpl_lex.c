/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "format/gotmpl_print.h"
#include "format/utf8.h"

struct lexer {
	const char *at;
	const char *start; /* of the token in hand */
	const char *text;
	const char *end;
	struct gotokens *out;
	int parens;
};

bool gotmpl_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* -1 at the end */
static int peek(const struct lexer *lexer, size_t ahead)
{
	if ((size_t)(lexer->end - lexer->at) <= ahead)
		return -1;
	return (unsigned char)lexer->at[ahead];
}

static bool looking_at(const struct lexer *lexer, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(lexer->end - lexer->at) >= len && memcmp(lexer->at, word, len) == 0;
}

static void emit_range(struct lexer *lexer, enum gotoken_kind kind, const char *start,
		       const char *end)
{
	struct gotokens *out = lexer->out;

	if (out->nr == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 32;
		out->items = xrealloc(out->items, out->cap * sizeof(*out->items));
	}
	out->items[out->nr++] = (struct gotoken){
		.kind = kind,
		.pos = (size_t)(start - lexer->text),
		.len = (size_t)(end - start),
	};
}

static void emit(struct lexer *lexer, enum gotoken_kind kind)
{
	emit_range(lexer, kind, lexer->start, lexer->at);
	lexer->start = lexer->at;
}

/* Always false: nothing follows an error. */
static bool fail(struct lexer *lexer, const char *message)
{
	buf_puts(&lexer->out->message, message);
	emit_range(lexer, GOTOKEN_ERROR, lexer->start, lexer->start);
	return false;
}

static bool fail_char(struct lexer *lexer, const char *message, const char *at)
{
	buf_puts(&lexer->out->message, message);
	goprint_code_point(&lexer->out->message, utf8_next(&at, lexer->end, NULL));
	emit_range(lexer, GOTOKEN_ERROR, lexer->start, lexer->start);
	return false;
}

static bool fail_number(struct lexer *lexer)
{
	buf_puts(&lexer->out->message, "bad number syntax: ");
	goprint_quoted(&lexer->out->message, lexer->start, (size_t)(lexer->at - lexer->start),
		       false);
	emit_range(lexer, GOTOKEN_ERROR, lexer->start, lexer->start);
	return false;
}

/* Letters, digits and '_'. Beyond ASCII all but controls, blanks and punctuation. */
static bool is_word_rune(uint32_t rune)
{
	if (rune < 0x80)
		return isalnum((int)rune) || rune == '_';
	return rune >= 0xc0 && rune != 0xd7 && rune != 0xf7 && rune != UTF8_BAD &&
	       !(rune >= 0x2000 && rune < 0x2070) && !(rune >= 0x3000 && rune < 0x3005);
}

static void skip_word(struct lexer *lexer)
{
	while (lexer->at < lexer->end) {
		const char *next = lexer->at;

		if (!is_word_rune(utf8_next(&next, lexer->end, NULL)))
			break;
		lexer->at = next;
	}
}

static bool at_word_end(const struct lexer *lexer)
{
	int c = peek(lexer, 0);

	return c < 0 || gotmpl_is_space((char)c) || (c && strchr(".,|:)(", c)) ||
	       looking_at(lexer, "}}");
}

static bool at_trimming_right(const struct lexer *lexer)
{
	return lexer->at < lexer->end && gotmpl_is_space(*lexer->at) && peek(lexer, 1) == '-' &&
	       peek(lexer, 2) == '}' && peek(lexer, 3) == '}';
}

static void skip_space(struct lexer *lexer)
{
	while (lexer->at < lexer->end && gotmpl_is_space(*lexer->at))
		lexer->at++;
}

/* The closing braces are here, perhaps behind " -". */
static void lex_right(struct lexer *lexer)
{
	bool trim = at_trimming_right(lexer);

	lexer->at += trim ? 2 : 0;
	lexer->start = lexer->at;
	lexer->at += 2;
	emit(lexer, GOTOKEN_RIGHT);
	if (trim)
		skip_space(lexer);
	lexer->start = lexer->at;
}

/* Up to "{{" or the end. Returns whether an action follows. */
static bool lex_text(struct lexer *lexer)
{
	const char *brace = memmem(lexer->at, (size_t)(lexer->end - lexer->at), "{{", 2);
	const char *stop = brace ? brace : lexer->end;

	lexer->at = stop;
	if (brace && brace + 3 < lexer->end && brace[2] == '-' && gotmpl_is_space(brace[3]))
		while (stop > lexer->start && gotmpl_is_space(stop[-1]))
			stop--;
	if (stop > lexer->start)
		emit_range(lexer, GOTOKEN_TEXT, lexer->start, stop);
	lexer->start = lexer->at;
	if (!brace)
		emit(lexer, GOTOKEN_EOF);
	return brace;
}

/* "/" "*" is here. */
static bool lex_comment(struct lexer *lexer)
{
	const char *close;

	lexer->start = lexer->at;
	lexer->at += 2;
	close = memmem(lexer->at, (size_t)(lexer->end - lexer->at), "*/", 2);
	if (!close)
		return fail(lexer, "unclosed comment");
	lexer->at = close + 2;
	if (at_trimming_right(lexer)) {
		lexer->at += 4;
		skip_space(lexer);
	} else if (looking_at(lexer, "}}")) {
		lexer->at += 2;
	} else {
		return fail(lexer, "comment ends before closing delimiter");
	}
	lexer->start = lexer->at;
	return true;
}

static bool lex_space(struct lexer *lexer)
{
	const char *first = lexer->at;

	skip_space(lexer);
	if (lexer->at > first) {
		lexer->at--; /* the last blank may belong to " -}}" */
		if (!at_trimming_right(lexer))
			lexer->at++;
	}
	if (lexer->at > first)
		emit(lexer, GOTOKEN_SPACE);
	return true;
}

static bool lex_quoted(struct lexer *lexer, char quote, enum gotoken_kind kind, const char *what)
{
	for (lexer->at++; lexer->at < lexer->end && *lexer->at != '\n'; lexer->at++) {
		if (*lexer->at == quote) {
			lexer->at++;
			emit(lexer, kind);
			return true;
		}
		if (*lexer->at == '\\' && peek(lexer, 1) >= 0 && peek(lexer, 1) != '\n')
			lexer->at++;
	}
	return fail(lexer, what);
}

static bool lex_raw(struct lexer *lexer)
{
	const char *close = memchr(lexer->at + 1, '`', (size_t)(lexer->end - lexer->at - 1));

	if (!close)
		return fail(lexer, "unterminated raw quoted string");
	lexer->at = close + 1;
	emit(lexer, GOTOKEN_RAW_STRING);
	return true;
}

static enum gotoken_kind word_kind(const char *word, size_t len)
{
	static const struct {
		const char *word;
		enum gotoken_kind kind;
	} keywords[] = { { "nil", GOTOKEN_NIL },	   { "if", GOTOKEN_IF },
			 { "else", GOTOKEN_ELSE },	   { "end", GOTOKEN_END },
			 { "range", GOTOKEN_RANGE },	   { "with", GOTOKEN_WITH },
			 { "break", GOTOKEN_BREAK },	   { "continue", GOTOKEN_CONTINUE },
			 { "define", GOTOKEN_DEFINE },	   { "block", GOTOKEN_BLOCK },
			 { "template", GOTOKEN_TEMPLATE }, { "true", GOTOKEN_BOOL },
			 { "false", GOTOKEN_BOOL } };

	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (strlen(keywords[i].word) == len && memcmp(keywords[i].word, word, len) == 0)
			return keywords[i].kind;
	return GOTOKEN_IDENT;
}

static bool lex_word(struct lexer *lexer)
{
	skip_word(lexer);
	if (!at_word_end(lexer))
		return fail_char(lexer, "bad character ", lexer->at);
	emit(lexer, word_kind(lexer->start, (size_t)(lexer->at - lexer->start)));
	return true;
}

/* A '.' or '$' is here. */
static bool lex_field_or_variable(struct lexer *lexer)
{
	bool dot = *lexer->at++ == '.';

	if (at_word_end(lexer)) {
		emit(lexer, dot ? GOTOKEN_DOT : GOTOKEN_VARIABLE);
		return true;
	}
	skip_word(lexer);
	if (!at_word_end(lexer))
		return fail_char(lexer, "bad character ", lexer->at);
	emit(lexer, dot ? GOTOKEN_FIELD : GOTOKEN_VARIABLE);
	return true;
}

static bool accept(struct lexer *lexer, const char *set)
{
	int c = peek(lexer, 0);

	if (c <= 0 || !strchr(set, c))
		return false;
	lexer->at++;
	return true;
}

static void accept_run(struct lexer *lexer, const char *set)
{
	while (accept(lexer, set))
		;
}

/* Generous, it takes Go's imaginary numbers too: the parser checks. False: a letter follows. */
static bool scan_number(struct lexer *lexer)
{
	static const char decimal[] = "0123456789_";
	const char *digits = decimal, *exponent = "eE", *next;

	accept(lexer, "+-");
	if (accept(lexer, "0")) {
		if (accept(lexer, "xX")) {
			digits = "0123456789abcdefABCDEF_";
			exponent = "pP";
		} else if (accept(lexer, "oO")) {
			digits = "01234567_";
			exponent = "";
		} else if (accept(lexer, "bB")) {
			digits = "01_";
			exponent = "";
		}
	}
	accept_run(lexer, digits);
	if (accept(lexer, "."))
		accept_run(lexer, digits);
	if (accept(lexer, exponent)) {
		accept(lexer, "+-");
		accept_run(lexer, decimal);
	}
	accept(lexer, "i");
	next = lexer->at;
	if (next < lexer->end && is_word_rune(utf8_next(&next, lexer->end, NULL))) {
		lexer->at = next;
		return false;
	}
	return true;
}

static bool lex_number(struct lexer *lexer)
{
	if (!scan_number(lexer))
		return fail_number(lexer);
	if (peek(lexer, 0) == '+' || peek(lexer, 0) == '-') { /* a complex one, in Go */
		scan_number(lexer);
		return fail_number(lexer);
	}
	emit(lexer, GOTOKEN_NUMBER);
	return true;
}

static bool lex_single(struct lexer *lexer, enum gotoken_kind kind)
{
	lexer->at++;
	emit(lexer, kind);
	return true;
}

static bool lex_paren(struct lexer *lexer)
{
	bool left = *lexer->at == '(';

	lex_single(lexer, left ? GOTOKEN_LPAREN : GOTOKEN_RPAREN);
	lexer->parens += left ? 1 : -1;
	if (lexer->parens < 0)
		return fail(lexer, "unexpected right paren U+0029 ')'");
	return true;
}

/* One token of an action. Returns false after an error. */
static bool lex_in_action(struct lexer *lexer)
{
	const char *here = lexer->at;
	int c = peek(lexer, 0);

	if (c < 0)
		return fail(lexer, "unclosed action");
	if (gotmpl_is_space((char)c))
		return lex_space(lexer);
	switch (c) {
	case '=':
		return lex_single(lexer, GOTOKEN_ASSIGN);
	case ':':
		if (peek(lexer, 1) != '=')
			return fail(lexer, "expected :=");
		lexer->at += 2;
		emit(lexer, GOTOKEN_DECLARE);
		return true;
	case '|':
		return lex_single(lexer, GOTOKEN_PIPE);
	case '"':
		return lex_quoted(lexer, '"', GOTOKEN_STRING, "unterminated quoted string");
	case '\'':
		return lex_quoted(lexer, '\'', GOTOKEN_CHAR_CONST,
				  "unterminated character constant");
	case '`':
		return lex_raw(lexer);
	case '$':
		return lex_field_or_variable(lexer);
	case '(':
	case ')':
		return lex_paren(lexer);
	}
	if (c == '.' && !(peek(lexer, 1) >= '0' && peek(lexer, 1) <= '9') && peek(lexer, 1) >= 0)
		return lex_field_or_variable(lexer);
	if (c == '.' || c == '+' || c == '-' || isdigit(c))
		return lex_number(lexer);
	if (is_word_rune(utf8_next(&here, lexer->end, NULL)))
		return lex_word(lexer);
	if (c < 0x80 && isprint(c))
		return lex_single(lexer, GOTOKEN_CHAR);
	return fail_char(lexer, "unrecognized character in action: ", lexer->at);
}

/* "{{" is here. Returns false when nothing more can follow. */
static bool lex_action(struct lexer *lexer)
{
	lexer->start = lexer->at;
	lexer->at += 2;
	emit(lexer, GOTOKEN_LEFT);
	if (peek(lexer, 0) == '-' && peek(lexer, 1) >= 0 && gotmpl_is_space(lexer->at[1]))
		lexer->at += 2;
	lexer->start = lexer->at;
	if (looking_at(lexer, "/*")) {
		lexer->out->nr--; /* a comment leaves nothing */
		return lex_comment(lexer);
	}
	lexer->parens = 0;
	while (!at_trimming_right(lexer) && !looking_at(lexer, "}}"))
		if (!lex_in_action(lexer))
			return false;
	if (lexer->parens)
		return fail(lexer, "unclosed left paren");
	lex_right(lexer);
	return true;
}

void gotokens_lex(const char *text, size_t len, struct gotokens *ret)
{
	struct lexer lexer = {
		.at = text,
		.start = text,
		.text = text,
		.end = text + len,
		.out = ret,
	};

	while (lex_text(&lexer) && lex_action(&lexer))
		;
}

void gotokens_done(struct gotokens *tokens)
{
	free(tokens->items);
	buf_done(&tokens->message);
	*tokens = (struct gotokens){ 0 };
}
