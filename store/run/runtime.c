/* SPDX-License-Identifier: Apache-2.0 */
#include "run/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "base/proc.h"
#include "db/recover_container.h"
#include "limits.h"
#include "run/child.h"
#include "run/shim.h"
#include "store.h"

#define MONITOR		  "conmon"
#define START_DEADLINE_MS 60000
#define ANSWER_MAX	  (64 * 1024)

int runtime_open(struct store *store, struct runtime *ret, struct error *err)
{
	struct volume_pool_info info;
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len < 0)
		return err_sys(err, errno, "read /proc/self/exe");
	program[len] = '\0';
	*ret = (struct runtime){ 0 };
	if (volume_pool_info(store->pool, &info, err) < 0 ||
	    recover_run_dir(store->pool, &ret->run_dir, err) < 0)
		return -1;
	ret->root = xasprintf("%s/crun", ret->run_dir);
	ret->program = xstrdup(program);
	ret->fs = xstrdup(info.fs);
	return io_make_dirs(ret->root, 0711, err);
}

void runtime_done(struct runtime *runtime)
{
	free(runtime->run_dir);
	free(runtime->root);
	free(runtime->program);
	free(runtime->fs);
	*runtime = (struct runtime){ 0 };
}

static bool has(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

int runtime_status(const char *text)
{
	if (!has(text, "executable") && !has(text, "exec ") && !has(text, "execve") &&
	    !has(text, "container process") && !has(text, "regular file"))
		return 125;
	if (has(text, "not found") || has(text, "No such file"))
		return 127;
	/*
	 * Of a folder crun says "open executable: Operation not permitted", and later versions
	 * "the path `/etc` is not a regular file: Operation not permitted".
	 */
	if (has(text, "denied") || has(text, "not permitted") || has(text, "format error") ||
	    has(text, "is a directory"))
		return 126;
	return 125;
}

/* Lines of {"msg": …, "level": "error", …}: the last error counts. */
int runtime_error(const char *log, const char *what, struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct error ignored;
	char *rest, *line;
	int result = 0;

	if (io_read_file(AT_FDCWD, log, LIMIT_RUNTIME_BYTES, &text, &ignored) < 0 || !text.len)
		return 0;
	for (rest = text.data; (line = strsep(&rest, "\n"));) {
		json_auto_t *entry = NULL;
		const char *message;

		if (!*line || jsonfield_load(line, strlen(line), ANSWER_MAX, &entry, &ignored) < 0)
			continue;
		message = json_string_value(json_object_get(entry, "msg"));
		if (message)
			result = err_set(err, ERR_REMOTE,
					 "OCI runtime %s failed: " CONTAINER_RUNTIME ": %s", what,
					 message);
	}
	return result;
}

static void add_all(struct strlist *list, const char *const *words)
{
	for (; *words; words++)
		strlist_add(list, *words);
}

static char *log_of(const struct runtime_create *create)
{
	return xasprintf("%s/runtime.log", create->folder);
}

/* The shim's words and crun's options, up to its own command. */
static void add_runtime(const struct runtime *runtime, const struct runtime_create *create,
			const char *prefix, struct strlist *argv)
{
	auto_free char *log = log_of(create);
	auto_free char *log_option = xasprintf("--log=%s", log);
	auto_strlist struct strlist words = { 0 };

	shim_words(create->folder, runtime->fs, create->device, &words);
	add_all(&words, (const char *const[]){ "--root", runtime->root, log_option,
					       "--log-format=json", NULL });
	for (size_t i = 0; i < words.nr; i++) {
		if (prefix)
			strlist_add(argv, prefix);
		strlist_add(argv, words.items[i]);
	}
}

static pid_t read_pid(const char *path, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (io_read_file(AT_FDCWD, path, LIMIT_RUNTIME_BYTES, &text, err) < 0)
		return -1;
	return text.len ? (pid_t)strtol(text.data, NULL, 10) : 0;
}

static int listen_for_terminal(const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_LIMIT, "'%s' is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return err_sys(err, errno, "make the socket '%s'", path);
	return take_fd(fd);
}

/* crun connects and sends the master's descriptor before it ends. */
static int receive_terminal(int listen_fd, struct error *err)
{
	struct pollfd wait = { .fd = listen_fd, .events = POLLIN };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte[256];
	struct iovec data = { byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	auto_fd int fd = -1;
	struct cmsghdr *part;
	int master;

	if (poll(&wait, 1, START_DEADLINE_MS) <= 0)
		return err_set(err, ERR_IO, "the runtime gave no terminal");
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		return err_sys(err, errno, "receive a terminal");
	part = CMSG_FIRSTHDR(&message);
	if (!part || part->cmsg_type != SCM_RIGHTS)
		return err_set(err, ERR_IO, "the runtime gave no terminal");
	memcpy(&master, CMSG_DATA(part), sizeof(master));
	return master;
}

static void add_create(const struct runtime_create *create, const char *pid_file,
		       const char *console, struct strlist *argv)
{
	add_all(argv, (const char *const[]){ create->start ? "run" : "create", "--bundle",
					     create->folder, "--pid-file", pid_file, NULL });
	if (create->start)
		strlist_add(argv, "--detach");
	if (console)
		add_all(argv, (const char *const[]){ "--console-socket", console, NULL });
	strlist_add(argv, create->id);
}

pid_t runtime_create(const struct runtime *runtime, const struct runtime_create *create,
		     const int fds[3], int *ret_master, struct error *err)
{
	auto_strlist struct strlist argv = { 0 };
	auto_free char *pid_file = xasprintf("%s/pid", create->folder);
	auto_free char *console =
		create->terminal ? xasprintf("%s/%.12s", runtime->run_dir, create->id) : NULL;
	auto_free char *log = log_of(create);
	auto_fd int listen_fd = -1;
	struct child_args args = { .argv = &argv, .own_group = true };
	pid_t pid;

	memcpy(args.fds, fds, sizeof(args.fds));
	if (console && (listen_fd = listen_for_terminal(console, err)) < 0)
		return -1;
	unlink(log);
	strlist_add(&argv, runtime->program);
	add_runtime(runtime, create, NULL, &argv);
	add_create(create, pid_file, console, &argv);
	pid = child_start(&args, err);
	if (pid < 0)
		return -1;
	if (child_wait(pid) != 0) {
		if (console)
			unlink(console);
		return runtime_error(log, "create", err) < 0
			       ? -1
			       : err_set(err, ERR_REMOTE, "the runtime made no container");
	}
	if (console) {
		*ret_master = receive_terminal(listen_fd, err);
		unlink(console);
		if (*ret_master < 0)
			return -1;
	}
	return read_pid(pid_file, err);
}

/* {"data": PID, "message": …} */
static pid_t read_answer(int fd, const char *log, struct error *err)
{
	auto_buf struct buf text = { 0 };
	json_auto_t *answer = NULL;
	struct error ignored;
	json_int_t pid;
	char chunk[4096];

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&wait, 1, START_DEADLINE_MS) == 0)
			return err_set(err, ERR_IO, MONITOR " does not answer");
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got > 0 && text.len < ANSWER_MAX)
			buf_append(&text, chunk, (size_t)got);
		if (got <= 0 || memchr(chunk, '\n', (size_t)got))
			break;
	}
	if (!text.len || jsonfield_load(text.data, text.len, ANSWER_MAX, &answer, &ignored) < 0)
		return runtime_error(log, "create", err) < 0
			       ? -1
			       : err_set(err, ERR_REMOTE, MONITOR " ended without an answer");
	pid = json_integer_value(json_object_get(answer, "data"));
	if (!pid)
		pid = json_integer_value(json_object_get(answer, "pid"));
	if (pid > 0)
		return (pid_t)pid;
	if (runtime_error(log, "create", err) < 0)
		return -1;
	return err_set(err, ERR_REMOTE, "OCI runtime create failed: %s",
		       json_string_value(json_object_get(answer, "message"))
			       ? json_string_value(json_object_get(answer, "message"))
			       : MONITOR " made no container");
}

