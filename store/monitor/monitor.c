/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/pages.h"
#include "store.h"

#define LOCK_WAIT_MS 1000 /* `pool status` holds the lock for a moment to see whether we have it */
#define PAUSE_MS     100  /* from one look to the next, when events come in crowds */

struct monitor {
	const struct monitor_options *options;
	struct monitor_memory *memory; /* shared with the looks */
	struct root root;
	int lock_fd;
	int events_fd;
	int64_t looked_ms;
};

static void monitor_done(struct monitor *monitor)
{
	if (monitor->memory)
		munmap(monitor->memory, sizeof(*monitor->memory));
	if (monitor->events_fd >= 0)
		close(monitor->events_fd);
	if (monitor->lock_fd >= 0)
		close(monitor->lock_fd);
	root_done(&monitor->root);
}
#define auto_monitor __attribute__((cleanup(monitor_done)))

static void report(const char *text)
{
	const struct strlist none = { 0 };

	journal_send(JOURNAL_WARNING, text, &none);
}

/* The process of one look. */
static _Noreturn void look(struct monitor *monitor)
{
	struct error err;
	int status = 0;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (look_once(monitor->options, monitor->memory, &err) < 0) {
		if (err.kind != ERR_CANCELLED)
			report(err.text);
		status = 1;
	}
	fflush(NULL);
	_exit(status);
}

/* Waits for it; a signal that is meant for us ends it first. */
static void await(pid_t child)
{
	auto_free char *text = NULL;
	bool told = false;
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return;
		if (cancel_signal() && !told)
			kill(child, SIGTERM);
		told = cancel_signal() != 0;
	}
	if (!WIFSIGNALED(status) || told)
		return;
	text = xasprintf("a look at the pool was ended by signal %d", WTERMSIG(status));
	report(text);
}

static int look_apart(struct monitor *monitor, struct error *err)
{
	pid_t child;

	/* First, so that what happens during the look is not missed. */
	if (volume_events_arm(monitor->events_fd, err) < 0)
		return -1;
	fflush(NULL);
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "start a look at the pool");
	if (child == 0)
		look(monitor);
	await(child);
	monitor->looked_ms = clock_ms();
	return 0;
}

/* With the signals blocked that ppoll(2) lets through. Returns 1 on an event, 0 on a signal, or -1. */
static int wait_event(struct monitor *monitor, const sigset_t *open, struct error *err)
{
	const int64_t watchdog_ms = notify_watchdog_ms();
	const struct timespec tick = {
		.tv_sec = watchdog_ms / 1000,
		.tv_nsec = watchdog_ms % 1000 * 1000000,
	};

	while (!cancel_signal()) {
		struct pollfd poll_fd = { .fd = monitor->events_fd, .events = POLLIN };
		int nr = ppoll(&poll_fd, 1, watchdog_ms ? &tick : NULL, open);

		if (nr < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for device-mapper events");
		if (watchdog_ms && nr >= 0)
			notify_send("WATCHDOG=1");
		if (nr > 0)
			return 1;
	}
	return 0;
}

/* Events that come in a crowd are looked at together. */
static void pause_after_look(const struct monitor *monitor, const sigset_t *open)
{
	int64_t left_ms = monitor->looked_ms + PAUSE_MS - clock_ms();
	const struct timespec pause = { .tv_nsec = left_ms * 1000000 };

	if (left_ms > 0 && !cancel_signal())
		ppoll(NULL, 0, &pause, open);
}

static int watch(struct monitor *monitor, struct error *err)
{
	sigset_t ours, before;
	int got = 1;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	while (got > 0) {
		if (look_apart(monitor, err) < 0)
			return -1;
		notify_send("READY=1");
		/* From the question whether one came until ppoll(2). */
		sigprocmask(SIG_BLOCK, &ours, &before);
		got = wait_event(monitor, &before, err);
		if (got > 0)
			pause_after_look(monitor, &before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		if (cancel_signal())
			got = got < 0 ? -1 : 0;
	}
	notify_send("STOPPING=1");
	return got;
}

static int begin(struct monitor *monitor, struct error *err)
{
	monitor->events_fd = volume_events_open(err);
	if (monitor->events_fd < 0 ||
	    root_open(monitor->options->store->root, &monitor->root, err) < 0)
		return -1;
	monitor->lock_fd = root_lock_file(&monitor->root, MONITOR_LOCK_NAME, LOCK_WAIT_MS, err);
	if (monitor->lock_fd < 0 && err->kind == ERR_IN_USE)
		return err_set(err, ERR_IN_USE,
			       "a monitor runs for the store '%s' already: 'veneer pool status' "
			       "shows its process",
			       monitor->root.path);
	if (monitor->lock_fd < 0)
		return -1;
	monitor->memory = mmap(NULL, sizeof(*monitor->memory), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (monitor->memory == MAP_FAILED) {
		monitor->memory = NULL;
		return err_sys(err, errno, "get memory");
	}
	monitor_state_read(monitor->root.fd, &monitor->memory->state);
	monitor->memory->state.pid = getpid();
	monitor->memory->state.problem[0] = '\0';
	return monitor_state_write(monitor->root.fd, &monitor->memory->state, err);
}

int monitor_run(const struct monitor_options *options, struct error *err)
{
	auto_monitor struct monitor monitor = {
		.options = options,
		.root = { .fd = -1, .lock_fd = -1 },
		.lock_fd = -1,
		.events_fd = -1,
	};

	if (begin(&monitor, err) < 0)
		return -1;
	pages_give_back();
	return watch(&monitor, err);
}
