/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "appliance/place.h"
#include "appliance/system.h"
#include "base/cleanup.h"

#define READ_BYTES   (64u * 1024)
#define PIPE_BYTES   (1024 * 1024)
#define DRAIN_BYTES  (2u * 1024 * 1024) /* taken after the end from what it left in the background */
#define KILL_STEP_US 10000
#define KILL_STEPS   1000

/* Standard output or standard error; the terminal serves one of the two. */
struct output {
	int fd; /* -1: at its end, or not wanted any more */
	uint64_t under_way_bytes;
	uint64_t drain_bytes; /* after the end: how much more is taken */
};

struct piece {
	struct piece *next;
	bool file;
	uint64_t number; /* of the file */
	size_t at, len;	 /* of data */
	char data[];
};

struct input {
	int fd;	     /* pipe, or the terminal's master; -1 without */
	int file_fd; /* the first piece, opened; -1 */
	int host_fd; /* CHANNEL_INPUT_HOST: shares its offset with the command */
	bool closed; /* nothing more will come */
	uint64_t taken_bytes;
	struct piece *first, **last;
};

struct job {
	struct channel *channel;
	char *root;
	char *group; /* control group */
	pid_t pid;
	bool ended;
	int status;
	struct output outputs[2];
	struct input input;
	int terminal_fd; /* master; the output that is one has the same number */
	int slave_fd;	 /* kept open until the end, so that no output is lost */
	int terminal_output;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void drop_pieces(struct input *input)
{
	while (input->first) {
		struct piece *piece = input->first;

		input->first = piece->next;
		free(piece);
	}
	input->last = &input->first;
	close_fd(&input->file_fd);
}

void job_free(struct job *job)
{
	if (!job)
		return;
	drop_pieces(&job->input);
	if (job->input.fd != job->terminal_fd)
		close_fd(&job->input.fd);
	close_fd(&job->input.host_fd);
	for (int i = 0; i < 2; i++)
		if (job->outputs[i].fd != job->terminal_fd)
			close_fd(&job->outputs[i].fd);
	close_fd(&job->slave_fd);
	close_fd(&job->terminal_fd);
	if (job->group)
		rmdir(job->group); /* fails while something runs in the background */
	free(job->group);
	free(job->root);
	free(job);
}

static struct job *new_job(const struct channel_start *start, struct channel *channel)
{
	static unsigned int nr_jobs;
	struct job *job = xcalloc(1, sizeof(*job));

