/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/secret.h"

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

/* One line without its end. Returns 0, 1 for more than fits, which is passed over, or -1. */
static int read_answer(int fd, char *ret, size_t size, struct error *err)
{
	size_t len = 0;
	bool cut = false;

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
		if (len + 1 < size)
			ret[len++] = c;
		else
			cut = true;
	}
	if (len && ret[len - 1] == '\r')
		len--;
	ret[len] = '\0';
	return cut;
}

int prompt_confirm(FILE *out, int in_fd, const char *warning, bool *ret, struct error *err)
{
	char answer[16];

	fprintf(out, "%sAre you sure you want to continue? [y/N] ", warning);
	fflush(out);
	if (read_answer(in_fd, answer, sizeof(answer), err) < 0) {
		fputc('\n', out);
		return -1;
	}
	*ret = strcasecmp(answer, "y") == 0;
	return 0;
}

int prompt_line(FILE *out, int in_fd, const char *question, char **ret, struct error *err)
{
	auto_secret char *line = xcalloc(1, PROMPT_LINE_MAX + 1);
	int result;

	fputs(question, out);
	fflush(out);
	result = read_answer(in_fd, line, PROMPT_LINE_MAX + 1, err);
	if (result < 0) {
		fputc('\n', out);
		return -1;
	}
	if (result)
		return err_set(err, ERR_LIMIT, "the answer is longer than %d bytes",
			       PROMPT_LINE_MAX);
	*ret = take_ptr(line);
	return 0;
}

int prompt_secret(FILE *out, int in_fd, const char *question, char **ret, struct error *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, quit, stop;
	struct termios before, quiet;
	int result;

	if (tcgetattr(in_fd, &before) < 0)
		return err_sys(err, errno, "look at the terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	/* They would leave the terminal without an echo. */
	sigaction(SIGQUIT, &ignore, &quit);
	sigaction(SIGTSTP, &ignore, &stop);
	if (tcsetattr(in_fd, TCSADRAIN, &quiet) < 0)
		result = err_sys(err, errno, "set the terminal");
	else
		result = prompt_line(out, in_fd, question, ret, err);
	tcsetattr(in_fd, TCSADRAIN, &before);
	sigaction(SIGQUIT, &quit, NULL);
	sigaction(SIGTSTP, &stop, NULL);
	if (result == 0)
		fputc('\n', out);
	return result;
}
