/* SPDX-License-Identifier: Apache-2.0 */
#include "run/step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "db/recover_container.h"
#include "run/caps.h"
#include "run/child.h"
#include "run/document.h"
#include "run/hostfiles.h"
#include "run/runtime.h"
#include "run/shim.h"
#include "run/stubs.h"
#include "store.h"

#define KILL_DEADLINE_MS 10000
#define LINE_MAX_BYTES	 8192
#define POLL_MS		 1000
#define HOSTNAME	 "buildkitsandbox"

struct step {
	struct step_args args;
	struct runtime runtime;
	char *id;     /* "step-SESSION-N" */
	char *folder; /* below the session's, on the run dir's tmpfs */
	char *cgroup;
	struct stubs stubs;
	pid_t pid;
	int pid_fd;
	int output_fds[2];
	struct buf pending[2];
	int64_t until_ms; /* 0: no deadline */
	bool ended;
	int status;
};

static int make_folder(struct step *step, struct error *err)
{
	static unsigned nr_steps;
	struct store *store = step->args.store;
	auto_free char *session = NULL;
	auto_free char *token = NULL;
	auto_fd int fd = -1;
	unsigned number = ++nr_steps;

	if (store_session(store, err) < 0 || runtime_open(store, &step->runtime, err) < 0)
		return -1;
	session = recover_steps_folder(step->runtime.run_dir, store->session);
	step->id = xasprintf("step-%" PRId64 "-%u", store->session, number);
	step->folder = xasprintf("%s/%u", session, number);
	step->cgroup = xasprintf(RECOVER_STEPS_CGROUP "/%u", store->session, number);
	/* The runtime's own folder too: it goes with the session's. */
	free(step->runtime.root);
	step->runtime.root = xasprintf("%s/crun", session);
	if (io_make_dirs(step->folder, 0711, err) < 0)
		return -1;
	token = xasprintf("%s/token", step->folder);
	fd = open(token, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, errno, "create '%s'", token) : 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !path || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* A place for everything that is mounted; what has none that can be made is not mounted. */
static int make_places(struct step *step, const struct bundle_mounts *all,
		       struct bundle_mounts *ret, struct error *err)
{
	static const char *const folders[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (stubs_add(&step->stubs, step->args.root_fd, folders[i], true, err) < 0)
			return -1;
	for (size_t i = 0; i < all->nr; i++) {
		const struct bundle_mount *at = &all->items[i];
		int made = stubs_add(&step->stubs, step->args.root_fd, at->target,
				     is_folder(at->source), err);

		if (made < 0)
			return err_add(err, "mount at '%s'", at->target);
		if (made)
			bundle_mounts_add(ret, at->source, at->target, at->read_only, at->options);
		else
			log_debug("'%s' cannot be mounted onto", at->target);
	}
	stubs_settle(&step->stubs, step->args.root_fd);
	return 0;
}

static int collect_mounts(struct step *step, struct bundle_mounts *ret, struct error *err)
{
	const struct step_args *args = &step->args;
	const struct hostfiles files = {
		.hostname = args->hostname ? args->hostname : HOSTNAME,
		.own_network = args->own_network,
		.dns = args->dns,
		.add_host = args->add_host,
	};
	auto_bundle_mounts struct bundle_mounts all = { 0 };

	if (hostfiles_write(&files, step->folder, &all, err) < 0)
		return -1;
	for (size_t i = 0; args->mounts && i < args->mounts->nr; i++)
		bundle_mounts_add(&all, args->mounts->items[i].source,
				  args->mounts->items[i].target, args->mounts->items[i].read_only,
				  args->mounts->items[i].options);
	return make_places(step, &all, ret, err);
}

static int write_bundle(struct step *step, struct error *err)
{
	const struct step_args *args = &step->args;
	static const struct strlist none;
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	auto_account struct account account = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_free char *rootfs = xasprintf("%s/" SHIM_ROOTFS, step->folder);
	auto_free char *path = xasprintf("%s/config.json", step->folder);
	auto_free char *text = NULL;
	json_auto_t *config = NULL;
	struct bundle_args bundle = {
		.rootfs = rootfs,
		.argv = args->argv,
		.env = &env,
		.cwd = args->cwd,
		.account = &account,
		.hostname = args->hostname ? args->hostname : HOSTNAME,
		.cgroup = step->cgroup,
		.mounts = &mounts,
		.own_network = args->own_network,
		.limits = args->limits,
		.shm_bytes = args->shm_bytes,
		.rlimits = args->rlimits,
	};

	if (account_find(args->root_fd, args->user, &account, err) < 0 ||
	    caps_resolve(false, &none, &none, &bundle.caps, err) < 0 ||
	    collect_mounts(step, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; args->env && i < args->env->nr; i++)
		env_set(&env, args->env->items[i]);
	if (!env_value(&env, "HOME"))
		strlist_take(&env, xasprintf("HOME=%s", account.home));
	config = bundle_config(&bundle);
	text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
	return io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static int open_outputs(struct step *step, int theirs[3], struct error *err)
{
	for (int i = 0; i < 2; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_sys(err, errno, "make a pipe");
		step->output_fds[i] = ends[0];
		theirs[1 + i] = ends[1];
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static int run(struct step *step, const int theirs[3], struct error *err)
{
	const struct runtime_create create = {
		.id = step->id,
		.folder = step->folder,
		.device = volume_device(step->args.volume),
		.start = true,
	};

	/* Its first process becomes our child when crun has made it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	step->pid = runtime_create(&step->runtime, &create, theirs, NULL, err);
	if (step->pid <= 0)
		return -1;
	step->pid_fd = (int)syscall(SYS_pidfd_open, step->pid, 0);
	return step->pid_fd < 0 ? err_sys(err, errno, "watch process %d", (int)step->pid) : 0;
}

int step_start(const struct step_args *args, struct step **ret, struct error *err)
{
	auto_step struct step *step = xcalloc(1, sizeof(*step));
	int theirs[3] = { -1, -1, -1 };
	int result;

	step->args = *args;
	step->pid_fd = step->output_fds[0] = step->output_fds[1] = -1;
	result = make_folder(step, err);
	if (result == 0)
		result = write_bundle(step, err);
	if (result == 0)
		result = open_outputs(step, theirs, err);
	if (result == 0)
		result = run(step, theirs, err);
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	if (result < 0)
		return -1;
	step->until_ms = args->deadline_ms ? clock_ms() + args->deadline_ms : 0;
	*ret = take_ptr(step);
	return 0;
}

void step_polls(const struct step *step, struct pollfd ret[STEP_POLLS])
{
	ret[0] = (struct pollfd){ .fd = step->ended ? -1 : step->pid_fd, .events = POLLIN };
	for (int i = 0; i < 2; i++)
		ret[1 + i] = (struct pollfd){ .fd = step->output_fds[i], .events = POLLIN };
}

static void put_line(struct step *step, enum log_stream stream, const char *text, size_t len)
{
	if (step->args.output)
		step->args.output(step->args.ctx, stream, text, len);
}

static void put_lines(struct step *step, enum log_stream stream, bool all)
{
	struct buf *pending = &step->pending[stream];
	size_t at = 0;

	while (at < pending->len) {
		const char *from = pending->data + at;
		size_t left = pending->len - at;
		const char *end = memchr(from, '\n', left);
		size_t len = end ? (size_t)(end - from) : left;

		if (!end && !all && left < LINE_MAX_BYTES)
			break;
		put_line(step, stream, from, len);
		at += len + (end != NULL);
	}
	if (at) {
		memmove(pending->data, pending->data + at, pending->len - at);
		pending->len -= at;
	}
}

static void read_output(struct step *step, enum log_stream stream)
{
	char chunk[32 * 1024];
	ssize_t got;

	if (step->output_fds[stream] < 0)
		return;
	while ((got = read(step->output_fds[stream], chunk, sizeof(chunk))) > 0) {
		buf_append(&step->pending[stream], chunk, (size_t)got);
		put_lines(step, stream, false);
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	put_lines(step, stream, true);
	close(step->output_fds[stream]);
	step->output_fds[stream] = -1;
}

static void look_for_end(struct step *step)
{
	int status;

	if (step->ended || waitpid(step->pid, &status, WNOHANG) != step->pid)
		return;
	step->ended = true;
	step->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int step_serve(struct step *step, struct error *err)
{
	if (cancel_check(err) < 0)
		return -1;
	if (step->until_ms && !step->ended && clock_ms() > step->until_ms)
		return err_set(err, ERR_IO, "the command did not end within %" PRId64 " s",
			       step->args.deadline_ms / 1000);
	/* In this order: what was written before the end is read. */
	look_for_end(step);
	read_output(step, LOG_STDOUT);
	read_output(step, LOG_STDERR);
	return step->ended && step->output_fds[0] < 0 && step->output_fds[1] < 0;
}

int step_status(const struct step *step)
{
	return step->status;
}

int step_wait(struct step *step, struct error *err)
{
	struct pollfd polls[STEP_POLLS];
	int done;

	while ((done = step_serve(step, err)) == 0) {
		step_polls(step, polls);
		poll(polls, STEP_POLLS, POLL_MS);
	}
	return done < 0 ? -1 : step->status;
}

/* Processes, the runtime's state, the folder: in this order it can be done again. */
static void end_step(struct step *step)
{
	auto_free char *state =
		step->runtime.root ? xasprintf("%s/%s", step->runtime.root, step->id) : NULL;
	const char *const trees[] = { state, step->folder };
	struct error err;

	if (step->cgroup && cgroup_end(step->cgroup, KILL_DEADLINE_MS, &err) < 0)
		log_warn("%s", err.text);
	if (step->pid > 0 && !step->ended)
		waitpid(step->pid, NULL, 0);
	stubs_remove(&step->stubs, step->args.root_fd);
	for (size_t i = 0; step->folder && i < sizeof(trees) / sizeof(*trees); i++)
		if (trees[i] && recover_remove_tree(trees[i], &err) < 0)
			log_debug("%s", err.text);
}

void step_free(struct step *step)
{
	if (!step)
		return;
	end_step(step);
	if (step->pid_fd >= 0)
		close(step->pid_fd);
	for (int i = 0; i < 2; i++) {
		if (step->output_fds[i] >= 0)
			close(step->output_fds[i]);
		buf_done(&step->pending[i]);
	}
	free(step->id);
	free(step->folder);
	free(step->cgroup);
	runtime_done(&step->runtime);
	free(step);
}
