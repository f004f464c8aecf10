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

#define PROMPT_LINE_MAX 4096 /* bytes; what a terminal takes as one line */

/**
 * prompt_line - ask for a line
 * @in_fd: a terminal
 * @ret:   new, for secret_free(); without its end; what came before the end of the input
 *
 * Returns 0, or -1: ERR_CANCELLED when a signal ended the wait (the question's line is ended
 * then), ERR_LIMIT, ERR_IO.
 */
int prompt_line(FILE *out, int in_fd, const char *question, char **ret, struct error *err);

/*
 * The same without an echo, with a newline after the answer. The terminal is as before afterwards,
 * also after a signal that cancel_catch_signals() catches; the keys that stop or kill a program
 * without asking it do nothing meanwhile.
 */
int prompt_secret(FILE *out, int in_fd, const char *question, char **ret, struct error *err);

#endif
