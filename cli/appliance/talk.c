/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#define GREET_MS      60000 /* for the start of a kernel, or for the end of a dead launcher's command */
#define SILENCE_MS    15000	 /* then the guest is asked whether it is there */
#define ANSWER_MS     120000	 /* a stalled disk of the host may stop it as a whole for a while */
#define CHUNK_BYTES   (4u << 20) /* of input in one file */
#define INLINE_BYTES  4096u	 /* of input in a frame */
#define WINDOW_FIRST  (64u << 10) /* input taken from the caller before the command reads any */
#define WINDOW_OPEN   (16u << 20) /* once it reads */
#define WRITE_STEP    4096u	  /* a pipe that poll() calls writable takes this much */
#define TELL_BYTES    (32u << 10)
#define PIPE_BYTES    (1 << 20)
#define PENDING_BYTES (1u << 20)

void talk_init(struct talk *talk, const struct place *place, int line_fd,
	       const struct frame_key *key, int conn_fd, int signal_fd)
{
	*talk = (struct talk){ .place = place, .conn_fd = conn_fd, .signal_fd = signal_fd };
	talk->terminal.fd = -1;
	channel_init(&talk->channel, line_fd, key);
	talk->channel.window = CHANNEL_LINE_BYTES;
	for (int i = 0; i < 2; i++) {
		struct stat st;

		talk->outputs[i].fd = STDOUT_FILENO + i;
		talk->outputs[i].regular =
			fstat(talk->outputs[i].fd, &st) == 0 && S_ISREG(st.st_mode);
	}
}

void talk_done(struct talk *talk)
{
	terminal_restore(&talk->terminal);
	channel_done(&talk->channel);
	buf_done(&talk->outputs[0].queue);
	buf_done(&talk->outputs[1].queue);
	free(talk->input.chunk);
	channel_exit_done(&talk->end);
}

static size_t queued(const struct talk_output *output)
{
	return output->queue.len - output->written;
}

static void tell_taken(struct talk *talk, int index)
{
	struct talk_output *output = &talk->outputs[index];
	uint64_t bytes = output->untold;

	channel_put_numbers(&talk->channel,
			    index == 0 ? CHANNEL_OUTPUT_TAKEN : CHANNEL_ERRORS_TAKEN, &bytes, 1);
	output->untold = 0;
}

static void close_output(struct talk *talk, int index, int failed)
{
	struct talk_output *output = &talk->outputs[index];

	if (failed != EPIPE && !talk->failed) {
		talk->failed = true;
		err_sys(&talk->failure, failed, "write to standard %s",
			index == 0 ? "output" : "error");
	}
	output->closed = true;
	output->untold += queued(output);
	buf_reset(&output->queue);
	output->written = 0;
	tell_taken(talk, index);
	channel_put(&talk->channel, index == 0 ? CHANNEL_OUTPUT_CLOSED : CHANNEL_ERRORS_CLOSED,
		    NULL, 0);
}

