/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "appliance/channel.h"
#include "appliance/job.h"
#include "appliance/kmods.h"
#include "appliance/system.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define LINE	  "/dev/ttyS0"
#define LINE_KEY  "VENEER_LINE"
#define LONELY_MS 5000 /* between the key of a launcher, or of the supervisor, and a greeting */

struct guest {
	struct channel channel;
	int signal_fd;
	struct job *job; /* or NULL */
	bool set_up;
	char *root; /* NULL until it is mounted */
	struct strlist disks;
	size_t told;		 /* bytes of the line that the launcher knows to be heard */
	int64_t lonely_since_ms; /* 0: somebody is there, or nobody is expected */
};

static int open_line(struct guest *guest)
{
	const char *hex = getenv(LINE_KEY);
	struct termios termios;
	struct frame_key key;
	int fd = open(LINE, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || tcgetattr(fd, &termios) < 0) {
		dprintf(STDERR_FILENO, "open " LINE ": %s\n", strerror(errno));
		return -1;
	}
	if (!hex || !frame_key_from_hex(hex, &key)) {
		dprintf(STDERR_FILENO, "no " LINE_KEY " on the kernel's command line\n");
		return -1;
	}
	cfmakeraw(&termios);
	tcsetattr(fd, TCSANOW, &termios);
	channel_init(&guest->channel, fd, &key);
	/*
	 * The line's driver learns of bytes by a signal when they arrive. Those
	 * that came before it was open lie there unseen until the next come: ask
	 * for these.
	 */
	channel_put_key(&guest->channel);
	channel_put(&guest->channel, CHANNEL_HERE, NULL, 0);
	return 0;
}

/* Until the launcher has it all: the line's driver has a buffer too. */
static void flush_line(struct guest *guest)
{
	struct pollfd wait = { .fd = guest->channel.fd, .events = POLLOUT };
	struct error err;

	while (channel_flush(&guest->channel, &err) == 0 && channel_pending(&guest->channel))
		poll(&wait, 1, -1);
	tcdrain(guest->channel.fd);
}

static _Noreturn void end(struct guest *guest, bool force)
{
	flush_line(guest);
	system_end(guest->root, force);
}

/* The supervisor is dead, and with it everybody who could want anything. */
static _Noreturn void hang_up(struct guest *guest)
{
	dprintf(STDERR_FILENO, "the line is closed\n");
	system_end(guest->root, true);
}

static void answer_hello(struct guest *guest, const struct frame *frame)
{
	uint64_t numbers[2] = { CHANNEL_VERSION, system_count_attached() };
	uint8_t ready[CHANNEL_NONCE_BYTES + sizeof(numbers)];

	if (frame->len < CHANNEL_NONCE_BYTES)
		return;
	memcpy(ready, frame->data, CHANNEL_NONCE_BYTES);
	memcpy(ready + CHANNEL_NONCE_BYTES, numbers, sizeof(numbers));
	channel_put_key(&guest->channel);
	channel_put(&guest->channel, CHANNEL_READY, ready, sizeof(ready));
	guest->lonely_since_ms = 0;
}

/*
 * Whether the guest waits for the next command. With a broken store that could
 * do nothing: the next kernel reads the disk anew, and its journal.
 */
static bool stays(const struct guest *guest)
{
	if (guest->root && system_is_broken(guest->root))
		return false;
	return system_count_attached() > 0;
}

static void tell_failure(struct guest *guest, const struct error *failure)
{
	auto_buf struct buf text = { 0 };
	uint64_t numbers[2] = { failure->kind, stays(guest) };

	buf_append(&text, numbers, sizeof(numbers));
	buf_puts(&text, failure->text);
	channel_put(&guest->channel, CHANNEL_FAILED, text.data, text.len);
	if (!numbers[1])
		end(guest, true);
}

static void start_job(struct guest *guest, const struct frame *frame)
{
	struct channel_start start;
	struct error err;
	int result = channel_start_decode(frame, &start, &err);

	if (result == 0)
		system_set_time(start.time);
	if (result == 0 && !guest->set_up) {
		result = system_set_up(&start, &err);
		guest->set_up = result == 0;
		if (guest->set_up) {
			guest->root = xstrdup(start.root);
			for (size_t i = 0; i < start.disks.nr; i++)
				strlist_add(&guest->disks, start.disks.items[i]);
		}
	}
	if (result == 0) {
		system_show(start.cwd);
		result = job_start(&start, &guest->channel, &guest->job, &err);
	}
	if (result < 0)
		tell_failure(guest, &err);
	channel_start_done(&start);
}

/* Returns whether the guest stays. */
static bool tell_exit(struct guest *guest, struct channel_exit *last)
{
	auto_buf struct buf text = { 0 };
	bool staying = stays(guest);

	last->stays = staying;
	system_used_disks(&guest->disks, &last->disks);
	channel_exit_encode(last, &text);
	channel_put(&guest->channel, CHANNEL_EXIT, text.data, text.len);
	channel_exit_done(last);
	return staying;
}

