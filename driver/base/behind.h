/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behind - pieces of a file or device that a thread writes, in their order, while others are filled
 *
 * One side fills pieces and hands them over, and waits where none is free. The thread is there
 * from the first piece on that is handed over without waiting for its end. It is woken for
 * several pieces, and so is who waits for it: fewer thread switches. Memory: what was filled of
 * nr_pieces of piece_bytes.
 */
#ifndef BASE_BEHIND_H
#define BASE_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct behind;

struct behind_piece {
	uint8_t *data; /* aligned for O_DIRECT */
	uint64_t offset;
	size_t len; /* 0: nothing yet */
};

struct behind_args {
	unsigned int nr_pieces; /* at least 2 */
	size_t piece_bytes;	/* whole blocks of 4096 */
	/* Writes one, for one thread at a time. Returns 0, or -1 with err filled. */
	int (*write)(void *ctx, const struct behind_piece *piece, struct error *err);
	void *ctx;
};

struct behind *behind_new(const struct behind_args *args);
/* What was not written yet never will be. */
void behind_free(struct behind *behind);

/* The piece that is being filled: the caller's, until it is handed over. */
struct behind_piece *behind_open(struct behind *behind);
/* Of the open piece there will be much: its memory is had at once. */
void behind_touch(struct behind *behind);
/* Hands it over. There is another one then; -1 also for what was handed over earlier. */
int behind_put(struct behind *behind, struct error *err);
/* Likewise, and waits until everything is written. */
int behind_drain(struct behind *behind, struct error *err);
/* Is anything of this range in a piece that is open, or not written yet? */
bool behind_has(struct behind *behind, uint64_t offset, uint64_t len);

#endif
