/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "run/account.h"
#include "run/caps.h"
#include "run/child.h"
#include "run/container.h"
#include "run/life.h"
#include "run/prepare.h"
#include "run/runtime.h"
#include "store.h"

#define STATUS_FAILED 125

/* As the container's own process would be made, but for what exec says. */
static int write_process(const struct container_row *row, const json_t *document,
			 const struct life_exec *exec, const char *path, struct error *err)
{
	auto_free char *root = xasprintf("/proc/%d/root", (int)row->process.pid);
	auto_fd int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_account struct account account = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_strlist struct strlist none = { 0 };
	auto_free char *text = NULL;
	json_auto_t *process = NULL;
	struct bundle_args args = {
		.argv = exec->argv,
		.env = &env,
		.cwd = exec->cwd ? exec->cwd : document_text(document, "Config", "WorkingDir"),
		.account = &account,
		.caps = (uint64_t)document_number(document, "Oci", "caps"),
		.no_new_privs = document_flag(document, "Oci", "noNewPrivileges"),
		.terminal = exec->tty,
	};

	if (exec->cwd && *exec->cwd && *exec->cwd != '/')
		return err_set(err, ERR_USAGE,
			       "the working directory '%s' is invalid, it needs to be an absolute "
			       "path",
			       exec->cwd);
	if (root_fd < 0)
		return err_sys(err, errno, "enter container %s", row->name);
	if (account_find(root_fd,
			 exec->user ? exec->user : document_text(document, "Config", "User"),
			 &account, err) < 0 ||
	    (exec->privileged && caps_resolve(true, &none, &none, &args.caps, err) < 0))
		return -1;
	prepare_env(document, &account, exec->tty, &env);
	for (size_t i = 0; exec->env && i < exec->env->nr; i++)
		env_set(&env, exec->env->items[i]);
	process = bundle_process(&args);
	text = json_dumps(process, JSON_COMPACT | JSON_SORT_KEYS);
	return io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err);
}

/* Signals go to the runtime, which passes them on. A terminal's keys reach it by themselves. */
static int wait_with_signals(pid_t pid, struct error *err)
{
	static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	auto_fd int fd = -1;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(&mask, passed_on[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, errno, "catch signals");
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		struct signalfd_siginfo info;
		siginfo_t ended = { 0 };

		if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    ended.si_pid == pid)
			return child_wait(pid);
		poll(&wait, 1, 1000);
		while (read(fd, &info, sizeof(info)) == sizeof(info))
			if (info.ssi_signo != SIGCHLD)
				kill(pid, (int)info.ssi_signo);
	}
}

static int run_exec(const struct runtime *runtime, const struct container_row *row,
		    const struct life_exec *exec, const char *process, const char *log,
		    int *ret_status, struct error *err)
{
	struct runtime_exec args = {
		.id = row->id,
		.process = process,
		.detach = exec->detach,
		.fds = { exec->input ? STDIN_FILENO : -1, exec->detach ? -1 : STDOUT_FILENO,
			 exec->detach ? -1 : STDERR_FILENO },
	};
	pid_t pid;

	/* crun takes the terminal from its standard streams, whether -i was given or not. */
	if (exec->tty && !exec->detach)
		args.fds[0] = STDIN_FILENO;
	pid = runtime_exec(runtime, &args, log, err);
	if (pid < 0)
		return -1;
	*ret_status = wait_with_signals(pid, err);
	if (*ret_status < 0)
		return -1;
	if (*ret_status == 0 || runtime_error(log, "exec", err) == 0)
		return 0;
	*ret_status = runtime_status(err->text);
	/* crun has said it on its standard error, which is ours or, with a terminal, is lost. */
	return exec->detach || exec->tty ? -1 : 0;
}

int life_exec(struct store *store, const char *operand, const struct life_exec *exec,
	      int *ret_status, struct error *err)
{
	auto_container_row struct container_row row = { 0 };
	auto_runtime struct runtime runtime = { 0 };
	json_auto_t *document = NULL;
	auto_free char *process = NULL, *log = NULL;
	struct volume_pool *pool;
	int result;

	*ret_status = STATUS_FAILED;
	if (container_find(store, operand, &row, err) < 0)
		return -1;
	if (row.state != CONTAINER_RUNNING)
		return err_set(err, ERR_IN_USE, "container %s is not running", row.id);
	if (container_document(&row, &document, err) < 0 ||
	    store_existing_pool(store, &pool, err) < 0 || runtime_open(store, &runtime, err) < 0)
		return -1;
	process = xasprintf("%s/exec-%d.json", runtime.run_dir, (int)getpid());
	log = xasprintf("%s/exec-%d.log", runtime.run_dir, (int)getpid());
	result = write_process(&row, document, exec, process, err);
	if (result == 0)
		result = run_exec(&runtime, &row, exec, process, log, ret_status, err);
	unlink(process);
	unlink(log);
	return result;
}