static void stop(struct guest *guest, const struct frame *frame)
{
	struct channel_exit last = { 0 };
	auto_buf struct buf text = { 0 };
	uint64_t force = 0;

	channel_numbers(frame, &force, 1);
	last.stays = !force && system_count_attached() > 0;
	channel_exit_encode(&last, &text);
	channel_put(&guest->channel, CHANNEL_EXIT, text.data, text.len);
	if (!last.stays)
		end(guest, true);
}

static void hear_frame(struct guest *guest, const struct frame *frame)
{
	if (frame->type == CHANNEL_HELLO)
		answer_hello(guest, frame);
	else if (frame->type == CHANNEL_ASK)
		channel_put(&guest->channel, CHANNEL_HERE, NULL, 0);
	else if (guest->job)
		job_hear(guest->job, frame);
	else if (frame->type == CHANNEL_START)
		start_job(guest, frame);
	else if (frame->type == CHANNEL_STOP)
		stop(guest, frame);
}

/* Somebody begins anew: what its predecessor had running has nobody to listen to it. */
static void hear_key(struct guest *guest)
{
	if (guest->job) {
		job_kill(guest->job);
		job_free(guest->job);
		guest->job = NULL;
	}
	/* Also a frame that is half gone: the next waits for the key. */
	guest->channel.sent = 0;
	buf_reset(&guest->channel.out);
	guest->lonely_since_ms = clock_ms();
}

static void tell_heard(struct guest *guest)
{
	uint64_t bytes = guest->channel.received - guest->told;

	if (bytes < CHANNEL_HEARD_BYTES)
		return;
	channel_put_numbers(&guest->channel, CHANNEL_HEARD, &bytes, 1);
	guest->told = guest->channel.received;
}

static void hear_line(struct guest *guest)
{
	enum frame_event event;
	struct frame frame;
	struct error err;

	if (channel_fill(&guest->channel, &err) < 1)
		hang_up(guest);
	while ((event = frame_reader_next(&guest->channel.reader, &frame)) != FRAME_NONE) {
		if (event == FRAME_KEY)
			hear_key(guest);
		else
			hear_frame(guest, &frame);
	}
	tell_heard(guest); /* last: a key drops what was to be said */
}

static void reap(struct guest *guest)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(guest->signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (guest->job && pid == job_pid(guest->job))
			job_note_end(guest->job, status);
}

static void check_end(struct guest *guest)
{
	struct channel_exit last = { 0 };

	if (guest->job && job_is_over(guest->job, &last)) {
		job_free(guest->job);
		guest->job = NULL;
		if (!tell_exit(guest, &last))
			end(guest, true);
	}
	if (guest->lonely_since_ms && clock_ms() - guest->lonely_since_ms > LONELY_MS) {
		guest->lonely_since_ms = 0;
		if (!stays(guest))
			end(guest, true);
	}
}

static void serve(struct guest *guest)
{
	struct pollfd waits[2 + JOB_WAITS];
	const struct job *served = guest->job;
	struct error err;

	for (size_t i = 0; i < 2 + JOB_WAITS; i++)
		waits[i] = (struct pollfd){ .fd = -1 };
	if (channel_flush(&guest->channel, &err) < 0)
		hang_up(guest);
	waits[0] = (struct pollfd){ .fd = guest->channel.fd, .events = POLLIN };
	if (channel_pending(&guest->channel))
		waits[0].events |= POLLOUT;
	waits[1] = (struct pollfd){ .fd = guest->signal_fd, .events = POLLIN };
	if (guest->job)
		job_prepare(guest->job, waits + 2);
	poll(waits, 2 + JOB_WAITS, guest->lonely_since_ms ? LONELY_MS : -1);
	if (waits[1].revents)
		reap(guest);
	if (waits[0].revents & ~POLLOUT)
		hear_line(guest);
	/* After the line: room for the last output of a command may just have come. */
	if (guest->job && guest->job == served)
		job_serve(guest->job, waits + 2);
	check_end(guest);
}

static _Noreturn void run_guest(void)
{
	struct guest guest = { .signal_fd = -1 };
	sigset_t mask;

	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	system_begin();
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	guest.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (guest.signal_fd < 0 || open_line(&guest) < 0)
		system_end(NULL, false);
	unsetenv(LINE_KEY);
	for (;;)
		serve(&guest);
}

/* modprobe -q -- NAME */
static int run_modprobe(int argc, char **argv)
{
	const char *const names[] = { argv[argc - 1], NULL };
	struct error err;

	return kmods_load(SYSTEM_MODULES, names, &err) < 0;
}

int appliance_early(int argc, char **argv)
{
	if (argc >= 2 && getpid() == 1 && strcmp(argv[1], "--appliance-guest") == 0)
		run_guest();
	if (argc >= 2 && strcmp(argv[0], SYSTEM_MODPROBE) == 0)
		return run_modprobe(argc, argv);
	return -1;
}