static void add_monitor(const struct runtime *runtime, const struct runtime_create *create,
			struct strlist *argv)
{
	auto_free char *pid_file = xasprintf("%s/pid", create->folder);
	auto_free char *own_pid_file = xasprintf("%s/conmon.pid", create->folder);
	auto_free char *log = xasprintf("k8s-file:%s/log", create->folder);

	add_all(argv, (const char *const[]){ MONITOR, "--api-version", "1", "-c", create->id, "-u",
					     create->id, "-n", create->id, "-r", runtime->program,
					     NULL });
	add_runtime(runtime, create, "--runtime-arg", argv);
	add_all(argv, (const char *const[]){ "-b", create->folder, "-p", pid_file, "-P",
					     own_pid_file, "-l", log, "--log-level", "error",
					     "--persist-dir", create->folder, "--exit-dir",
					     create->folder, "--socket-dir-path", runtime->run_dir,
					     "--exit-command", runtime->program, NULL });
	add_all(argv,
		(const char *const[]){ "--exit-command-arg", "--root", "--exit-command-arg",
				       create->store_root, "--exit-command-arg", "--kernel",
				       "--exit-command-arg", "host", "--exit-command-arg",
				       "container-ended", "--exit-command-arg", create->id, NULL });
	if (create->terminal)
		strlist_add(argv, "-t");
	if (create->keep_stdin)
		add_all(argv, (const char *const[]){ "-i", "--leave-stdin-open", NULL });
}

pid_t runtime_monitor(const struct runtime *runtime, const struct runtime_create *create,
		      struct error *err)
{
	auto_strlist struct strlist argv = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_free char *log = log_of(create);
	struct child_args args = {
		.argv = &argv, .env = &env, .fds = { -1, -1, -1 }, .own_group = true
	};
	int sync[2];
	auto_fd int answer_fd = -1;
	pid_t pid;

	if (pipe2(sync, O_CLOEXEC) < 0)
		return err_sys(err, errno, "start " MONITOR);
	answer_fd = sync[0];
	args.kept = &sync[1];
	args.nr_kept = 1;
	strlist_take(&env, xasprintf("_OCI_SYNCPIPE=%d", sync[1]));
	unlink(log);
	add_monitor(runtime, create, &argv);
	pid = child_start(&args, err);
	close(sync[1]);
	if (pid < 0)
		return -1;
	child_wait(pid); /* it forks and goes on */
	return read_answer(answer_fd, log, err);
}

int runtime_start(const struct runtime *runtime, const char *id, struct error *err)
{
	const char *const argv[] = {
		CONTAINER_RUNTIME, "--root", runtime->root, "start", id, NULL
	};

	return proc_check(argv, START_DEADLINE_MS, err);
}

pid_t runtime_exec(const struct runtime *runtime, const struct runtime_exec *exec, const char *log,
		   struct error *err)
{
	auto_strlist struct strlist argv = { 0 };
	auto_free char *log_option = xasprintf("--log=%s", log);
	struct child_args args = { .argv = &argv };

	memcpy(args.fds, exec->fds, sizeof(args.fds));
	unlink(log);
	add_all(&argv, (const char *const[]){ CONTAINER_RUNTIME, "--root", runtime->root,
					      log_option, "--log-format=json", "exec", "--process",
					      exec->process, NULL });
	if (exec->detach)
		strlist_add(&argv, "--detach");
	strlist_add(&argv, exec->id);
	return child_start(&args, err);
}
