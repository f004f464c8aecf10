/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "unit.h"

#define QUESTION "WARNING! Gone.\nAre you sure you want to continue? [y/N] "

static bool ask(const char *input)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct error err;
	bool yes = false;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(write(fds[1], input, strlen(input)), (ssize_t)strlen(input));
	close(fds[1]);
	CU_ASSERT_EQUAL(prompt_confirm(out, fds[0], "WARNING! Gone.\n", &yes, &err), 0);
	close(fds[0]);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, QUESTION);
	return yes;
}

static void test_only_y_is_yes(void)
{
	CU_ASSERT_TRUE(ask("y\n"));
	CU_ASSERT_TRUE(ask("Y\n"));
	CU_ASSERT_TRUE(ask("y\r\nn\n"));
	CU_ASSERT_TRUE(ask("y"));
	CU_ASSERT_FALSE(ask("yes\n"));
	CU_ASSERT_FALSE(ask("n\n"));
	CU_ASSERT_FALSE(ask("\ny\n"));
	CU_ASSERT_FALSE(ask(""));
	CU_ASSERT_FALSE(ask("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n"));
}

/* Asks where the input never ends; the exit status is 0 when a signal ended it. */
static void ask_without_end(int ready_fd)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	FILE *out = fdopen(ready_fd, "w");
	struct error err = { 0 };
	bool yes;

	cancel_catch_signals();
	prompt_confirm(out, zero, "", &yes, &err);
	_exit(err.kind == ERR_CANCELLED ? 0 : 1);
}

static void test_a_signal_ends_the_wait_for_an_end(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int fds[2], status = 0;
	char c;
	pid_t pid, ended = 0;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0)
		ask_without_end(fds[1]);
	close(fds[1]);
	CU_ASSERT_EQUAL(read(fds[0], &c, 1), 1); /* it has asked */
	close(fds[0]);
	kill(pid, SIGINT);
	for (int i = 0; i < 500 && ended == 0; i++) {
		nanosleep(&moment, NULL);
		ended = waitpid(pid, &status, WNOHANG);
	}
	if (ended == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_line(const char *input, const char *expected)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	auto_secret char *line = NULL;
	struct error err = { 0 };
	int fds[2], result;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(write(fds[1], input, strlen(input)), (ssize_t)strlen(input));
	close(fds[1]);
	result = prompt_line(out, fds[0], "Name: ", &line, &err);
	close(fds[0]);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, "Name: ");
	CU_ASSERT_EQUAL(result, expected ? 0 : -1);
	CU_ASSERT_STRING_EQUAL(line ?: "-", expected ?: "-");
	CU_ASSERT_EQUAL(err.kind, expected ? 0 : ERR_LIMIT);
}

static void test_lines(void)
{
	char whole[PROMPT_LINE_MAX + 3];

	check_line("ann\nbob\n", "ann");
	check_line("ann\r\n", "ann");
	check_line(" ann", " ann");
	check_line("", "");
	memset(whole, 'x', sizeof(whole));
	memcpy(whole + PROMPT_LINE_MAX + 1, "\n", 2);
	check_line(whole, NULL);
	auto_free char *fits = xasprintf("%.*s", PROMPT_LINE_MAX, whole);

	check_line(whole + 1, fits);
}

/* Returns the master's side of a terminal; *ret is the other. */
static int open_terminal(int *ret)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	CU_ASSERT_FATAL(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	*ret = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CU_ASSERT_FATAL(*ret >= 0);
	return master;
}

/* Reads what is shown until it ends so. */
static void read_until(int fd, char *ret, size_t size, const char *end)
{
	size_t len = 0;

	while (len + 1 < size &&
	       !(len >= strlen(end) && strcmp(ret + len - strlen(end), end) == 0)) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		if (poll(&wait, 1, 10000) != 1 || read(fd, ret + len, 1) != 1)
			break;
		ret[++len] = '\0';
	}
}

/* @input: what is typed; NULL: a signal comes instead. The exit status is that of the child. */
static int ask_secret(const char *input, char shown[256])
{
	auto_fd int side = -1, master = open_terminal(&side);
	struct termios before, after;
	int status = -1;
	pid_t pid;

	CU_ASSERT_EQUAL(tcgetattr(side, &before), 0);
	CU_ASSERT_TRUE(before.c_lflag & ECHO);
	pid = fork();
	if (pid == 0) {
		FILE *out = fdopen(dup(side), "w");
		auto_secret char *line = NULL;
		struct error err = { 0 };

		cancel_catch_signals();
		if (prompt_secret(out, side, "Password: ", &line, &err) < 0)
			_exit(fclose(out) == 0 && err.kind == ERR_CANCELLED ? 3 : 4);
		fprintf(out, "[%s]\n", line);
		fclose(out);
		_exit(0);
	}
	read_until(master, shown, 256, "Password: ");
	CU_ASSERT_EQUAL(input ? write(master, input, strlen(input)) : kill(pid, SIGTERM),
			(ssize_t)strlen(input ?: ""));
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	*shown = '\0';
	read_until(master, shown, 256, input ? "]\r\n" : "\r\n");
	CU_ASSERT_EQUAL(tcgetattr(side, &after), 0);
	CU_ASSERT_EQUAL(after.c_lflag, before.c_lflag);
	return status;
}

static void test_secrets(void)
{
	char shown[256] = "";
	int status = ask_secret("c2Vj\n", shown);

	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_STRING_EQUAL(shown, "\r\n[c2Vj]\r\n");
}

static void test_a_signal_gives_the_echo_back(void)
{
	char shown[256] = "";
	int status = ask_secret(NULL, shown);

	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CU_ASSERT_STRING_EQUAL(shown, "\r\n");
}

UNIT_SUITE(prompt, { "only y and Y are yes", test_only_y_is_yes },
	   { "a signal ends input without an end", test_a_signal_ends_the_wait_for_an_end },
	   { "a line, up to a bound", test_lines }, { "a secret is not shown", test_secrets },
	   { "a signal gives the echo back", test_a_signal_gives_the_echo_back });
