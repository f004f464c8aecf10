/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_print - values as text: Go's fmt verbs and Go's JSON
 *
 * Private to the templates. Source: Go package fmt, "Printing"; package
 * strconv, Quote; package encoding/json, Marshal.
 */
#ifndef FORMAT_GOTMPL_PRINT_H
#define FORMAT_GOTMPL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/gotmpl_value.h"

/* "x": in quotes, with escapes, as %q; with ascii_only as %+q */
void goprint_quoted(struct buf *out, const char *text, size_t len, bool ascii_only);
/* 'x' */
void goprint_quoted_rune(struct buf *out, uint32_t rune, bool ascii_only);
/* U+0041 'A' */
void goprint_code_point(struct buf *out, uint32_t rune);
/* Shortest text that reads back as the same number, as %v */
void goprint_float(struct buf *out, double number);
/* The same without an exponent; number is finite and its exponent within 20 digits. */
void goprint_float_plain(struct buf *out, double number);
bool goprint_is_printable(uint32_t rune);

/* As an action prints it: %v, and "<no value>" for none */
void goprint_value(struct buf *out, const struct govalue *value);
/* fmt.Sprint: blanks between two operands that are both no strings */
void goprint_all(struct buf *out, const struct govalue *args, size_t nr);
/* fmt.Sprintln */
void goprint_line(struct buf *out, const struct govalue *args, size_t nr);

/**
 * goprint_format - fmt.Sprintf
 *
 * A wrong verb or operand is described in the text, as Go does. Stops when out
 * has about max_bytes: widths and repeated operands multiply, so the caller
 * must look at the length.
 */
void goprint_format(struct buf *out, const char *format, size_t len, const struct govalue *args,
		    size_t nr, size_t max_bytes);

/* Compact JSON. escape_html: '<', '>' and '&' become \u003c, \u003e, \u0026. */
void goprint_json(struct buf *out, const struct govalue *value, bool escape_html);
/* JSON over several lines, as Go's MarshalIndent; nothing escaped for HTML */
void goprint_json_lines(struct buf *out, const struct govalue *value, unsigned blanks_per_level);

#endif