	job->channel = channel;
	job->root = xstrdup(start->root);
	job->group = xasprintf(SYSTEM_CGROUP "/command-%u", nr_jobs++);
	job->terminal_fd = job->slave_fd = -1;
	job->terminal_output = -1;
	job->input.fd = job->input.file_fd = job->input.host_fd = -1;
	job->input.last = &job->input.first;
	for (int i = 0; i < 2; i++)
		job->outputs[i] = (struct output){ .fd = -1, .drain_bytes = DRAIN_BYTES };
	return job;
}

static int open_terminal(struct job *job, const struct channel_start *start, struct error *err)
{
	struct winsize size = { .ws_row = (unsigned short)start->rows,
				.ws_col = (unsigned short)start->columns };
	struct termios termios = start->termios;
	int unlocked = 0;

	job->terminal_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (job->terminal_fd < 0 || ioctl(job->terminal_fd, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(err, errno, "make a terminal");
	job->slave_fd = ioctl(job->terminal_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (job->slave_fd < 0)
		return err_sys(err, errno, "make a terminal");
	ioctl(job->terminal_fd, TIOCSWINSZ, &size);
	if (!start->has_termios)
		return 0;
	if (!start->raw) { /* the launcher's terminal does these */
		termios.c_lflag &= ~(tcflag_t)ECHO;
		termios.c_oflag &= ~(tcflag_t)OPOST;
	}
	tcsetattr(job->slave_fd, TCSANOW, &termios);
	return 0;
}

static int open_pipe(int *ret_ours, int *ret_theirs, bool we_read, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	*ret_ours = ends[we_read ? 0 : 1];
	*ret_theirs = ends[we_read ? 1 : 0];
	fcntl(*ret_ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static int open_input(struct job *job, const struct channel_start *start, int *ret_fd,
		      struct error *err)
{
	auto_free char *path = NULL;

	switch (start->input) {
	case CHANNEL_INPUT_TERMINAL:
		job->input.fd = job->terminal_fd;
		*ret_fd = fcntl(job->slave_fd, F_DUPFD_CLOEXEC, 3);
		return 0;
	case CHANNEL_INPUT_STREAM:
		if (open_pipe(&job->input.fd, ret_fd, false, err) < 0)
			return -1;
		fcntl(job->input.fd, F_SETPIPE_SZ, PIPE_BYTES);
		return 0;
	case CHANNEL_INPUT_HOST:
		path = xasprintf(SYSTEM_HOST "%s", start->input_path ? start->input_path : "");
		job->input.host_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (job->input.host_fd < 0 ||
		    lseek(job->input.host_fd, (off_t)start->input_offset, SEEK_SET) < 0)
			return err_sys(err, errno, "standard input '%s'", start->input_path);
		*ret_fd = fcntl(job->input.host_fd, F_DUPFD_CLOEXEC, 3);
		return 0;
	default:
		*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return 0;
	}
}

static int open_output(struct job *job, const struct channel_start *start, int index, int *ret_fd,
		       struct error *err)
{
	if (!(start->terminals >> (index + 1) & 1))
		return open_pipe(&job->outputs[index].fd, ret_fd, true, err);
	*ret_fd = fcntl(job->slave_fd, F_DUPFD_CLOEXEC, 3);
	if (job->terminal_output < 0) {
		job->terminal_output = index;
		job->outputs[index].fd = job->terminal_fd;
	}
	return 0;
}

/* 127 and 126 as a shell has them. */
static _Noreturn void exec_program(const struct channel_start *start)
{
	const char *name = start->program ? start->program : start->argv.items[0];

	environ = start->env.items;
	if (start->program)
		execve(start->program, start->argv.items, start->env.items);
	else
		execvpe(name, start->argv.items, start->env.items);
	dprintf(STDERR_FILENO, "%s: %s\n", name, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static _Noreturn void child(struct job *job, const struct channel_start *start, const int fds[3])
{
	auto_free char *procs = xasprintf("%s/cgroup.procs", job->group);
	int group_fd = open(procs, O_WRONLY | O_CLOEXEC);
	sigset_t none;

	if (group_fd >= 0 && write(group_fd, "0", 1) < 0)
		close_fd(&group_fd);
	setsid();
	if (start->terminals & 1)
		ioctl(job->slave_fd, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	close_range(3, ~0U, 0);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask((mode_t)start->umask);
	if (chdir(start->cwd) < 0) {
		dprintf(STDERR_FILENO, "folder '%s' in the appliance: %s\n", start->cwd,
			strerror(errno));
		if (chdir("/") < 0)
			_exit(126);
	}
	exec_program(start);
}

static int start_child(struct job *job, const struct channel_start *start, struct error *err)
{
	int fds[3] = { -1, -1, -1 };
	int result = 0;

	if (start->terminals)
		result = open_terminal(job, start, err);
	if (result == 0)
		result = open_input(job, start, &fds[0], err);
	for (int i = 0; i < 2 && result == 0; i++)
		result = open_output(job, start, i, &fds[i + 1], err);
	if (result == 0) {
		mkdir(job->group, 0755);
		job->pid = fork();
		if (job->pid == 0)
			child(job, start, fds);
		if (job->pid < 0)
			result = err_sys(err, errno, "start a process");
	}
	for (int i = 0; i < 3; i++)
		close_fd(&fds[i]);
	return result;
}

int job_start(const struct channel_start *start, struct channel *channel, struct job **ret,
	      struct error *err)
{
	struct job *job = new_job(start, channel);

	if (start_child(job, start, err) < 0) {
		job_free(job);
		return -1;
	}
	*ret = job;
	return 0;
}

static bool wants_output(const struct output *output)
{
	return output->fd >= 0 && output->under_way_bytes < CHANNEL_WINDOW_BYTES;
}

/* Returns whether there may be more at once. */
static bool read_output(struct job *job, int index)
{
	static char chunk[READ_BYTES];
	struct output *output = &job->outputs[index];
	uint64_t room = CHANNEL_WINDOW_BYTES - output->under_way_bytes;
	ssize_t got = read(output->fd, chunk, room < READ_BYTES ? (size_t)room : READ_BYTES);

	if (got < 0 && errno == EINTR)
		return true;
	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0) { /* EIO: no process has the terminal any more */
		if (output->fd != job->terminal_fd)
			close(output->fd);
		output->fd = -1;
		return false;
	}
	output->under_way_bytes += (uint64_t)got;
	channel_put(job->channel, index == 0 ? CHANNEL_OUTPUT : CHANNEL_ERRORS, chunk, (size_t)got);
	return true;
}

static void tell_input_taken(struct job *job)
{
	uint64_t bytes = job->input.taken_bytes;

	if (bytes)
		channel_put_numbers(job->channel, CHANNEL_INPUT_TAKEN, &bytes, 1);
	job->input.taken_bytes = 0;
}

/* The command does not read any more. */
static void close_input(struct job *job)
{
	struct input *input = &job->input;

	drop_pieces(input);
	if (input->fd != job->terminal_fd)
		close_fd(&input->fd);
	input->fd = -1;
	if (!input->closed)
		channel_put(job->channel, CHANNEL_INPUT_CLOSED, NULL, 0);
	input->closed = true;
}

static void next_piece(struct input *input)
{
	struct piece *piece = input->first;

	input->first = piece->next;
	if (!input->first)
		input->last = &input->first;
	free(piece);
}

static void open_file(struct job *job, uint64_t number)
{
	auto_free char *path = xasprintf(SYSTEM_HOST "%s/appliance/" PLACE_RUN "/in-%ju", job->root,
					 (uintmax_t)number);

	job->input.file_fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
}

/* Returns the bytes moved, 0 at the end of the file, -1 with errno. */
static ssize_t splice_file(struct input *input)
{
	ssize_t got = splice(input->file_fd, NULL, input->fd, NULL, PIPE_BYTES,
			     SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (got == 0)
		close_fd(&input->file_fd);
	return got;
}

static ssize_t write_piece(struct input *input)
{
	struct piece *piece = input->first;
	ssize_t put = write(input->fd, piece->data + piece->at, piece->len - piece->at);

	if (put > 0)
		piece->at += (size_t)put;
	return put;
}

static void feed_input(struct job *job)
{
	struct input *input = &job->input;

	while (input->first && input->fd >= 0) {
		struct piece *piece = input->first;
		ssize_t moved;

		if (piece->file && input->file_fd < 0)
			open_file(job, piece->number);
		moved = piece->file ? splice_file(input) : write_piece(input);
		if (moved < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (moved < 0) {
			close_input(job);
			return;
		}
		input->taken_bytes += (uint64_t)moved;
		if (piece->file ? moved == 0 : piece->at == piece->len)
			next_piece(input);
	}
	tell_input_taken(job);
	if (!input->first && input->closed && input->fd != job->terminal_fd)
		close_fd(&input->fd);
}

void job_prepare(const struct job *job, struct pollfd waits[JOB_WAITS])
{
	const struct input *input = &job->input;
	const struct output *outputs = job->outputs;
	bool on_terminal = input->fd >= 0 && input->fd == job->terminal_fd;

	for (int i = 0; i < 2; i++)
		waits[i] = (struct pollfd){ .fd = wants_output(&outputs[i]) ? outputs[i].fd : -1,
					    .events = POLLIN };
	/* A pipe is looked at all the time: an error says that its reader is gone. */
	waits[2] = (struct pollfd){ .fd = on_terminal && !input->first ? -1 : input->fd,
				    .events = input->first ? POLLOUT : 0 };
	/* A terminal that nobody shows is read all the same, else its writers would wait. */
	waits[3] = (struct pollfd){ .fd = job->terminal_output < 0 ? job->terminal_fd : -1,
				    .events = POLLIN };
}

void job_serve(struct job *job, const struct pollfd waits[JOB_WAITS])
{
	char dropped[1024];

	for (int i = 0; i < 2; i++)
		if (waits[i].revents && wants_output(&job->outputs[i]))
			read_output(job, i);
	if (waits[2].revents & POLLERR && job->input.fd != job->terminal_fd)
		close_input(job);
	else if (waits[2].revents)
		feed_input(job);
	if (waits[3].revents && read(job->terminal_fd, dropped, sizeof(dropped)) < 0 &&
	    errno != EAGAIN)
		job->terminal_output = 0; /* nobody has it any more: not looked at again */
	if (!job->ended)
		return;
	/* What is in the pipes belongs to it; what comes later is of no limit's interest. */
	for (int i = 0; i < 2; i++) {
		struct output *output = &job->outputs[i];
		bool more = true;

		while (more && wants_output(output) && output->drain_bytes) {
			uint64_t before = output->under_way_bytes;

			more = read_output(job, i);
			before = output->under_way_bytes - before;
			output->drain_bytes -=
				before < output->drain_bytes ? before : output->drain_bytes;
		}
		if (output->fd >= 0 && (!more || !output->drain_bytes)) {
			if (output->fd != job->terminal_fd)
				close(output->fd);
			output->fd = -1;
		}
	}
}

static void add_piece(struct job *job, const struct frame *frame)
{
	bool file = frame->type == CHANNEL_INPUT_FILE;
	size_t len = file ? 0 : frame->len;
	struct piece *piece;
	uint64_t number = 0;

	if (job->input.fd < 0 || (file && !channel_numbers(frame, &number, 1)))
		return;
	piece = xcalloc(1, sizeof(*piece) + len);
	piece->file = file;
	piece->number = number;
	piece->len = len;
	if (len)
		memcpy(piece->data, frame->data, len);
	*job->input.last = piece;
	job->input.last = &piece->next;
	feed_input(job);
}

static void end_input(struct job *job)
{
	struct input *input = &job->input;
	struct termios termios;

	input->closed = true;
	if (input->fd >= 0 && input->fd == job->terminal_fd &&
	    tcgetattr(job->slave_fd, &termios) == 0 && write(input->fd, &termios.c_cc[VEOF], 1) < 0)
		return;
	feed_input(job);
}

static void close_output(struct job *job, int index)
{
	struct output *output = &job->outputs[index];

	/* The terminal stays, but is not shown; a pipe's writer is told. */
	if (output->fd >= 0 && output->fd == job->terminal_fd)
		job->terminal_output = -1;
	else
		close_fd(&output->fd);
	output->fd = -1;
}

static void take_back(struct output *output, const struct frame *frame)
{
	uint64_t bytes;

	if (channel_numbers(frame, &bytes, 1))
		output->under_way_bytes -=
			bytes < output->under_way_bytes ? bytes : output->under_way_bytes;
}

static void set_size(struct job *job, const struct frame *frame)
{
	struct winsize size = { 0 };
	uint64_t numbers[2];

	if (job->terminal_fd < 0 || !channel_numbers(frame, numbers, 2))
		return;
	size.ws_row = (unsigned short)numbers[0];
	size.ws_col = (unsigned short)numbers[1];
	ioctl(job->terminal_fd, TIOCSWINSZ, &size);
}

static void send_signal(struct job *job, const struct frame *frame)
{
	uint64_t numbers[2];

	if (job->ended || !channel_numbers(frame, numbers, 2) || numbers[0] >= NSIG)
		return;
	kill(numbers[1] ? -job->pid : job->pid, (int)numbers[0]);
}

void job_hear(struct job *job, const struct frame *frame)
{
	switch (frame->type) {
	case CHANNEL_INPUT:
	case CHANNEL_INPUT_FILE:
		add_piece(job, frame);
		break;
	case CHANNEL_INPUT_END:
		end_input(job);
		break;
	case CHANNEL_OUTPUT_TAKEN:
		take_back(&job->outputs[0], frame);
		break;
	case CHANNEL_ERRORS_TAKEN:
		take_back(&job->outputs[1], frame);
		break;
	case CHANNEL_OUTPUT_CLOSED:
		close_output(job, 0);
		break;
	case CHANNEL_ERRORS_CLOSED:
		close_output(job, 1);
		break;
	case CHANNEL_SIGNAL:
		send_signal(job, frame);
		break;
	case CHANNEL_SIZE:
		set_size(job, frame);
		break;
	default:
		break;
	}
}

pid_t job_pid(const struct job *job)
{
	return job->pid;
}

void job_note_end(struct job *job, int wait_status)
{
	job->ended = true;
	job->status =
		WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	close_fd(&job->slave_fd);
}

bool job_is_over(const struct job *job, struct channel_exit *ret)
{
	off_t offset = 0;

	if (!job->ended || job->outputs[0].fd >= 0 || job->outputs[1].fd >= 0)
		return false;
	if (job->input.host_fd >= 0)
		offset = lseek(job->input.host_fd, 0, SEEK_CUR);
	ret->status = (uint64_t)job->status;
	ret->input_offset = offset < 0 ? 0 : (uint64_t)offset;
	return true;
}

void job_kill(struct job *job)
{
	auto_free char *path = xasprintf("%s/cgroup.kill", job->group);
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		kill(-job->pid, SIGKILL);
	for (int i = 0; i < KILL_STEPS && !job->ended; i++) {
		int status;

		if (waitpid(job->pid, &status, WNOHANG) != 0)
			job_note_end(job, status);
		else
			usleep(KILL_STEP_US);
	}
}
