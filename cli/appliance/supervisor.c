/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

#define PACKET_MAX	    (128 * 1024) /* key and paths */
#define GREETING_MS	    10000
#define LOOK_MS		    60000 /* how often an idle supervisor looks whether it is still wanted */
#define STATUS_NO_NAMESPACE 3

struct supervisor {
	const struct supervisor_start *start;
	int listen_fd;
	int conn_fd;   /* the launcher, or -1 */
	int signal_fd; /* SIGCHLD, SIGTERM */
	pid_t kernel;
	bool reaped; /* kernel is no process any more */
	bool in_namespace;
	bool keep;  /* the kernel may live without a launcher */
	bool clean; /* this launcher said so */
};

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes every descriptor but 0, 1, 2 and the given ones; sorts them. */
static void close_others(int *keep, size_t nr)
{
	unsigned int from = 3;

	qsort(keep, nr, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < nr; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

/* In the child that becomes the kernel. */
static _Noreturn void exec_kernel(const struct supervisor_start *start)
{
	struct strlist env = { 0 };
	int *keep = xcalloc(start->nr_disks + 2, sizeof(*keep));
	size_t nr = 0;
	sigset_t none;

	strlist_add(&env, "PATH=/usr/bin:/bin");
	strlist_add(&env, "HOME=/");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	umask(0); /* that of each command is what counts, and the guest applies it */
	strlist_take(&env, xasprintf("TMPDIR=%s", start->memory_dir));
	keep[nr++] = start->guest_line_fd;
	keep[nr++] = start->place->running_fd;
	for (size_t i = 0; i < start->nr_disks; i++)
		keep[nr++] = start->disk_fds[i];
	close_others(keep, nr);
	for (size_t i = 0; i < nr; i++)
		fcntl(keep[i], F_SETFD, 0);
	execve(start->argv[0], start->argv, env.items);
	dprintf(STDOUT_FILENO, "start %s: %s\n", start->argv[0], strerror(errno));
	_exit(127);
}

static int send_greeting(int conn_fd, const struct supervisor_start *start)
{
	auto_buf struct buf text = { 0 };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	buf_append(&text, start->key->bytes, FRAME_KEY_BYTES);
	for (size_t i = 0; i < start->disks->nr; i++)
		buf_append(&text, start->disks->items[i], strlen(start->disks->items[i]) + 1);
	part = (struct iovec){ .iov_base = text.data, .iov_len = text.len };
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &start->line_fd, sizeof(int));
	return sendmsg(conn_fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Everything of the kernel at once; see the head of supervisor.h. */
static void kill_kernel(struct supervisor *self)
{
	if (self->in_namespace)
		kill(-1, SIGKILL);
	if (!self->in_namespace && self->kernel > 0)
		kill(-self->kernel, SIGKILL); /* it made itself a group */
	if (self->kernel > 0 && !self->reaped)
		kill(self->kernel, SIGKILL);
}

static _Noreturn void finish(struct supervisor *self)
{
	kill_kernel(self);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	if (self->listen_fd >= 0)
		unlinkat(self->start->place->dir_fd, PLACE_CONTROL, 0);
	place_clean(self->start->place->run_fd);
	_exit(0);
}

static void lose_launcher(struct supervisor *self)
{
	close(self->conn_fd);
	self->conn_fd = -1;
	if (!self->keep)
		finish(self);
	/* The guest ends what the dead launcher had begun when it sees the key. */
	if (!self->clean && write(self->start->line_fd, self->start->key, FRAME_KEY_BYTES) < 0)
		finish(self);
}

static void hear_launcher(struct supervisor *self)
{
	char word;
	ssize_t got = recv(self->conn_fd, &word, sizeof(word), MSG_DONTWAIT);

	if (got == 1 && word == SUPERVISOR_KEEP) {
		self->keep = true;
		self->clean = true;
	} else if (got == 1 && word == SUPERVISOR_KILL) {
		finish(self);
	} else if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		lose_launcher(self);
	}
}

static void take_launcher(struct supervisor *self)
{
	int fd = accept4(self->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	self->conn_fd = fd;
	self->clean = false;
	if (send_greeting(fd, self->start) < 0)
		lose_launcher(self);
}

static void hear_signal(struct supervisor *self)
{
	struct signalfd_siginfo info;
	pid_t pid;

	if (read(self->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM)
		finish(self);
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == self->kernel) {
			self->reaped = true;
			finish(self);
		}
}

/* Whether the folder that we serve still exists. */
static bool wanted(const struct supervisor *self)
{
	struct stat st;

	return fstat(self->start->place->run_fd, &st) == 0 && st.st_nlink > 0;
}

static _Noreturn void supervise(struct supervisor *self)
{
	for (;;) {
		struct pollfd waits[] = {
			{ .fd = self->signal_fd, .events = POLLIN },
			/*
			 * The next launcher may already call while the last words of the
			 * one before it are still to be read: it waits its turn.
			 */
			{ .fd = self->conn_fd < 0 ? self->listen_fd : -1, .events = POLLIN },
			{ .fd = self->conn_fd, .events = POLLIN },
		};
		int ready = poll(waits, 3, LOOK_MS);

		if (ready == 0 && self->conn_fd < 0 && !wanted(self))
			finish(self);
		if (ready <= 0)
			continue;
		if (waits[0].revents)
			hear_signal(self);
		if (waits[2].revents)
			hear_launcher(self);
		if (waits[1].revents)
			take_launcher(self);
	}
}

/* In the grandchild: leaves everything of the caller behind. */
static _Noreturn void become_supervisor(struct supervisor *self)
{
	const struct supervisor_start *start = self->start;
	struct rlimit no_core = { 0 };
	int *keep = xcalloc(start->nr_disks + 10, sizeof(*keep));
	size_t nr = 0;
	sigset_t mask;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	prctl(PR_SET_NAME, "veneer-superv");
	setrlimit(RLIMIT_CORE, &no_core);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	self->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	dup2(null_fd, STDIN_FILENO);
	dup2(start->console_fd, STDOUT_FILENO);
	dup2(start->console_fd, STDERR_FILENO);
	keep[nr++] = start->place->dir_fd;
	keep[nr++] = start->place->run_fd;
	keep[nr++] = start->place->running_fd;
	keep[nr++] = start->line_fd;
	keep[nr++] = start->guest_line_fd;
	keep[nr++] = self->listen_fd;
	keep[nr++] = self->conn_fd;
	keep[nr++] = self->signal_fd;
	for (size_t i = 0; i < start->nr_disks; i++)
		keep[nr++] = start->disk_fds[i];
	close_others(keep, nr);
	if (fchdir(start->place->run_fd) < 0)
		_exit(1);
	self->kernel = fork();
	if (self->kernel == 0)
		exec_kernel(start);
	/* As long as the other end is open here, the kernel's death would not be seen. */
	close(start->guest_line_fd);
	for (size_t i = 0; i < start->nr_disks; i++)
		close(start->disk_fds[i]);
	if (self->kernel < 0 || send_greeting(self->conn_fd, start) < 0)
		finish(self);
	supervise(self);
}

static bool write_map(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Children of this process get a PID namespace. False when it stays as it was. */
static bool enter_namespace(void)
{
	auto_free char *uid_map = xasprintf("%u %u 1", geteuid(), geteuid());
	auto_free char *gid_map = xasprintf("%u %u 1", getegid(), getegid());

	if (unshare(CLONE_NEWPID) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		return false;
	if (!write_map("/proc/self/setgroups", "deny") ||
	    !write_map("/proc/self/uid_map", uid_map) || !write_map("/proc/self/gid_map", gid_map))
		_exit(STATUS_NO_NAMESPACE); /* no way back from here: the caller tries without */
	return true;
}

/* Forks twice, so that nobody has to wait for the supervisor. */
static int fork_supervisor(struct supervisor *self, bool try_namespace, struct error *err)
{
	int status = 0;
	pid_t helper = fork(), pid;

	if (helper == 0) {
		self->in_namespace = try_namespace && enter_namespace();
		pid = fork();
		if (pid == 0)
			become_supervisor(self);
		_exit(pid < 0 ? 1 : 0);
	}
	while (helper > 0 && waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	if (try_namespace && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NO_NAMESPACE)
		return fork_supervisor(self, false, err);
	if (helper < 0 || status != 0)
		return err_set(err, ERR_IO, "cannot start the appliance's supervisor");
	return 0;
}

/* A path of any length, in an address of 108 bytes. */
static struct sockaddr_un control_address(const struct place *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" PLACE_CONTROL,
		 place->dir_fd);
	return address;
}

static int listen_for_launchers(const struct place *place, struct error *err)
{
	struct sockaddr_un address = control_address(place);
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	mode_t before;
	int result;

	unlinkat(place->dir_fd, PLACE_CONTROL, 0);
	before = umask(0177);
	result = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (result < 0 || listen(fd, 1) < 0)
		return err_sys(err, errno, "make the socket '%s/appliance/" PLACE_CONTROL "'",
			       place->root);
	return take_fd(fd);
}

int supervisor_run(const struct supervisor_start *start, struct error *err)
{
	struct supervisor self = { .start = start };
	auto_fd int listen_fd = listen_for_launchers(start->place, err);
	auto_fd int ours = -1, theirs = -1;
	int pair[2];

	if (listen_fd < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "connect to the appliance's supervisor");
	ours = pair[0];
	theirs = pair[1];
	self.listen_fd = listen_fd;
	self.conn_fd = theirs;
	if (fork_supervisor(&self, true, err) < 0)
		return -1;
	return take_fd(ours);
}

int supervisor_connect(const struct place *place, struct error *err)
{
	struct sockaddr_un address = control_address(place);
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return err_set(err, ERR_NOT_FOUND, "no appliance is running for '%s'",
				       place->root);
		return err_sys(err, errno, "connect to '%s/appliance/" PLACE_CONTROL "'",
			       place->root);
	}
	return take_fd(fd);
}

static int receive_greeting(int conn_fd, char *text, size_t size, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = text, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct pollfd wait = { .fd = conn_fd, .events = POLLIN };
	struct cmsghdr *head;
	ssize_t got;

	if (poll(&wait, 1, GREETING_MS) <= 0)
		return -1;
	got = recvmsg(conn_fd, &message, MSG_CMSG_CLOEXEC);
	head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(ret_fd, CMSG_DATA(head), sizeof(int));
	return (int)got;
}

int supervisor_greet(int conn_fd, struct supervisor_greeting *ret, struct error *err)
{
	auto_free char *text = xmalloc(PACKET_MAX + 1);
	int fd = -1, len = receive_greeting(conn_fd, text, PACKET_MAX, &fd);

	if (len < FRAME_KEY_BYTES) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_IO, "the appliance's supervisor does not answer");
	}
	*ret = (struct supervisor_greeting){ .line_fd = fd };
	memcpy(ret->key.bytes, text, FRAME_KEY_BYTES);
	text[len] = '\0';
	for (int at = FRAME_KEY_BYTES; at < len; at += (int)strlen(text + at) + 1)
		strlist_add(&ret->disks, text + at);
	return 0;
}

void supervisor_greeting_done(struct supervisor_greeting *greeting)
{
	if (greeting->line_fd >= 0)
		close(greeting->line_fd);
	strlist_done(&greeting->disks);
	*greeting = (struct supervisor_greeting){ .line_fd = -1 };
}

int supervisor_tell(int conn_fd, char word, struct error *err)
{
	if (send(conn_fd, &word, 1, MSG_NOSIGNAL) != 1)
		return err_sys(err, errno, "tell the appliance's supervisor");
	return 0;
}

int supervisor_wait(int conn_fd, int deadline_ms, struct error *err)
{
	struct pollfd wait = { .fd = conn_fd, .events = POLLIN };
	char word;

	/* Nothing but the end comes after the greeting. */
	if (poll(&wait, 1, deadline_ms) > 0 && recv(conn_fd, &word, 1, MSG_DONTWAIT) <= 0)
		return 0;
	return err_set(err, ERR_IO, "the appliance does not end");
}
