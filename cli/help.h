/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help - what the table says, written for people
 *
 * Pure text, appended to a buffer. Layout: Docker's.
 */
#ifndef HELP_H
#define HELP_H

#include <stdbool.h>

#include "base/buf.h"
#include "table.h"

/* "veneer images [OPTIONS] [REPOSITORY[:TAG]]" */
void help_usage_line(const struct command *command, bool by_top, struct buf *ret);

/* The text of `veneer COMMAND --help`. */
void help_command(const struct command *command, bool by_top, struct buf *ret);
void help_group(const struct command_group *group, struct buf *ret);
/* The text of `veneer --help`. */
void help_top(struct buf *ret);

/* The rows as aligned lines, sorted by name; nothing without options. */
void help_options(const struct opt *opts, struct buf *ret);

/* "veneer image ls, veneer image list, veneer images"; "" when there is only one. */
void help_aliases(const struct command *command, struct buf *ret);

/*
 * What a wrong command line gets behind the message: a blank line, the usage,
 * a blank line, and where to read more. by_path as "veneer images".
 */
void help_hint(const char *usage_line, const char *path, struct buf *ret);

#endif
