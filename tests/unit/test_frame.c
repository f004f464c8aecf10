/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "unit.h"

static struct frame_key make_key(void)
{
	struct frame_key key;

	for (size_t i = 0; i < FRAME_KEY_BYTES; i++)
		key.bytes[i] = (uint8_t)(0x80 + i);
	return key;
}

static void put_text(struct buf *out, uint8_t type, const char *text)
{
	frame_put(out, type, text, strlen(text));
}

static void expect_key(struct frame_reader *reader)
{
	struct frame frame;

	CU_ASSERT_EQUAL_FATAL(FRAME_KEY, frame_reader_next(reader, &frame));
}

static void expect_frame(struct frame_reader *reader, uint8_t type, const char *text)
{
	struct frame frame;

	CU_ASSERT_EQUAL_FATAL(FRAME_WHOLE, frame_reader_next(reader, &frame));
	CU_ASSERT_EQUAL(frame.type, type);
	CU_ASSERT_EQUAL_FATAL(frame.len, strlen(text));
	CU_ASSERT(memcmp(frame.data, text, frame.len) == 0);
}

static void expect_none(struct frame_reader *reader)
{
	struct frame frame;

	CU_ASSERT_EQUAL(FRAME_NONE, frame_reader_next(reader, &frame));
}

static void test_frames_come_out_as_they_went_in(void)
{
	const struct frame_key key = make_key();
	auto_buf struct buf out = { 0 };
	struct frame_reader reader;

	frame_put_key(&out, &key);
	put_text(&out, 1, "one");
	put_text(&out, 200, "");
	put_text(&out, 3, "three\nlines\n");
	frame_reader_init(&reader, &key);
	frame_reader_add(&reader, out.data, out.len);
	expect_key(&reader);
	expect_frame(&reader, 1, "one");
	expect_frame(&reader, 200, "");
	expect_frame(&reader, 3, "three\nlines\n");
	expect_none(&reader);
	frame_reader_done(&reader);
}

static void test_bytes_may_come_one_by_one(void)
{
	const struct frame_key key = make_key();
	auto_buf struct buf out = { 0 };
	struct frame_reader reader;
	struct frame frame;
	int nr_keys = 0, nr_frames = 0;

	frame_put_key(&out, &key);
	for (int i = 0; i < 50; i++)
		put_text(&out, 7, "some text");
	frame_put_key(&out, &key);
	put_text(&out, 8, "last");
	frame_reader_init(&reader, &key);
	for (size_t i = 0; i < out.len; i++) {
		enum frame_event event;

		frame_reader_add(&reader, out.data + i, 1);
		while ((event = frame_reader_next(&reader, &frame)) != FRAME_NONE) {
			nr_keys += event == FRAME_KEY;
			nr_frames += event == FRAME_WHOLE;
		}
	}
	CU_ASSERT_EQUAL(nr_keys, 2);
	CU_ASSERT_EQUAL(nr_frames, 51);
	CU_ASSERT(reader.in.len - reader.at == 0);
	frame_reader_done(&reader);
}

static void test_nothing_counts_before_the_key(void)
{
	const struct frame_key key = make_key();
	auto_buf struct buf out = { 0 };
	struct frame_reader reader;

	put_text(&out, 1, "of a dead one");
	frame_reader_init(&reader, &key);
	frame_reader_add(&reader, out.data, out.len);
	expect_none(&reader);
	frame_reader_add(&reader, out.data, out.len);
	expect_none(&reader);
	CU_ASSERT(reader.in.len - reader.at < FRAME_KEY_BYTES);
	frame_reader_done(&reader);
}

/* A speaker dies after each possible number of bytes; the next is always heard. */
static void cut_after(const struct buf *whole, size_t len, bool in_pieces)
{
	const struct frame_key key = make_key();
	auto_buf struct buf out = { 0 };
	struct frame_reader reader;
	struct frame frame;
	enum frame_event event;
	bool heard = false, in_order = false;

	frame_put_key(&out, &key);
	buf_append(&out, whole->data, len);
	frame_put_key(&out, &key);
	put_text(&out, 9, "the next");
	frame_reader_init(&reader, &key);
	for (size_t at = 0; at < out.len;) {
		size_t step = in_pieces ? 1 : out.len;

		frame_reader_add(&reader, out.data + at, step);
		at += step;
		while ((event = frame_reader_next(&reader, &frame)) != FRAME_NONE) {
			heard = event == FRAME_WHOLE && frame.type == 9 && frame.len == 8 &&
				memcmp(frame.data, "the next", 8) == 0;
			CU_ASSERT(event == FRAME_KEY || frame.type == 1 || frame.type == 9);
			in_order = event == FRAME_KEY || in_order;
		}
	}
	CU_ASSERT(heard);
	CU_ASSERT(in_order);
	frame_reader_done(&reader);
}

