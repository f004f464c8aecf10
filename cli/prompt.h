/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt - a question to the user, and the answer
 */
#ifndef PROMPT_H
#define PROMPT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/**
 * prompt_confirm - "Are you sure you want to continue? [y/N] "
 * @warning: whole lines in front of the question
 * @ret:     true for "y" and "Y" only; an input that ends counts as no
 *
 * Returns 0, or -1 with ERR_CANCELLED when a signal ended the wait: the line
 * that the question began is ended then.
 */
int prompt_confirm(FILE *out, int in_fd, const char *warning, bool *ret, struct error *err);

#endif
