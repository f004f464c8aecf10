/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd is a datagram socket here. The monitor runs in a process of its own, with a pipe where
 * device-mapper's events come from, and with looks that do nothing.
 */
#include "base/notify.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "db/recover_container.h"
#include "monitor/monitor.h"
#include "store.h"
#include "unit.h"

#define DEADLINE_S 20

int __wrap_volume_events_open(struct error *err);
int __wrap_volume_events_arm(int fd, struct error *err);
int __wrap_look_once(const struct monitor_options *options, struct monitor_memory *memory,
		     struct error *err);

static int events[2]; /* a byte is an event */

int __wrap_volume_events_open(struct error *err)
{
	(void)err;
	return dup(events[0]);
}

int __wrap_volume_events_arm(int fd, struct error *err)
{
	char byte;

	(void)err;
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN ? -1 : 0;
}

int __wrap_look_once(const struct monitor_options *options, struct monitor_memory *memory,
		     struct error *err)
{
	(void)options;
	(void)memory;
	(void)err;
	return 0;
}

static char folder[64], name[108];

/* "@": an abstract name */
static int listen_at(const char *prefix)
{
	const struct timeval deadline = { .tv_sec = DEADLINE_S };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof(name), "%s%s/socket", prefix, folder);
	memcpy(at.sun_path, name, strlen(name));
	if (*name == '@')
		at.sun_path[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(
		bind(fd, (const struct sockaddr *)&at,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/veneer-unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void tear_down(void)
{
	struct error err;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	CU_ASSERT_EQUAL(recover_remove_tree(folder, &err), 0);
}

/* The next datagram is this one. */
static bool is_told(int fd, const char *state)
{
	char got[256] = "";

	return recv(fd, got, sizeof(got) - 1, 0) > 0 && strcmp(got, state) == 0;
}

static bool is_silent(int fd)
{
	char got[256];

	return recv(fd, got, sizeof(got), MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void test_a_socket_with_a_path_is_told(void)
{
	set_up();
	auto_fd int fd = listen_at("");

	notify_send("READY=1");
	notify_send("STATUS=two\nlines");
	CU_ASSERT_TRUE(is_told(fd, "READY=1"));
	CU_ASSERT_TRUE(is_told(fd, "STATUS=two\nlines"));
	CU_ASSERT_TRUE(is_silent(fd));
	tear_down();
}

static void test_an_abstract_socket_is_told(void)
{
	set_up();
	auto_fd int fd = listen_at("@");

	notify_send("STOPPING=1");
	CU_ASSERT_TRUE(is_told(fd, "STOPPING=1"));
	CU_ASSERT_TRUE(is_silent(fd));
	tear_down();
}

static void test_who_did_not_ask_is_not_told(void)
{
	char longer[200];

	set_up();
	auto_fd int fd = listen_at("");

	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "socket", 1); /* neither a path nor abstract */
	notify_send("READY=1");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "/nobody/listens", 1);
	notify_send("READY=1");
	CU_ASSERT_TRUE(is_silent(fd));
	tear_down();
}

static void test_the_watchdog_is_fed_twice_as_often_as_it_asks(void)
{
	char pid[32];

	set_up();
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "600000000", 1);
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 300000);
	setenv("WATCHDOG_USEC", "1", 1);
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 1);
	setenv("WATCHDOG_USEC", "10000", 1);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 5);
	setenv("WATCHDOG_PID", "1", 1);
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "-7", 1);
	CU_ASSERT_EQUAL(notify_watchdog_ms(), 0);
	tear_down();
}

/* Its exit status says whether SIGTERM was taken for what it is. */
static pid_t start_monitor(void)
{
	const struct store_options store = { .root = folder };
	const struct monitor_options options = { .store = &store };
	struct error err;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, events), 0);
	fflush(NULL);
	child = fork();
	CU_ASSERT_TRUE_FATAL(child >= 0); /* a signal to -1 is one to everybody */
	if (child != 0)
		return child;
	alarm(2 * DEADLINE_S);
	cancel_catch_signals();
	_exit(monitor_run(&options, &err) < 0 ? 1 : 0);
}

static int end_of(pid_t child)
{
	int status;

	kill(child, SIGTERM);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	close(events[0]);
	close(events[1]);
	return WEXITSTATUS(status);
}

static void test_the_monitor_tells_how_it_fares(void)
{
	char left[64];
	pid_t child;

	set_up();
	auto_fd int fd = listen_at("");

	child = start_monitor();
	CU_ASSERT_TRUE(is_told(fd, "READY=1"));
	CU_ASSERT_EQUAL(write(events[1], "", 1), 1);
	CU_ASSERT_TRUE(is_told(fd, "READY=1"));
	CU_ASSERT_EQUAL(end_of(child), 0);
	CU_ASSERT_TRUE(is_told(fd, "STOPPING=1"));
	CU_ASSERT_EQUAL(recv(fd, left, sizeof(left), MSG_DONTWAIT), -1);
	tear_down();
}

static void test_the_monitor_feeds_the_watchdog(void)
{
	pid_t child;

	set_up();
	auto_fd int fd = listen_at("");

	setenv("WATCHDOG_USEC", "20000", 1);
	child = start_monitor();
	CU_ASSERT_TRUE(is_told(fd, "READY=1"));
	CU_ASSERT_TRUE(is_told(fd, "WATCHDOG=1"));
	CU_ASSERT_TRUE(is_told(fd, "WATCHDOG=1"));
	CU_ASSERT_EQUAL(end_of(child), 0);
	tear_down();
}

UNIT_SUITE(notify, { "a socket with a path is told", test_a_socket_with_a_path_is_told },
	   { "an abstract socket is told", test_an_abstract_socket_is_told },
	   { "who did not ask is not told", test_who_did_not_ask_is_not_told },
	   { "the watchdog is fed twice as often as it asks",
	     test_the_watchdog_is_fed_twice_as_often_as_it_asks },
	   { "the monitor tells how it fares", test_the_monitor_tells_how_it_fares },
	   { "the monitor feeds the watchdog", test_the_monitor_feeds_the_watchdog });
