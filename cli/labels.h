/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels - what --label asks for, of an image that is built or of a container
 */
#ifndef LABELS_H
#define LABELS_H

#include "base/buf.h"
#include "base/err.h"

/* Each with its "=". ERR_USAGE: "invalid label '=v': empty name", or blanks in the name. */
int labels_read(const struct strlist *words, struct strlist *ret, struct error *err);

#endif
