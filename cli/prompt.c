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
 * signals are let in during the wait alone: mask is the one from before.
 */
static int wait_for_input(int fd, const sigset_t *mask, struct error *err)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	for (;;) {
		if (cancel_check(err) < 0)
			return -1;
		if (ppoll(&input, 1, NULL, mask) >= 0)
			return 0;
		if (errno != EINTR)
			return err_sys(err, errno, "wait for the answer");
	}
}

/* One line without its end, or as much of it as an answer can have. */
static int read_answer(int fd, const sigset_t *mask, char ret[16], struct error *err)
{
	size_t len = 0;

	for (;;) {
		ssize_t got;
		char c;

		if (wait_for_input(fd, mask, err) < 0)
			return -1;
		got = read(fd, &c, 1);
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
	sigset_t blocked, before;
	char answer[16];
	int result;

	fprintf(out, "%sAre you sure you want to continue? [y/N] ", warning);
	fflush(out);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	result = read_answer(in_fd, &before, answer, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (result < 0) {
		fputc('\n', out);
		return -1;
	}
	*ret = strcasecmp(answer, "y") == 0;
	return 0;
}
