/* SPDX-License-Identifier: Apache-2.0 */
#include "run/life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "db/recover_container.h"
#include "db/rows.h"
#include "devlink.h"
#include "run/child.h"
#include "run/container.h"
#include "run/prepare.h"
#include "run/pump.h"
#include "run/runtime.h"
#include "run/signame.h"
#include "store.h"

#define STOP_SECONDS   10
#define KILL_WAIT_MS   30000
#define WAIT_PIECE_MS  1000
#define STATUS_FAILED  125
#define FORGOTTEN_EXIT 137

char *life_log_path(const struct store *store, const struct container_row *row)
{
	return xasprintf("%s/containers/%s/log", store->root.path, row->id);
}

/* One start on its way. */
struct start {
	struct store *store;
	struct container_row row;
	json_t *document;
	char *folder;
	struct volume *volume;
	int lock_fd;
	bool marked; /* the row says 'starting' */
	struct runtime runtime;
	enum container_state state_before;
};

static void start_done(struct start *start)
{
	volume_free(start->volume);
	if (start->lock_fd >= 0)
		close(start->lock_fd);
	container_row_done(&start->row);
	json_decref(start->document);
	free(start->folder);
	runtime_done(&start->runtime);
}
#define auto_start __attribute__((cleanup(start_done)))

static char *file_in(const struct start *start, const char *name)
{
	return xasprintf("%s/%s", start->folder, name);
}

static int make_folder(struct start *start, struct error *err)
{
	auto_free char *lock = xasprintf("containers/%s/lock", start->row.id);
	auto_free char *token = NULL, *old_exit = NULL;
	auto_fd int fd = -1;

	start->folder = xasprintf("%s/containers/%s", start->store->root.path, start->row.id);
	if (io_make_dirs(start->folder, 0711, err) < 0)
		return -1;
	start->lock_fd = root_lock_file(&start->store->root, lock, 0, err);
	if (start->lock_fd < 0)
		return err->kind != ERR_IN_USE
			       ? -1
			       : err_set(err, ERR_IN_USE,
					 "container %s is in use by another command: try again",
					 start->row.name);
	old_exit = file_in(start, "exit");
	unlink(old_exit);
	token = file_in(start, "token");
	fd = open(token, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, errno, "create '%s'", token) : 0;
}

