/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_text - what template functions do to strings
 *
 * Private to the templates. Source: Go packages strings, text/template (escapers)
 * and net/url (QueryEscape).
 */
#ifndef FORMAT_GOTMPL_TEXT_H
#define FORMAT_GOTMPL_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"

/* All append to out. */
void gotext_html(struct buf *out, const char *text, size_t len);
void gotext_js(struct buf *out, const char *text, size_t len);
void gotext_urlquery(struct buf *out, const char *text, size_t len);
void gotext_lower(struct buf *out, const char *text, size_t len);
void gotext_upper(struct buf *out, const char *text, size_t len);
/* The first letter of every word in upper case */
void gotext_title(struct buf *out, const char *text, size_t len);

/* Returns new: an array of strings; an empty separator splits between characters. */
json_t *gotext_split(const char *text, size_t len, const char *separator, size_t separator_len);

#endif