static void write_output(struct talk *talk, int index)
{
	struct talk_output *output = &talk->outputs[index];
	size_t len = queued(output);
	ssize_t put;

	if (!output->regular && len > WRITE_STEP)
		len = WRITE_STEP;
	put = write(output->fd, output->queue.data + output->written, len);
	if (put < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (put < 0) {
		close_output(talk, index, errno);
		return;
	}
	output->written += (size_t)put;
	output->untold += (size_t)put;
	if (queued(output) == 0) {
		buf_reset(&output->queue);
		output->written = 0;
	}
	if (queued(output) == 0 || output->untold >= TELL_BYTES)
		tell_taken(talk, index);
}

static void take_output(struct talk *talk, int index, const struct frame *frame)
{
	struct talk_output *output = &talk->outputs[index];

	if (output->closed)
		return;
	if (output->written > PENDING_BYTES) {
		output->queue.len -= output->written;
		memmove(output->queue.data, output->queue.data + output->written,
			output->queue.len);
		output->written = 0;
	}
	buf_append(&output->queue, frame->data, frame->len);
}

static void hear_failure(struct talk *talk, const struct frame *frame)
{
	uint64_t numbers[2];

	if (!channel_numbers(frame, numbers, 2))
		return;
	talk->failed = true;
	err_set(&talk->failure, (enum err_kind)numbers[0], "%.*s",
		(int)(frame->len - sizeof(numbers)), (const char *)frame->data + sizeof(numbers));
	talk->end.stays = numbers[1];
	talk->ended = true;
}

static void put_greeting(struct talk *talk)
{
	uint8_t hello[CHANNEL_NONCE_BYTES + sizeof(uint64_t)];
	uint64_t version = CHANNEL_VERSION;

	memcpy(hello, talk->nonce, sizeof(talk->nonce));
	memcpy(hello + sizeof(talk->nonce), &version, sizeof(version));
	channel_put_key(&talk->channel);
	channel_put(&talk->channel, CHANNEL_HELLO, hello, sizeof(hello));
}

static int hear_ready(struct talk *talk, const struct frame *frame, struct error *err)
{
	uint64_t numbers[2];

	if (frame->type == CHANNEL_HERE)
		put_greeting(talk); /* it has just opened the line */
	if (frame->type != CHANNEL_READY || frame->len != CHANNEL_NONCE_BYTES + sizeof(numbers) ||
	    memcmp(frame->data, talk->nonce, CHANNEL_NONCE_BYTES) != 0)
		return 0; /* meant for one who is dead */
	memcpy(numbers, frame->data + CHANNEL_NONCE_BYTES, sizeof(numbers));
	if (numbers[0] != CHANNEL_VERSION)
		return err_set(err, ERR_IN_USE,
			       "the running appliance was started by another version of veneer; "
			       "unmount and detach with that, or end it ('veneer appliance stop')");
	talk->nr_attached = numbers[1];
	talk->channel.unheard = 0; /* it has read our greeting, and all before it */
	talk->ready = true;
	return 0;
}

static int hear_frame(struct talk *talk, const struct frame *frame, struct error *err)
{
	uint64_t bytes;

	if (!talk->ready)
		return hear_ready(talk, frame, err);
	switch (frame->type) {
	case CHANNEL_OUTPUT:
		take_output(talk, 0, frame);
		break;
	case CHANNEL_ERRORS:
		take_output(talk, 1, frame);
		break;
	case CHANNEL_INPUT_TAKEN:
		if (channel_numbers(frame, &bytes, 1))
			talk->input.taken_bytes += bytes;
		break;
	case CHANNEL_HEARD:
		if (channel_numbers(frame, &bytes, 1))
			channel_note_heard(&talk->channel, bytes);
		break;
	case CHANNEL_INPUT_CLOSED:
		talk->input.open = false;
		break;
	case CHANNEL_EXIT:
		channel_exit_done(&talk->end);
		if (channel_exit_decode(frame, &talk->end, err) < 0)
			return -1;
		talk->ended = true;
		break;
	case CHANNEL_FAILED:
		hear_failure(talk, frame);
		break;
	default:
		break;
	}
	return 0;
}

static int hear_line(struct talk *talk, struct error *err)
{
	int open = channel_fill(&talk->channel, err);
	enum frame_event event;
	struct frame frame;

	if (open < 0)
		return -1;
	talk->asked_ms = 0;
	while ((event = frame_reader_next(&talk->channel.reader, &frame)) != FRAME_NONE) {
		/* The first words of a guest; its answer to ASK comes without the key. */
		if (talk->ready && talk->heard_key && event == FRAME_WHOLE &&
		    frame.type == CHANNEL_HERE)
			return err_set(err, ERR_IO, "the appliance's kernel was started again");
		talk->heard_key = event == FRAME_KEY;
		if (event == FRAME_WHOLE && hear_frame(talk, &frame, err) < 0)
			return -1;
	}
	talk->hung_up = open == 0;
	return 0;
}

static void tell_size(struct talk *talk)
{
	uint64_t size[2];

	terminal_size(&size[0], &size[1]);
	channel_put_numbers(&talk->channel, CHANNEL_SIZE, size, 2);
}

static int hear_signal(struct talk *talk, struct error *err)
{
	struct signalfd_siginfo info;
	uint64_t numbers[2];

	if (read(talk->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGCONT && talk->input.raw)
		terminal_raw(&talk->terminal); /* a shell may have changed it meanwhile */
	if (info.ssi_signo == SIGCONT || info.ssi_signo == SIGWINCH) {
		if (talk->started)
			tell_size(talk);
		return 0;
	}
	if (!talk->started) {
		talk->caught = (int)info.ssi_signo;
		return err_set(err, ERR_CANCELLED, "stopped by signal %d (%s)", talk->caught,
			       strsignal(talk->caught));
	}
	if (talk->ended) { /* only somebody who does not read keeps us */
		close_output(talk, 0, EPIPE);
		close_output(talk, 1, EPIPE);
		return 0;
	}
	numbers[0] = info.ssi_signo;
	numbers[1] = info.ssi_code == SI_KERNEL; /* a key: meant for the whole job */
	channel_put_numbers(&talk->channel, CHANNEL_SIGNAL, numbers, 2);
	return 0;
}

static uint64_t input_room(const struct talk *talk)
{
	const struct talk_input *input = &talk->input;
	uint64_t window = input->taken_bytes && !input->terminal ? WINDOW_OPEN : WINDOW_FIRST;
	uint64_t under_way = input->sent_bytes - input->taken_bytes;

	if (!input->open || talk->ended || channel_pending(&talk->channel) > PENDING_BYTES)
		return 0;
	return under_way < window ? window - under_way : 0;
}

/* Reads as long as there is something at once. Returns the bytes; fewer at the end. */
static size_t gather_input(struct talk_input *input, size_t max)
{
	struct pollfd wait = { .fd = STDIN_FILENO, .events = POLLIN };
	size_t len = 0;

	while (len < max && (len == 0 || poll(&wait, 1, 0) > 0)) {
		ssize_t got = read(STDIN_FILENO, input->chunk + len, max - len);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		if (got <= 0) {
			input->open = false;
			break;
		}
		len += (size_t)got;
		if (input->terminal)
			break; /* an empty line's end of file is not the end of the terminal */
	}
	return len;
}

static int send_file(struct talk *talk, size_t len, struct error *err)
{
	uint64_t number = talk->input.nr_files++;
	auto_free char *name = xasprintf("in-%ju", (uintmax_t)number);
	auto_fd int fd = openat(talk->place->run_fd, name,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || io_write(fd, talk->input.chunk, len, err) < 0) {
		if (fd < 0)
			err_sys(err, errno, "make '%s'", name);
		return err_add(err, "hand standard input to the appliance");
	}
	channel_put_numbers(&talk->channel, CHANNEL_INPUT_FILE, &number, 1);
	return 0;
}

static int read_input(struct talk *talk, struct error *err)
{
	struct talk_input *input = &talk->input;
	uint64_t room = input_room(talk);
	size_t max = room < CHUNK_BYTES ? (size_t)room : CHUNK_BYTES, len;

	if (!input->chunk)
		input->chunk = xmalloc(CHUNK_BYTES);
	if (input->terminal)
		max = INLINE_BYTES;
	len = gather_input(input, max);
	input->sent_bytes += len;
	if (len && len <= INLINE_BYTES)
		channel_put(&talk->channel, CHANNEL_INPUT, input->chunk, len);
	else if (len && send_file(talk, len, err) < 0)
		return -1;
	if (!input->open)
		channel_put(&talk->channel, CHANNEL_INPUT_END, NULL, 0);
	return 0;
}

static int gone(struct talk *talk, struct error *err)
{
	struct pollfd wait = { .fd = talk->channel.fd, .events = POLLIN };

	while (!talk->hung_up && poll(&wait, 1, 0) > 0) /* what it said before its end */
		if (hear_line(talk, err) < 0)
			return -1;
	talk->gone = true;
	if (talk->ended)
		return 0;
	err_set(err, ERR_IO, "the appliance's kernel ended unexpectedly");
	return place_add_console(talk->place, err);
}

/* How long to wait for the guest; asks it for a sign of life when it is silent. */
static int check_silence(struct talk *talk, bool silent, struct error *err)
{
	if (!silent || !talk->ready || talk->ended)
		return 0;
	if (!talk->asked_ms) {
		talk->asked_ms = clock_ms();
		channel_put(&talk->channel, CHANNEL_ASK, NULL, 0);
	} else if (clock_ms() - talk->asked_ms > ANSWER_MS) {
		err_set(err, ERR_IO, "the appliance has not answered for %d s", ANSWER_MS / 1000);
		return place_add_console(talk->place, err);
	}
	return 0;
}

enum {
	AT_LINE,
	AT_CONN,
	AT_SIGNAL,
	AT_INPUT,
	AT_OUTPUT,
	AT_ERRORS,
	NR_WAITS,
};

static void prepare_waits(const struct talk *talk, struct pollfd waits[NR_WAITS])
{
	waits[AT_LINE] =
		(struct pollfd){ .fd = talk->hung_up ? -1 : talk->channel.fd, .events = POLLIN };
	if (channel_sendable(&talk->channel))
		waits[AT_LINE].events |= POLLOUT;
	waits[AT_CONN] = (struct pollfd){ .fd = talk->gone ? -1 : talk->conn_fd, .events = POLLIN };
	waits[AT_SIGNAL] = (struct pollfd){ .fd = talk->signal_fd, .events = POLLIN };
	waits[AT_INPUT] =
		(struct pollfd){ .fd = input_room(talk) ? STDIN_FILENO : -1, .events = POLLIN };
	for (int i = 0; i < 2; i++) {
		const struct talk_output *output = &talk->outputs[i];

		waits[AT_OUTPUT + i] = (struct pollfd){ .fd = queued(output) ? output->fd : -1,
							.events = POLLOUT };
	}
}

/* Serves what is ready; waits for it at most so long. */
static int step(struct talk *talk, int timeout_ms, struct error *err)
{
	struct pollfd waits[NR_WAITS];
	int ready;

	if (!talk->hung_up && channel_flush(&talk->channel, err) < 0 && err->sys_errno != EPIPE)
		return -1;
	prepare_waits(talk, waits);
	ready = poll(waits, NR_WAITS, timeout_ms);
	if (ready < 0 && errno != EINTR)
		return err_sys(err, errno, "wait for the appliance");
	if (ready <= 0)
		return ready < 0 ? 0 : check_silence(talk, true, err);
	if (waits[AT_SIGNAL].revents && hear_signal(talk, err) < 0)
		return -1;
	if (waits[AT_LINE].revents & (POLLIN | POLLHUP | POLLERR) && hear_line(talk, err) < 0)
		return -1;
	/* Looked at second: what was said before the end has been heard. */
	if (waits[AT_CONN].revents && gone(talk, err) < 0)
		return -1;
	if (waits[AT_INPUT].revents && input_room(talk) && read_input(talk, err) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (waits[AT_OUTPUT + i].revents && queued(&talk->outputs[i]))
			write_output(talk, i);
	return 0;
}

int talk_greet(struct talk *talk, struct error *err)
{
	int64_t until_ms = clock_ms() + GREET_MS;

	if (getrandom(talk->nonce, sizeof(talk->nonce), 0) != (ssize_t)sizeof(talk->nonce))
		return err_sys(err, errno, "random numbers");
	put_greeting(talk);
	while (!talk->ready) {
		int64_t left_ms = until_ms - clock_ms();

		if (left_ms <= 0) {
			err_set(err, ERR_IO, "the appliance does not answer after %d s",
				GREET_MS / 1000);
			return place_add_console(talk->place, err);
		}
		if (step(talk, (int)left_ms, err) < 0)
			return -1;
	}
	return 0;
}

/* Serves the guest until its last word, and the caller until it has everything. */
static int serve(struct talk *talk, struct error *err)
{
	while (!talk->ended || queued(&talk->outputs[0]) || queued(&talk->outputs[1]))
		if (step(talk, SILENCE_MS, err) < 0)
			return -1;
	if (talk->failed) {
		*err = talk->failure;
		return -1;
	}
	return 0;
}

/* Whether the guest can open standard input by its path; then fills path and offset. */
static bool host_input(const struct stat *st, struct channel_start *start)
{
	auto_free char *path = realpath("/proc/self/fd/0", NULL);
	off_t offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
	struct statfs fs;
	struct stat named;
	auto_fd int fd = -1;

	if (!S_ISREG(st->st_mode) || !path || offset < 0)
		return false;
	if ((fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return false;
	if (fstatfs(STDIN_FILENO, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC ||
	    fs.f_type == SYSFS_MAGIC)
		return false; /* their sizes are not those of what can be read */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &named) < 0 || named.st_dev != st->st_dev ||
	    named.st_ino != st->st_ino)
		return false;
	start->input_path = take_ptr(path);
	start->input_offset = (uint64_t)offset;
	return true;
}

static void choose_input(struct talk *talk, bool reads_stdin, struct channel_start *start)
{
	struct stat st;

	start->input = CHANNEL_INPUT_NOTHING;
	if (isatty(STDIN_FILENO)) {
		start->input = CHANNEL_INPUT_TERMINAL;
		talk->input.terminal = true;
		if (!reads_stdin || tcgetpgrp(STDIN_FILENO) != getpgrp())
			return;
		talk->input.open = true;
		/* `veneer … | less`: less has the terminal then, and sets it as it wants. */
		if (isatty(STDOUT_FILENO))
			talk->input.raw = terminal_raw(&talk->terminal);
		start->raw = talk->input.raw;
		return;
	}
	if (!reads_stdin || fstat(STDIN_FILENO, &st) < 0)
		return;
	if (host_input(&st, start)) {
		start->input = CHANNEL_INPUT_HOST;
		return;
	}
	start->input = CHANNEL_INPUT_STREAM;
	talk->input.open = true;
	fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES); /* fewer and larger files */
}

int talk_run(struct talk *talk, struct channel_start *start, bool reads_stdin, struct error *err)
{
	auto_buf struct buf text = { 0 };
	int result;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (!isatty(fd))
			continue;
		start->terminals |= UINT64_C(1) << fd;
		if (talk->terminal.fd < 0)
			terminal_init(&talk->terminal, fd);
	}
	if (talk->terminal.fd >= 0) {
		start->termios = talk->terminal.before;
		start->has_termios = true;
		terminal_size(&start->rows, &start->columns);
	}
	choose_input(talk, reads_stdin, start);
	channel_start_encode(start, &text);
	if (text.len > FRAME_PAYLOAD_MAX)
		return err_set(err, ERR_LIMIT, "the command line is too long");
	channel_put(&talk->channel, CHANNEL_START, text.data, text.len);
	talk->started = true;
	result = serve(talk, err);
	terminal_restore(&talk->terminal);
	if (result == 0 && start->input == CHANNEL_INPUT_HOST)
		lseek(STDIN_FILENO, (off_t)talk->end.input_offset, SEEK_SET);
	return result;
}

int talk_stop(struct talk *talk, bool force, struct error *err)
{
	uint64_t number = force;

	channel_put_numbers(&talk->channel, CHANNEL_STOP, &number, 1);
	return serve(talk, err);
}
