/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_input - archives for fuzzers: read as a stream, and mutations that keep an archive an archive
 *
 * For one fuzzer each: it has libFuzzer's own mutator.
 */
#ifndef TAR_INPUT_H
#define TAR_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "layer/stream.h"

/* Something beside the tree that must not be hit. */
#define VICTIM "/dev/shm/veneer-fuzz-victim"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max_len);

struct source {
	const uint8_t *data;
	size_t len;
};

static int read_source(void *ctx, void *data, size_t len, struct error *err)
{
	struct source *source = ctx;

	(void)err;
	if (len > source->len)
		len = source->len;
	memcpy(data, source->data, len);
	source->data += len;
	source->len -= len;
	return (int)len;
}

static size_t octal(const uint8_t *field, size_t width)
{
	size_t value = 0;

	for (size_t i = 0; i < width && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (field[i] - '0');
	return value;
}

static void seal(uint8_t *header)
{
	unsigned int sum = 0;
	char text[16];

	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += header[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + 148, text, 7);
}

static void seal_all(uint8_t *data, size_t len)
{
	static const uint8_t zeros[512];

	for (size_t at = 0; at + 512 <= len;) {
		if (memcmp(data + at, zeros, 512) != 0)
			seal(data + at);
		at += 512 + ((octal(data + at + 124, 12) + 511) & ~(size_t)511) % (1 << 20);
	}
}

static const char *const words[] = {
	"a",
	"a/b",
	"a/b/c",
	"b",
	"..",
	"../x",
	"a/..",
	"/",
	VICTIM,
	VICTIM "/file",
	VICTIM "/dir/",
	("../../.." VICTIM),
	".wh.a",
	"a/.wh.b",
	".wh..wh..opq",
	"a/.wh..wh..opq",
	".wh..wh.plnk/x",
	".wh.",
	"l",
	"l/a",
	"l/dir",
	"l/.wh.file",
	"l/.wh..wh..opq",
	"l/file",
};

/* One header's type, name or link becomes something that may hurt. */
static void set_word(uint8_t *data, size_t len, unsigned int seed)
{
	static const char types[] = "012345567xgLKSD";
	uint8_t *header = data + seed / 7 % (len / 512) * 512;
	const char *word = words[seed / 64 % (sizeof(words) / sizeof(*words))];

	switch (seed % 3) {
	case 0:
		header[156] = (uint8_t)types[seed / 64 % (sizeof(types) - 1)];
		break;
	case 1:
		memset(header, 0, 100);
		memcpy(header, word, strlen(word));
		break;
	default:
		memset(header + 157, 0, 100);
		memcpy(header + 157, word, strlen(word));
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed)
{
	if (seed % 4 == 0 && len >= 512)
		set_word(data, len, seed / 4);
	else
		len = LLVMFuzzerMutate(data, len, max_len);
	if (seed % 16)
		seal_all(data, len);
	return len;
}

#endif
