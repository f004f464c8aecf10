/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

void terminal_init(struct terminal *terminal, int fd)
{
	*terminal = (struct terminal){ .fd = -1 };
	if (tcgetattr(fd, &terminal->before) == 0)
		terminal->fd = fd;
}

bool terminal_raw(struct terminal *terminal)
{
	struct termios raw = terminal->before;

	if (terminal->fd < 0)
		return false;
	/* A job in the background would be stopped for trying. */
	if (tcgetpgrp(terminal->fd) != getpgrp())
		return false;
	cfmakeraw(&raw);
	terminal->raw = tcsetattr(terminal->fd, TCSADRAIN, &raw) == 0;
	return terminal->raw;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->raw && tcgetpgrp(terminal->fd) == getpgrp())
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
	terminal->raw = false;
}

void terminal_size(uint64_t *ret_rows, uint64_t *ret_columns)
{
	struct winsize size;

	*ret_rows = *ret_columns = 0;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			*ret_rows = size.ws_row;
			*ret_columns = size.ws_col;
			return;
		}
	}
}
