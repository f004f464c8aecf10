/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/poolstat.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is left to read; NULL once something did not fit. */
struct reader {
	const char *at;
};

static uint64_t read_number(struct reader *reader)
{
	char *end;
	uint64_t number;

	if (!reader->at || !isdigit((unsigned char)*reader->at)) {
		reader->at = NULL;
		return 0;
	}
	errno = 0;
	number = strtoull(reader->at, &end, 10);
	reader->at = errno ? NULL : end;
	return number;
}

static void expect(struct reader *reader, char c)
{
	if (reader->at)
		reader->at = *reader->at == c ? reader->at + 1 : NULL;
}

/* Is this the next word? Then it is eaten, with the space behind it. */
static bool take_word(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if (!reader->at || strncmp(reader->at, word, len) != 0 ||
	    (reader->at[len] != ' ' && reader->at[len] != '\0'))
		return false;
	reader->at += len + (reader->at[len] == ' ');
	return true;
}

static void skip_word(struct reader *reader)
{
	if (!reader->at)
		return;
	reader->at += strcspn(reader->at, " ");
	reader->at += strspn(reader->at, " ");
}

static void read_mode(struct reader *reader, struct poolstat *ret)
{
	if (take_word(reader, "rw"))
		return;
	if (take_word(reader, "ro"))
		ret->read_only = true;
	else if (take_word(reader, "out_of_data_space"))
		ret->out_of_data = true;
	else
		reader->at = NULL;
}

int poolstat_parse(const char *line, struct poolstat *ret, struct error *err)
{
	struct reader reader = { .at = line };
	struct poolstat st = { 0 };

	/* A pool that is beyond help says one word instead of its counters. */
	if (strcmp(line, "Fail") == 0 || strcmp(line, "Error") == 0) {
		*ret = (struct poolstat){ .failed = true };
		return 0;
	}
	st.transaction_id = read_number(&reader);
	expect(&reader, ' ');
	st.meta_used_blocks = read_number(&reader);
	expect(&reader, '/');
	st.meta_total_blocks = read_number(&reader);
	expect(&reader, ' ');
	st.data_used_blocks = read_number(&reader);
	expect(&reader, '/');
	st.data_total_blocks = read_number(&reader);
	expect(&reader, ' ');
	if (!take_word(&reader, "-")) {
		st.held_block = read_number(&reader);
		expect(&reader, ' ');
	}
	read_mode(&reader, &st);
	skip_word(&reader); /* discard_passdown and its like */
	skip_word(&reader); /* queue_if_no_space or error_if_no_space */
	st.needs_check = take_word(&reader, "needs_check");
	if (!reader.at)
		return err_set(err, ERR_CORRUPT, "unknown thin-pool status '%s'", line);
	*ret = st;
	return 0;
}
