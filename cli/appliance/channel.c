/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/channel.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Where a tag's value goes. */
enum kind {
	TEXT,
	TEXTS,
	NUMBER,
};

struct part {
	uint8_t tag; /* 0 ends a table */
	enum kind kind;
	size_t offset;
	bool required;
};

#define START(member) offsetof(struct channel_start, member)
#define EXIT(member)  offsetof(struct channel_exit, member)
#define TERMIOS_TAG   't'

static const struct part start_parts[] = {
	{ 'r', TEXT, START(root), true },  { 'm', TEXT, START(modules), true },
	{ 'h', TEXT, START(host), true },  { 'd', TEXTS, START(disks) },
	{ 'p', TEXT, START(program) },	   { 'a', TEXTS, START(argv) },
	{ 'e', TEXTS, START(env) },	   { 'c', TEXT, START(cwd), true },
	{ 'u', NUMBER, START(umask) },	   { 'i', NUMBER, START(input) },
	{ 'f', TEXT, START(input_path) },  { 'o', NUMBER, START(input_offset) },
	{ 'T', NUMBER, START(terminals) }, { 'R', NUMBER, START(raw) },
	{ 'n', NUMBER, START(time) },	   { 'y', NUMBER, START(rows) },
	{ 'x', NUMBER, START(columns) },   { 0 },
};

static const struct part exit_parts[] = {
	{ 's', NUMBER, EXIT(status), true },
	{ 'k', NUMBER, EXIT(stays) },
	{ 'o', NUMBER, EXIT(input_offset) },
	{ 'd', TEXTS, EXIT(disks) },
	{ 0 },
};

static void done(const struct part *parts, void *object)
{
	for (; parts->tag; parts++) {
		void *at = (char *)object + parts->offset;

		if (parts->kind == TEXT)
			free(*(char **)at);
		else if (parts->kind == TEXTS)
			strlist_done(at);
	}
}

static void encode(const struct part *parts, const void *object, struct buf *out)
{
	for (; parts->tag; parts++) {
		const void *at = (const char *)object + parts->offset;
		const struct strlist *list = at;

		if (parts->kind == NUMBER)
			field_put_number(out, parts->tag, *(const uint64_t *)at);
		else if (parts->kind == TEXT && *(char *const *)at)
			field_put_text(out, parts->tag, *(char *const *)at);
		else if (parts->kind == TEXTS)
			for (size_t i = 0; i < list->nr; i++)
				field_put_text(out, parts->tag, list->items[i]);
	}
}

static bool decode_text(const struct field *field, char **at)
{
	free(*at);
	*at = field_text(field);
	return *at != NULL;
}

static bool decode_part(const struct part *part, const struct field *field, void *at)
{
	char *text = NULL;

	switch (part->kind) {
	case TEXT:
		return decode_text(field, at);
	case TEXTS:
		if (decode_text(field, &text))
			strlist_take(at, text);
		return text != NULL;
	case NUMBER:
		return field_number(field, at);
	}
	return false;
}

/* ret_other: the last field with a tag that is in no row; may stay untouched. */
static int decode(const struct part *parts, const struct frame *frame, void *object,
		  struct field *ret_other, struct error *err)
{
	const uint8_t *data = frame->data;
	size_t len = frame->len;
	bool seen[256] = { false };
	struct field field;

	while (field_next(&data, &len, &field)) {
		const struct part *part = parts;

		while (part->tag && part->tag != field.tag)
			part++;
		if (!part->tag)
			*ret_other = field;
		else if (!decode_part(part, &field, (char *)object + part->offset))
			return err_set(err, ERR_CORRUPT, "the line to the appliance: field '%c'",
				       field.tag);
		seen[field.tag] = true;
	}
	for (const struct part *part = parts; part->tag; part++)
		if (part->required && !seen[part->tag])
			return err_set(err, ERR_CORRUPT, "the line to the appliance: no field '%c'",
				       part->tag);
	if (len)
		return err_set(err, ERR_CORRUPT, "the line to the appliance: %zu bytes too many",
			       len);
	return 0;
}

