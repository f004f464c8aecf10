/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#define CHUNK_BYTES (32 * 1024)
#define KILL_AFTER  3 /* interrupts */

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT };

static int signal_fd = -1;

struct state {
	struct pump *pump;
	bool ended;
	int status;
	int nr_interrupts;
	int lost;	    /* errno: nothing is passed on any more */
	int64_t kill_at_ms; /* 0: not at all */
	bool raw;
	struct termios before;
	struct buf input; /* read, and not yet taken */
};

int pump_catch_signals(struct error *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGWINCH);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(&mask, passed_on[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal_fd = signalfd(signal_fd, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_fd < 0 ? err_sys(err, errno, "catch signals") : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void copy_size(const struct pump *pump)
{
	struct winsize size;

	if (pump->master_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(pump->master_fd, TIOCSWINSZ, &size);
}

static void make_raw(struct state *state)
{
	struct termios raw;

	if (state->pump->master_fd < 0 || !state->pump->take_input ||
	    tcgetattr(STDIN_FILENO, &state->before) < 0)
		return;
	raw = state->before;
	cfmakeraw(&raw);
	state->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* Leaves it as one that has ended. */
static void look_for_end(struct state *state)
{
	siginfo_t info = { 0 };

	if (state->ended ||
	    waitid(P_PID, (id_t)state->pump->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid != state->pump->pid)
		return;
	state->ended = true;
	state->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Children that were given to us; the container's own is waited for last. */
static void reap_others(const struct pump *pump)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid &&
	       info.si_pid != pump->pid) {
		waitpid(info.si_pid, NULL, WNOHANG);
		info.si_pid = 0;
	}
}

static void hear_signals(struct state *state)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD)
			continue;
		if (number == SIGWINCH) {
			copy_size(state->pump);
			continue;
		}
		if (number == SIGINT || number == SIGTERM)
			state->nr_interrupts++;
		kill(state->pump->pid, state->nr_interrupts >= KILL_AFTER ? SIGKILL : number);
	}
	look_for_end(state);
	if (!state->ended)
		reap_others(state->pump);
}

/* A first process may ignore its stop signal, and most do not heed a broken pipe as others do. */
static void stop_unread(struct state *state, int why)
{
	state->lost = why;
	state->kill_at_ms = clock_ms() + state->pump->stop_ms;
	kill(state->pump->pid, state->pump->stop_signal);
}

static void kill_late(struct state *state)
{
	if (state->ended || !state->kill_at_ms || clock_ms() < state->kill_at_ms)
		return;
	state->kill_at_ms = 0;
	kill(state->pump->pid, SIGKILL);
}

static int pass_output(struct state *state, int *fd, int to_fd, enum log_stream stream,
		       struct error *err)
{
	char chunk[CHUNK_BYTES];
	ssize_t got = read(*fd, chunk, sizeof(chunk));
	struct error lost;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got <= 0) { /* a terminal without anybody at the other end says EIO */
		close_fd(fd);
		return 0;
	}
	if (state->pump->log &&
	    logfile_write(state->pump->log, stream, chunk, (size_t)got, err) < 0)
		return -1;
	if (!state->lost && io_write(to_fd, chunk, (size_t)got, &lost) < 0) {
		close_fd(fd);
		stop_unread(state, lost.sys_errno);
	}
	return 0;
}

static void end_input(struct state *state)
{
	struct pump *pump = state->pump;

	pump->take_input = false;
	if (!state->input.len)
		close_fd(&pump->input_fd);
}

static void read_input(struct state *state)
{
	char chunk[CHUNK_BYTES];
	ssize_t got = read(STDIN_FILENO, chunk, sizeof(chunk));

	if (got > 0)
		buf_append(&state->input, chunk, (size_t)got);
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		end_input(state);
}

static void write_input(struct state *state)
{
	struct pump *pump = state->pump;
	int *fd = pump->master_fd >= 0 ? &pump->master_fd : &pump->input_fd;
	ssize_t put = write(*fd, state->input.data, state->input.len);

	if (put < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (put < 0) { /* nobody reads it any more */
		buf_reset(&state->input);
		pump->take_input = false;
		if (fd == &pump->input_fd)
			close_fd(fd);
		return;
	}
	memmove(state->input.data, state->input.data + put, state->input.len - (size_t)put);
	state->input.len -= (size_t)put;
	if (!state->input.len && !pump->take_input)
		close_fd(&pump->input_fd);
}

static int serve(struct state *state, struct error *err)
{
	struct pump *pump = state->pump;
	int *sink = pump->master_fd >= 0 ? &pump->master_fd : &pump->input_fd;
	struct pollfd waits[6] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = pump->output_fds[0], .events = POLLIN },
		{ .fd = pump->output_fds[1], .events = POLLIN },
		{ .fd = pump->master_fd, .events = POLLIN },
		{ .fd = pump->take_input && !state->input.len ? STDIN_FILENO : -1,
		  .events = POLLIN },
		{ .fd = state->input.len ? *sink : -1, .events = POLLOUT },
	};

	poll(waits, sizeof(waits) / sizeof(*waits), 1000);
	if (waits[0].revents)
		hear_signals(state);
	look_for_end(state);
	kill_late(state);
	for (int i = 0; i < 2; i++)
		if (waits[1 + i].revents &&
		    pass_output(state, &pump->output_fds[i], i ? STDERR_FILENO : STDOUT_FILENO,
				(enum log_stream)i, err) < 0)
			return -1;
	if (waits[3].revents &&
	    pass_output(state, &pump->master_fd, STDOUT_FILENO, LOG_STDOUT, err) < 0)
		return -1;
	if (waits[4].revents)
		read_input(state);
	if (waits[5].revents && *sink >= 0 && state->input.len)
		write_input(state);
	return 0;
}

int pump_run(struct pump *pump, int *ret_status, int *ret_lost, struct error *err)
{
	struct state state = { .pump = pump };
	int result = 0;

	copy_size(pump);
	make_raw(&state);
	if (pump->input_fd >= 0)
		fcntl(pump->input_fd, F_SETFL, O_NONBLOCK);
	while (result == 0 && (!state.ended || pump->output_fds[0] >= 0 ||
			       pump->output_fds[1] >= 0 || pump->master_fd >= 0))
		result = serve(&state, err);
	if (state.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &state.before);
	close_fd(&pump->input_fd);
	close_fd(&pump->master_fd);
	close_fd(&pump->output_fds[0]);
	close_fd(&pump->output_fds[1]);
	buf_done(&state.input);
	*ret_status = state.status;
	*ret_lost = state.lost;
	return result;
}
