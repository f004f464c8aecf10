/* SPDX-License-Identifier: Apache-2.0 */
/*
 * man - manual pages in roff, from the command table
 */
#ifndef MAN_H
#define MAN_H

#include "base/buf.h"
#include "table.h"

/* "veneer-image-ls": the page of a command. Returns new. */
char *man_page_name(const struct command *command);

/* The page of the program, with the list of all commands; appended to ret. */
void man_program(struct buf *ret);
void man_command(const struct command *command, struct buf *ret);

#endif
