/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HEADER_BYTES 5 /* type and length */
#define HIGH_BIT     0x80

void frame_key_make(struct frame_key *ret)
{
	if (getrandom(ret->bytes, sizeof(ret->bytes), 0) != (ssize_t)sizeof(ret->bytes))
		abort();
	for (size_t i = 0; i < sizeof(ret->bytes); i++)
		ret->bytes[i] |= HIGH_BIT;
}

void frame_key_to_hex(const struct frame_key *key, char ret[2 * FRAME_KEY_BYTES + 1])
{
	for (size_t i = 0; i < sizeof(key->bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", key->bytes[i]);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool frame_key_from_hex(const char *text, struct frame_key *ret)
{
	if (strlen(text) != 2 * FRAME_KEY_BYTES)
		return false;
	for (size_t i = 0; i < FRAME_KEY_BYTES; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0 || !(high & 8))
			return false;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void put_u32(struct buf *out, size_t value)
{
	uint8_t bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	buf_append(out, bytes, sizeof(bytes));
}

static size_t get_u32(const uint8_t *bytes)
{
	return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
	       (size_t)bytes[3] << 24;
}

void frame_put_key(struct buf *out, const struct frame_key *key)
{
	buf_append(out, key->bytes, sizeof(key->bytes));
}

void frame_put(struct buf *out, uint8_t type, const void *data, size_t len)
{
	static const uint8_t end = FRAME_END;

	if (len > FRAME_PAYLOAD_MAX)
		abort(); /* every sender is bounded far below */
	buf_append(out, &type, 1);
	put_u32(out, len);
	if (len)
		buf_append(out, data, len);
	buf_append(out, &end, 1);
}

void frame_reader_init(struct frame_reader *reader, const struct frame_key *key)
{
	*reader = (struct frame_reader){ .key = *key, .lost = true };
}

void frame_reader_done(struct frame_reader *reader)
{
	buf_done(&reader->in);
}

/* Forgets what was handed out, so that the buffer stays as small as a frame. */
static void drop_used(struct frame_reader *reader)
{
	if (reader->at == 0)
		return;
	memmove(reader->in.data, reader->in.data + reader->at, reader->in.len - reader->at);
	reader->in.len -= reader->at;
	reader->scanned -= reader->scanned < reader->at ? reader->scanned : reader->at;
	reader->at = 0;
}

void frame_reader_add(struct frame_reader *reader, const void *data, size_t len)
{
	drop_used(reader);
	buf_append(&reader->in, data, len);
}

/* Looks at every byte once, but for those that may be the beginning of a key. */
static bool find_key(struct frame_reader *reader)
{
	size_t from = reader->scanned > reader->at ? reader->scanned : reader->at;
	const char *begin = reader->in.data + from, *found;
	size_t len = reader->in.len - from;

	if (len < FRAME_KEY_BYTES)
		return false;
	found = memmem(begin, len, reader->key.bytes, FRAME_KEY_BYTES);
	if (!found) {
		reader->scanned = reader->in.len - (FRAME_KEY_BYTES - 1);
		return false;
	}
	reader->at = (size_t)(found - reader->in.data) + FRAME_KEY_BYTES;
	reader->scanned = reader->at;
	return true;
}

static enum frame_event lose(struct frame_reader *reader)
{
	reader->lost = true;
	if (reader->in.len - reader->at >= FRAME_KEY_BYTES)
		reader->at = reader->in.len - (FRAME_KEY_BYTES - 1);
	return FRAME_NONE;
}

enum frame_event frame_reader_next(struct frame_reader *reader, struct frame *ret)
{
	const uint8_t *header = (const uint8_t *)reader->in.data + reader->at;
	size_t len;

	if (reader->in.len == reader->at)
		return FRAME_NONE;
	if (find_key(reader)) {
		reader->lost = false;
		return FRAME_KEY;
	}
	if (reader->lost)
		return lose(reader);
	if (header[0] == 0)
		return lose(reader);
	if (reader->in.len - reader->at < HEADER_BYTES)
		return FRAME_NONE;
	len = get_u32(header + 1);
	if (len > FRAME_PAYLOAD_MAX)
		return lose(reader);
	if (reader->in.len - reader->at < HEADER_BYTES + len + 1)
		return FRAME_NONE;
	if (header[HEADER_BYTES + len] != FRAME_END)
		return lose(reader);
	*ret = (struct frame){ .type = header[0], .data = header + HEADER_BYTES, .len = len };
	reader->at += HEADER_BYTES + len + 1;
	return FRAME_WHOLE;
}

void field_put(struct buf *out, uint8_t tag, const void *data, size_t len)
{
	buf_append(out, &tag, 1);
	put_u32(out, len);
	if (len)
		buf_append(out, data, len);
}

void field_put_text(struct buf *out, uint8_t tag, const char *text)
{
	field_put(out, tag, text, strlen(text));
}

void field_put_number(struct buf *out, uint8_t tag, uint64_t number)
{
	field_put(out, tag, &number, sizeof(number));
}

bool field_next(const uint8_t **data, size_t *len, struct field *ret)
{
	size_t size;

	if (*len < HEADER_BYTES)
		return false;
	size = get_u32(*data + 1);
	if (size > *len - HEADER_BYTES)
		return false;
	*ret = (struct field){ .tag = **data, .data = *data + HEADER_BYTES, .len = size };
	*data += HEADER_BYTES + size;
	*len -= HEADER_BYTES + size;
	return true;
}

char *field_text(const struct field *field)
{
	char *text;

	if (memchr(field->data, '\0', field->len))
		return NULL;
	text = xmalloc(field->len + 1);
	memcpy(text, field->data, field->len);
	text[field->len] = '\0';
	return text;
}

bool field_number(const struct field *field, uint64_t *ret)
{
	if (field->len != sizeof(*ret))
		return false;
	memcpy(ret, field->data, sizeof(*ret));
	return true;
}
