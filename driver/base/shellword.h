/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shellword - a text as one word of a command line, for people to paste
 *
 * Names that others chose, a mount point in a container above all, must not
 * become commands.
 */
#ifndef BASE_SHELLWORD_H
#define BASE_SHELLWORD_H

/* As it is where a shell takes it so, else in single quotes. Returns new. */
char *shellword(const char *text);

#endif
