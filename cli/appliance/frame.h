/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame - messages on a stream of bytes whose other end may die at any byte
 *
 * A frame is: type u8 (never 0), length u32 little endian, payload, the byte
 * FRAME_END. A new speaker first sends the key, which makes the reader drop
 * what came before it. The key has 16 random bytes, each with the high bit
 * set: so it does not occur in a payload by chance, and its beginning cannot
 * complete a frame that its predecessor left half sent, as FRAME_END is not in it.
 */
#ifndef APPLIANCE_FRAME_H
#define APPLIANCE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FRAME_KEY_BYTES	  16
#define FRAME_PAYLOAD_MAX (8u * 1024 * 1024) /* a command line and its environment fit */
#define FRAME_END	  0x0a

struct frame {
	uint8_t type;
	const uint8_t *data; /* valid until the reader is touched again */
	size_t len;
};

struct frame_key {
	uint8_t bytes[FRAME_KEY_BYTES];
};

/* Random; aborts when the kernel gives no random numbers. */
void frame_key_make(struct frame_key *ret);
void frame_key_to_hex(const struct frame_key *key, char ret[2 * FRAME_KEY_BYTES + 1]);
/* False when text is not the hex form of a key. */
bool frame_key_from_hex(const char *text, struct frame_key *ret);

void frame_put_key(struct buf *out, const struct frame_key *key);
void frame_put(struct buf *out, uint8_t type, const void *data, size_t len);

struct frame_reader {
	struct frame_key key;
	struct buf in;
	size_t at;	/* bytes of in that were handed out */
	size_t scanned; /* no key begins before this */
	bool lost;	/* not at the beginning of a frame: wait for a key */
};

enum frame_event {
	FRAME_NONE,  /* more bytes are needed */
	FRAME_WHOLE, /* *ret is filled */
	FRAME_KEY,   /* the other end begins anew */
};

/* A reader starts lost. */
void frame_reader_init(struct frame_reader *reader, const struct frame_key *key);
void frame_reader_done(struct frame_reader *reader);
void frame_reader_add(struct frame_reader *reader, const void *data, size_t len);
enum frame_event frame_reader_next(struct frame_reader *reader, struct frame *ret);

/*
 * Fields in a payload: tag u8, length u32 little endian, value. Tags may
 * repeat; unknown ones are for the caller to skip.
 */
struct field {
	uint8_t tag;
	const uint8_t *data;
	size_t len;
};

void field_put(struct buf *out, uint8_t tag, const void *data, size_t len);
void field_put_text(struct buf *out, uint8_t tag, const char *text);
void field_put_number(struct buf *out, uint8_t tag, uint64_t number);
/* Takes the first field off *data; false at the end, with *len 0 unless it is broken. */
bool field_next(const uint8_t **data, size_t *len, struct field *ret);
/* Returns new; NULL when there is a NUL inside. */
char *field_text(const struct field *field);
/* False when the value does not have the size of a number. */
bool field_number(const struct field *field, uint64_t *ret);

#endif
