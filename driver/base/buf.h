/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - growable bytes, and the small allocations that abort when memory is gone
 *
 * A struct buf starts as { 0 }; `data` is always followed by a NUL once
 * anything was appended, so text can be used as a string.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

struct buf {
	char *data;
	size_t len; /* bytes in use, without the NUL */
	size_t cap; /* bytes allocated */
};

void buf_done(struct buf *buf);
#define auto_buf __attribute__((cleanup(buf_done)))

void buf_append(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Forgets the content, keeps the memory. */
void buf_reset(struct buf *buf);
/* Returns new: the content as a string (never NULL); buf is empty afterwards. */
char *buf_take(struct buf *buf);

/* Abort on exhaustion: for our own small data. Sizes from input are bounded first. */
void *xmalloc(size_t size);
void *xcalloc(size_t nr, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A growable array of pointers to strings that it owns. Starts as { 0 }. */
struct strlist {
	char **items; /* NULL terminated once anything was added */
	size_t nr;
	size_t cap;
};

void strlist_add(struct strlist *list, const char *text);
/* Takes text, which must come from malloc. */
void strlist_take(struct strlist *list, char *text);
void strlist_done(struct strlist *list);
#define auto_strlist __attribute__((cleanup(strlist_done)))

#endif