void channel_start_done(struct channel_start *start)
{
	done(start_parts, start);
	*start = (struct channel_start){ 0 };
}

void channel_start_encode(const struct channel_start *start, struct buf *out)
{
	encode(start_parts, start, out);
	if (start->has_termios)
		field_put(out, TERMIOS_TAG, &start->termios, sizeof(start->termios));
}

int channel_start_decode(const struct frame *frame, struct channel_start *ret, struct error *err)
{
	struct field other = { 0 };

	*ret = (struct channel_start){ 0 };
	if (decode(start_parts, frame, ret, &other, err) < 0)
		return -1;
	if (ret->argv.nr == 0)
		return err_set(err, ERR_CORRUPT, "the line to the appliance: no command");
	if (other.tag == TERMIOS_TAG && other.len == sizeof(ret->termios)) {
		memcpy(&ret->termios, other.data, sizeof(ret->termios));
		ret->has_termios = true;
	}
	return 0;
}

void channel_exit_done(struct channel_exit *end)
{
	done(exit_parts, end);
	*end = (struct channel_exit){ 0 };
}

void channel_exit_encode(const struct channel_exit *end, struct buf *out)
{
	encode(exit_parts, end, out);
}

int channel_exit_decode(const struct frame *frame, struct channel_exit *ret, struct error *err)
{
	struct field other = { 0 };

	*ret = (struct channel_exit){ 0 };
	return decode(exit_parts, frame, ret, &other, err);
}

void channel_init(struct channel *channel, int fd, const struct frame_key *key)
{
	*channel = (struct channel){ .fd = fd };
	frame_reader_init(&channel->reader, key);
}

void channel_done(struct channel *channel)
{
	frame_reader_done(&channel->reader);
	buf_done(&channel->out);
}

void channel_put_key(struct channel *channel)
{
	frame_put_key(&channel->out, &channel->reader.key);
}

void channel_put(struct channel *channel, enum channel_type type, const void *data, size_t len)
{
	frame_put(&channel->out, (uint8_t)type, data, len);
}

void channel_put_numbers(struct channel *channel, enum channel_type type, const uint64_t *numbers,
			 size_t nr)
{
	channel_put(channel, type, numbers, nr * sizeof(*numbers));
}

bool channel_numbers(const struct frame *frame, uint64_t *ret, size_t nr)
{
	if (frame->len < nr * sizeof(*ret))
		return false;
	memcpy(ret, frame->data, nr * sizeof(*ret));
	return true;
}

size_t channel_pending(const struct channel *channel)
{
	return channel->out.len - channel->sent;
}

size_t channel_sendable(const struct channel *channel)
{
	size_t pending = channel_pending(channel);
	size_t room = channel->window - channel->unheard;

	return channel->window && pending > room ? room : pending;
}

void channel_note_heard(struct channel *channel, uint64_t bytes)
{
	channel->unheard -= bytes < channel->unheard ? (size_t)bytes : channel->unheard;
}

int channel_flush(struct channel *channel, struct error *err)
{
	while (channel_sendable(channel)) {
		ssize_t put = write(channel->fd, channel->out.data + channel->sent,
				    channel_sendable(channel));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return 0;
		if (put < 0)
			return err_sys(err, errno, "write to the appliance's line");
		channel->sent += (size_t)put;
		if (channel->window)
			channel->unheard += (size_t)put;
	}
	if (channel_pending(channel))
		return 0;
	buf_reset(&channel->out);
	channel->sent = 0;
	return 0;
}

int channel_fill(struct channel *channel, struct error *err)
{
	static char chunk[64 * 1024];
	ssize_t got;

	do
		got = read(channel->fd, chunk, sizeof(chunk));
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 1;
	if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EIO)))
		return 0;
	if (got < 0)
		return err_sys(err, errno, "read the appliance's line");
	frame_reader_add(&channel->reader, chunk, (size_t)got);
	channel->received += (size_t)got;
	return 1;
}
