/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - passwords and tokens: wiped when they are released, in no core dump while they are held
 *
 * A text that grows is moved, and what was moved stays behind: a buffer for secrets gets its size
 * first.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

#include "base/buf.h"

/* Wipes the whole block that p begins, and frees it; for malloc's memory of any kind. */
void secret_free(void *p);

static inline void secret_free_at_(void *at)
{
	secret_free(*(void **)at);
}
#define auto_secret __attribute__((cleanup(secret_free_at_)))

/* An empty buffer that is not moved before it holds more than max bytes. */
void secret_buf_init(struct buf *ret, size_t max);
void secret_buf_done(struct buf *buf);
#define auto_secret_buf __attribute__((cleanup(secret_buf_done)))

/*
 * secret_hold - from now on this process leaves no core dump, and nobody but root attaches to it
 *
 * Each call needs one secret_release(), the last of which brings back what was before; one too
 * many does nothing. Children that were begun in between keep the limit of 0 bytes.
 */
void secret_hold(void);
void secret_release(void);

#endif
