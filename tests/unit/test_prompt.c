/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
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

UNIT_SUITE(prompt, { "only y and Y are yes", test_only_y_is_yes },
	   { "a signal ends input without an end", test_a_signal_ends_the_wait_for_an_end });