static void test_half_a_frame_does_not_swallow_the_next_speaker(void)
{
	auto_buf struct buf whole = { 0 };

	put_text(&whole, 1, "a frame of more bytes than a key has, so that all of it fits inside");
	put_text(&whole, 1, "short");
	for (size_t len = 0; len <= whole.len; len++) {
		cut_after(&whole, len, false);
		cut_after(&whole, len, true);
	}
}

static void test_a_frame_that_is_too_long_is_not_waited_for(void)
{
	const struct frame_key key = make_key();
	static const uint8_t huge[] = { 1, 0xff, 0xff, 0xff, 0xff, 'x' };
	static const uint8_t no_type[] = { 0, 0, 0, 0, 0, FRAME_END };
	auto_buf struct buf out = { 0 };
	struct frame_reader reader;

	frame_reader_init(&reader, &key);
	frame_put_key(&out, &key);
	buf_append(&out, huge, sizeof(huge));
	frame_reader_add(&reader, out.data, out.len);
	expect_key(&reader);
	expect_none(&reader);
	CU_ASSERT(reader.lost);
	buf_reset(&out);
	frame_put_key(&out, &key);
	buf_append(&out, no_type, sizeof(no_type));
	frame_reader_add(&reader, out.data, out.len);
	expect_key(&reader);
	expect_none(&reader);
	CU_ASSERT(reader.lost);
	frame_reader_done(&reader);
}

static void test_keys_as_text(void)
{
	struct frame_key key, again;
	char hex[2 * FRAME_KEY_BYTES + 1];

	frame_key_make(&key);
	for (size_t i = 0; i < FRAME_KEY_BYTES; i++)
		CU_ASSERT(key.bytes[i] & 0x80);
	frame_key_to_hex(&key, hex);
	CU_ASSERT_FATAL(frame_key_from_hex(hex, &again));
	CU_ASSERT(memcmp(&key, &again, sizeof(key)) == 0);
	hex[5] = 'G';
	CU_ASSERT_FALSE(frame_key_from_hex(hex, &again));
	CU_ASSERT_FALSE(frame_key_from_hex("80", &again));
	CU_ASSERT_FALSE(frame_key_from_hex("7f818283848586878889909192939495", &again));
}

static void test_fields(void)
{
	auto_buf struct buf out = { 0 };
	const uint8_t *data;
	struct field field;
	uint64_t number;
	char *text;
	size_t len;

	field_put_text(&out, 'a', "text");
	field_put_number(&out, 'n', UINT64_MAX);
	field_put(&out, 'b', "x\0y", 3);
	data = (const uint8_t *)out.data;
	len = out.len;
	CU_ASSERT_FATAL(field_next(&data, &len, &field));
	CU_ASSERT_EQUAL(field.tag, 'a');
	CU_ASSERT_FALSE(field_number(&field, &number));
	text = field_text(&field);
	CU_ASSERT_STRING_EQUAL_FATAL(text, "text");
	free(text);
	CU_ASSERT_FATAL(field_next(&data, &len, &field));
	CU_ASSERT_FATAL(field_number(&field, &number));
	CU_ASSERT_EQUAL(number, UINT64_MAX);
	CU_ASSERT_FATAL(field_next(&data, &len, &field));
	CU_ASSERT_PTR_NULL(field_text(&field));
	CU_ASSERT_FALSE(field_next(&data, &len, &field));
	CU_ASSERT_EQUAL(len, 0);
}

static void test_broken_fields_end_the_walk(void)
{
	static const uint8_t beyond[] = { 'a', 200, 0, 0, 0, 'x' };
	static const uint8_t cut[] = { 'a', 0, 0 };
	const uint8_t *data = beyond;
	size_t len = sizeof(beyond);
	struct field field;

	CU_ASSERT_FALSE(field_next(&data, &len, &field));
	CU_ASSERT_EQUAL(len, sizeof(beyond));
	data = cut;
	len = sizeof(cut);
	CU_ASSERT_FALSE(field_next(&data, &len, &field));
	CU_ASSERT_EQUAL(len, sizeof(cut));
}

UNIT_SUITE(frame, { "frames come out as they went in", test_frames_come_out_as_they_went_in },
	   { "bytes may come one by one", test_bytes_may_come_one_by_one },
	   { "nothing counts before the key", test_nothing_counts_before_the_key },
	   { "half a frame does not swallow the next speaker",
	     test_half_a_frame_does_not_swallow_the_next_speaker },
	   { "a frame that is too long is not waited for",
	     test_a_frame_that_is_too_long_is_not_waited_for },
	   { "keys as text", test_keys_as_text }, { "fields in a payload", test_fields },
	   { "broken fields end the walk", test_broken_fields_end_the_walk });
