/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cancel.h"

/*
 * Waits for input. A signal that comes just before the wait must end it too, so
 * between the look for one and the wait none is let in. Input that is there
 * already ends the wait before a signal does: that is for the next look.
 */
static int wait_for_input(int fd, struct error *err)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	sigset_t blocked, before;
	int result, number;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	do {
		sigprocmask(SIG_BLOCK, &blocked, &before);
		result = cancel_check(err) < 0 ? -2 : ppoll(&input, 1, NULL, &before);
		number = errno;
		sigprocmask(SIG_SETMASK, &before, NULL);
	} while (result == -1 && number == EINTR);
	if (result == -1)
		err_sys(err, number, "wait for the answer");
	return result < 0 ? -1 : 0;
}

/* One line without its end, or as much of it as an answer can have. */
static int read_answer(int fd, char ret[16], struct error *err)
{
	size_t len = 0;

	for (;;) {
		ssize_t got;
		char c;

		if (wait_for_input(fd, err) < 0)
			return -1;
		got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "read the answer");
		if (got == 0 || c == '\n')
			break;
		if (len < 15)
			ret[len++] = c;
	}
	if (len && ret[len - 1] == '\r')
		len--;
	ret[len] = '\0';
	return 0;
}

int prompt_confirm(FILE *out, int in_fd, const char *warning, bool *ret, struct error *err)
{
	char answer[16];

	fprintf(out, "%sAre you sure you want to continue? [y/N] ", warning);
	fflush(out);
	if (read_answer(in_fd, answer, err) < 0) {
		fputc('\n', out);
		return -1;
	}
	*ret = strcasecmp(answer, "y") == 0;
	return 0;
}