/* Under the store's lock: it is ours to start, and its volume is active. */
static int begin(struct start *start, const char *operand, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	struct store *store = start->store;
	auto_container_row struct container_row known = { 0 };
	auto_free char *link = NULL;
	int found;

	if (container_find(store, operand, &known, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0)
		return -1;
	found = rows_container_get(store->db, known.id, &start->row, err);
	if (found == 0)
		err_set(err, ERR_NOT_FOUND, "No such container: %s", operand);
	if (found <= 0)
		return -1;
	start->state_before = start->row.state;
	if (start->row.state == CONTAINER_RUNNING)
		return 0;
	if (start->row.state == CONTAINER_STARTING)
		return err_set(err, ERR_IN_USE, "container %s is being started", start->row.name);
	if (container_document(&start->row, &start->document, err) < 0 ||
	    runtime_open(store, &start->runtime, err) < 0 ||
	    container_ready(store, &start->row, err) < 0 || make_folder(start, err) < 0)
		return -1;
	start->row.state = CONTAINER_STARTING;
	if (rows_container_set(store->db, &start->row, err) < 0)
		return -1;
	start->marked = true;
	crash_point("start-marked");
	if (volume_activate_sized(store->pool, start->row.thin_id, start->row.size_bytes,
				  VOLUME_READ_WRITE, &start->volume, err) < 0)
		return -1;
	link = recover_container_link(&start->row);
	return devlink_make(link, start->volume, err);
}

/* What failed leaves the old state; the row remembers why. */
static void give_up(struct start *start, const struct error *why, int status)
{
	auto_root_lock struct root *held = NULL;
	auto_free char *token = file_in(start, "token");
	struct error err;

	unlink(token);
	/* The container's volume is not open any more once its processes are gone. */
	if (root_lock(&start->store->root, &err) < 0)
		return;
	held = &start->store->root;
	if (recover_stop_container(start->store->pool, &start->row, &err) < 0) {
		log_warn("container %s: %s", start->row.name, err.text);
		return; /* stays 'starting': the next command goes on */
	}
	volume_free(take_ptr(start->volume));
	start->row.state = start->state_before;
	start->row.process = (struct procmark){ 0 };
	start->row.exit_code = status;
	free(start->row.problem);
	start->row.problem = xstrdup(why->text);
	if (rows_container_set(start->store->db, &start->row, &err) < 0)
		log_warn("container %s: %s", start->row.name, err.text);
}

/* Descriptors between the container and us. */
struct streams {
	int theirs[3];
	struct pump pump;
	struct logfile log;
};

static void streams_done(struct streams *streams)
{
	for (int i = 0; i < 3; i++)
		if (streams->theirs[i] >= 0)
			close(streams->theirs[i]);
	for (int i = 0; i < 2; i++)
		if (streams->pump.output_fds[i] >= 0)
			close(streams->pump.output_fds[i]);
	if (streams->pump.input_fd >= 0)
		close(streams->pump.input_fd);
	if (streams->pump.master_fd >= 0)
		close(streams->pump.master_fd);
	logfile_close(&streams->log);
}
#define auto_streams __attribute__((cleanup(streams_done)))

static int open_pipe(int *ret_read, int *ret_write, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

static int open_streams(const struct start *start, const struct life_attach *attach,
			struct streams *ret, struct error *err)
{
	auto_free char *log = life_log_path(start->store, &start->row);
	bool open_stdin = document_flag(start->document, "Config", "OpenStdin");

	*ret = (struct streams){
		.theirs = { -1, -1, -1 },
		.pump = { .output_fds = { -1, -1 }, .master_fd = -1, .input_fd = -1 },
		.log = { .fd = -1 },
	};
	ret->pump.take_input = attach->input && open_stdin;
	ret->pump.log = &ret->log;
	if (logfile_open(log, &ret->log, err) < 0)
		return -1;
	if (document_flag(start->document, "Config", "Tty"))
		return 0;
	if (ret->pump.take_input && open_pipe(&ret->theirs[0], &ret->pump.input_fd, err) < 0)
		return -1;
	return open_pipe(&ret->pump.output_fds[0], &ret->theirs[1], err) < 0 ||
			       open_pipe(&ret->pump.output_fds[1], &ret->theirs[2], err) < 0
		       ? -1
		       : 0;
}

/* The container waits to be started; its process is known. */
static int make(struct start *start, struct streams *streams, struct error *err)
{
	const struct runtime_create create = {
		.id = start->row.id,
		.folder = start->folder,
		.device = volume_device(start->volume),
		.store_root = start->store->root.path,
		.terminal = document_flag(start->document, "Config", "Tty"),
		.keep_stdin = document_flag(start->document, "Config", "OpenStdin"),
	};
	auto_fd int root_fd = -1;
	pid_t pid;

	if (volume_mount(start->volume, VOLUME_MOUNT_WRITE, &root_fd, err) < 0 ||
	    prepare_start(start->store, &start->row, start->document, start->folder, root_fd, err) <
		    0)
		return -1;
	crash_point("start-prepared");
	/* With our mount still there theirs is one of the same file system, and quick. */
	if (streams)
		pid = runtime_create(&start->runtime, &create, streams->theirs,
				     &streams->pump.master_fd, err);
	else
		pid = runtime_monitor(&start->runtime, &create, err);
	if (pid < 0)
		return -1;
	crash_point("start-made");
	return procmark_read(pid, &start->row.process, err);
}

static int let_run(struct start *start, struct error *err)
{
	auto_free char *token = file_in(start, "token");

	if (runtime_start(&start->runtime, start->row.id, err) < 0)
		return -1;
	crash_point("start-runs");
	start->row.state = CONTAINER_RUNNING;
	start->row.started_ns = rows_now_ns();
	start->row.finished_ns = 0;
	start->row.exit_code = 0;
	free(take_ptr(start->row.problem));
	if (rows_container_set(start->store->db, &start->row, err) < 0)
		return -1;
	crash_point("start-done");
	unlink(token);
	volume_keep(start->volume);
	close(start->lock_fd);
	start->lock_fd = -1;
	return 0;
}

int life_settle(struct store *store, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	return store_lock_pool(store, &held, err);
}

/* Writes the status down while the process can still be seen, then lets it go. */
static int finish_attached(struct start *start, int status, struct error *err)
{
	auto_free char *path = file_in(start, "exit");
	auto_free char *text = xasprintf("%d", status);
	int result = io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err);

	crash_point("attached-ended");
	while (waitpid(start->row.process.pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* Removed by another command meanwhile: nothing to write down. */
	if (result < 0 && access(start->folder, F_OK) < 0)
		result = 0;
	return result < 0 ? -1 : life_settle(start->store, err);
}

static int64_t stop_seconds(const json_t *document, int64_t wanted)
{
	json_t *own = json_object_get(json_object_get(document, "Config"), "StopTimeout");

	if (wanted >= 0)
		return wanted;
	return own ? json_integer_value(own) : STOP_SECONDS;
}

/* Returns the number, or -1. */
static int stop_signal(const json_t *document, struct error *err)
{
	const char *name = document_text(document, "Config", "StopSignal");

	return *name ? signame_parse(name, err) : SIGTERM;
}

static int run_attached(struct start *start, struct streams *streams, int *ret_status,
			struct error *err)
{
	struct pump *pump = &streams->pump;
	struct error ignored;
	int status, lost;

	pump->pid = start->row.process.pid;
	pump->stop_ms = stop_seconds(start->document, -1) * 1000;
	pump->stop_signal = stop_signal(start->document, &ignored);
	if (pump->stop_signal < 0)
		pump->stop_signal = SIGTERM;
	if (pump_run(pump, &status, &lost, err) < 0) {
		kill(start->row.process.pid, SIGKILL);
		finish_attached(start, FORGOTTEN_EXIT, &ignored);
		return -1;
	}
	if (finish_attached(start, status, err) < 0)
		return -1;
	if (lost && lost != EPIPE)
		return err_sys(err, lost, "pass on what container %s prints", start->row.name);
	*ret_status = lost ? PUMP_UNREAD : status;
	return 0;
}

static int start_it(struct start *start, struct streams *streams, int *status, struct error *err)
{
	if (make(start, streams, err) == 0) {
		/* What only the container may hold open from now on. */
		for (int i = 0; streams && i < 3; i++) {
			if (streams->theirs[i] >= 0)
				close(streams->theirs[i]);
			streams->theirs[i] = -1;
		}
		if (let_run(start, err) == 0)
			return 0;
	}
	*status = runtime_status(err->text);
	if (err->kind != ERR_REMOTE && err->kind != ERR_IO)
		*status = STATUS_FAILED;
	give_up(start, err, *status);
	return -1;
}

static int start_attached(struct start *start, const struct life_attach *attach, int *status,
			  struct error *err)
{
	auto_streams struct streams streams = {
		.theirs = { -1, -1, -1 },
		.log = { .fd = -1 },
		.pump = { .output_fds = { -1, -1 }, .master_fd = -1, .input_fd = -1 }
	};

	/* What crun leaves is ours to wait for, as it would be conmon's. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (open_streams(start, attach, &streams, err) < 0 || pump_catch_signals(err) < 0) {
		give_up(start, err, *status);
		return -1;
	}
	if (start_it(start, &streams, status, err) < 0)
		return -1;
	return run_attached(start, &streams, status, err);
}

int life_start(struct store *store, const char *operand, const struct life_attach *attach,
	       int *ret_status, struct error *err)
{
	auto_start struct start start = { .store = store, .lock_fd = -1 };
	int ignored, *status = ret_status ? ret_status : &ignored;

	*status = STATUS_FAILED;
	if (begin(&start, operand, err) < 0) {
		if (start.marked)
			give_up(&start, err, STATUS_FAILED);
		return -1;
	}
	if (start.state_before == CONTAINER_RUNNING) {
		*status = 0;
		return attach ? err_set(err, ERR_IN_USE,
					"cannot attach to container %s: it is running already; "
					"'veneer logs -f' shows what it prints",
					start.row.name)
			      : 0;
	}
	if (attach)
		return start_attached(&start, attach, status, err);
	if (start_it(&start, NULL, status, err) < 0)
		return -1;
	*status = 0;
	/* It may be over already, and its conmon did not see the row say 'running'. */
	return procmark_is_alive(&start.row.process) ? 0 : life_settle(store, err);
}

static int find_running(struct store *store, const char *operand, struct container_row *ret,
			struct error *err)
{
	if (container_find(store, operand, ret, err) < 0)
		return -1;
	if (ret->state != CONTAINER_RUNNING)
		return err_set(err, ERR_IN_USE, "container %s is not running", ret->id);
	return 0;
}

static int send_signal(const struct container_row *row, int number, struct error *err)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, row->process.pid, 0);

	/* Looked at after it is held: it cannot be another one. */
	if (fd < 0 || !procmark_is_alive(&row->process))
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(err, errno, "signal container %s", row->name);
	return 0;
}

int life_kill(struct store *store, const char *operand, int number, struct error *err)
{
	auto_container_row struct container_row row = { 0 };

	return find_running(store, operand, &row, err) < 0 ? -1 : send_signal(&row, number, err);
}

/* In pieces, so that a signal to us ends it. */
static int wait_for(const struct container_row *row, int64_t wait_ms, bool *ret_ended,
		    struct error *err)
{
	*ret_ended = false;
	while (!*ret_ended) {
		int64_t piece = wait_ms < 0 || wait_ms > WAIT_PIECE_MS ? WAIT_PIECE_MS : wait_ms;

		*ret_ended = procmark_wait(&row->process, piece);
		if (cancel_check(err) < 0)
			return -1;
		if (wait_ms >= 0 && (wait_ms -= piece) <= 0)
			break;
	}
	return 0;
}

int life_stop(struct store *store, const char *operand, int64_t wait_seconds, struct error *err)
{
	auto_container_row struct container_row row = { 0 };
	json_auto_t *document = NULL;
	int number;
	bool ended;

	if (container_find(store, operand, &row, err) < 0 ||
	    container_document(&row, &document, err) < 0)
		return -1;
	if (row.state != CONTAINER_RUNNING)
		return 0;
	number = stop_signal(document, err);
	wait_seconds = stop_seconds(document, wait_seconds);
	if (number < 0 || send_signal(&row, number, err) < 0 ||
	    wait_for(&row, wait_seconds * 1000, &ended, err) < 0)
		return -1;
	if (!ended &&
	    (send_signal(&row, SIGKILL, err) < 0 || wait_for(&row, KILL_WAIT_MS, &ended, err) < 0))
		return -1;
	if (!ended)
		return err_set(err, ERR_IN_USE, "cannot stop container: %s: it does not end",
			       operand);
	return life_settle(store, err);
}

int life_wait(struct store *store, const char *operand, int *ret_status, struct error *err)
{
	auto_container_row struct container_row row = { 0 };
	auto_container_row struct container_row after = { 0 };
	bool ended;
	int found;

	if (container_find(store, operand, &row, err) < 0)
		return -1;
	if (row.state == CONTAINER_RUNNING &&
	    (wait_for(&row, -1, &ended, err) < 0 || life_settle(store, err) < 0))
		return -1;
	found = rows_container_get(store->db, row.id, &after, err);
	/* With --rm it is gone, and its status with it. */
	*ret_status = found > 0 ? (int)after.exit_code : 0;
	return found < 0 ? -1 : 0;
}
