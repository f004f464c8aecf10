/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 - RFC 4648, section 4, with padding; for secrets
 */
#ifndef REGISTRY_BASE64_H
#define REGISTRY_BASE64_H

#include "base/buf.h"

/* @ret: made here; secret_buf_done() releases it. */
void base64_encode(const void *data, size_t len, struct buf *ret);
/* Returns 0, or -1 for what is none; line ends are passed over, as in Go. */
int base64_decode(const char *text, struct buf *ret);

#endif
