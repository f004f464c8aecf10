/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal - the launcher's terminal: passing every key on, and never leaving it so
 */
#ifndef APPLIANCE_TERMINAL_H
#define APPLIANCE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
	int fd; /* -1: none */
	struct termios before;
	bool raw;
};

/* fd becomes the terminal when it is one; remembers how it is. */
void terminal_init(struct terminal *terminal, int fd);
/* False without a terminal, or when it belongs to another job just now. */
bool terminal_raw(struct terminal *terminal);
/* As it was before; may be called at any time. */
void terminal_restore(struct terminal *terminal);
#define auto_terminal __attribute__((cleanup(terminal_restore)))

/* Of the first of the descriptors 0 to 2 that is a terminal; zeroes without any. */
void terminal_size(uint64_t *ret_rows, uint64_t *ret_columns);

#endif
